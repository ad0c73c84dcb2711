//! Tests of the crate from outside, in one program.

mod commands;
mod fixture;
mod observing;
mod promises;
