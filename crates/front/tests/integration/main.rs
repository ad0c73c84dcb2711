//! Tests of the crate from outside, in one program.

mod commands;
mod faults;
mod fixture;
mod observing;
mod promises;
mod terms;
