//! Tests of the crate from outside, in one program.

mod bad_input;
mod forms;
mod office;
mod samples;
