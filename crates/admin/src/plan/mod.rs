//! Plans for the separation of a database: to review, change and execute.

mod advice;
mod check;
mod collisions;
mod databases;
mod file;
mod indexes;
mod propose;
mod server_notes;
mod stays;
mod text;

pub use advice::{Advice, advice};
pub(crate) use check::at_work;
pub use check::{CheckOptions, check};
pub use file::{Group, Plan, PlanSource, PlanTarget, Verdict};
pub(crate) use indexes::search_indexes;
pub use propose::{PlanPlaces, propose};
pub(crate) use stays::Stays;
