//! Tests of the crate from outside, in one program.

mod budget;
mod concurrency;
mod conformance;
mod differential;
mod harness;
mod partial_backend;
