//! Tests of the crate from outside, in one program.

mod bad_input;
mod model;
mod model_failures;
mod model_run;
mod office;
mod samples;
mod service;
