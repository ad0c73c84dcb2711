//! Tests of the crate from outside, in one program.

mod agents;
mod events;
mod figures;
mod guard;
mod http;
mod slow_and_many;
