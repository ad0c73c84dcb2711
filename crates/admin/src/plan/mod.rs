//! What to do about an overloaded database: a plan to review, change and execute.

mod advice;
mod file;

pub use advice::{Advice, advice};
pub use file::{Group, Plan, PlanSource, PlanTarget, Verdict};
