//! What to do about an overloaded database: a plan to review, change and execute.

mod file;

pub use file::{Group, Plan, PlanSource, PlanTarget, Verdict};
