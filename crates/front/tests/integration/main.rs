//! Tests of the crate from outside, in one program.

mod apart;
mod channels;
mod cluster;
mod commands;
mod faults;
mod fixture;
mod observing;
mod operation;
mod promises;
mod separation;
mod sorting;
mod terms;
mod watching;
