//! What only a server has: analyze, plan, migrate, verify, back up, restore, flush.
//!
//! Works on raw names and whole values of any type, whatever program wrote them, and so is not
//! bound to the store traits.

pub mod backup;
mod error;
pub mod migrate;
mod name;
mod pace;
mod place;
mod plan;
mod progress;
pub mod rdb;
pub mod replication;
mod resp;
pub mod restore;
mod snapshot;
mod typed;
pub mod verify;
mod walk;

pub use error::{AdminError, Result};
pub use name::{escape, unescape};
pub use pace::{Limits, Pace};
pub use place::Place;
pub use plan::{Group, Plan, PlanSource, PlanTarget, Verdict};
pub use progress::{Progress, Silent};
pub use walk::Walk;
