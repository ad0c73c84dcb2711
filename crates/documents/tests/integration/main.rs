//! Tests of the crate from outside, in one program.

mod bad_input;
mod forms;
mod model;
mod model_failures;
mod model_run;
mod ocr_jobs;
mod office;
mod samples;
mod service;
