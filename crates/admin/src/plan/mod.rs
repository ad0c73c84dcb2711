//! Plans for the separation of a database: to review, change and execute.

mod advice;
mod check;
mod collisions;
mod databases;
mod file;
mod front;
mod indexes;
mod near;
mod places;
mod propose;
mod server_notes;
mod stays;
mod text;

pub use advice::{Advice, advice};
pub(crate) use check::at_work;
pub use check::{CheckOptions, check};
pub use file::{Group, Plan, PlanSource, PlanTarget, Verdict};
pub use front::{FrontDraft, front_for};
pub(crate) use indexes::search_indexes;
pub use places::PlanPlaces;
pub use propose::propose;
pub(crate) use stays::Stays;
