//! Tests of the crate from outside, in one program.

mod bad_input;
mod office;
mod samples;
