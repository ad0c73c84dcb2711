//! Tests of the crate from outside, in one program.

mod audits;
mod budget;
mod cancellation;
mod channels;
mod claims;
mod client_metrics;
mod conformance;
mod differential;
mod faults;
mod globs;
mod harness;
mod hostile_servers;
mod joined_calls;
#[path = "../../../memory-backend/tests/integration/harness/mod.rs"]
mod memory_harness;
mod moving_slots;
mod previous;
mod runtimes;
mod shared_by_runtimes;
mod slow_servers;
mod topologies;
mod without_hello;
