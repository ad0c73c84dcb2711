//! Tests of the crate from outside, in one program.

mod borders;
mod cancel_everything;
mod cancellation;
mod clocks;
mod close;
mod figures;
mod fleet;
mod forged;
mod harness;
mod leases;
mod limits;
mod merged_reads;
mod on_redis;
mod outage;
mod processes;
mod random_faults;
mod read_through;
mod real_faults;
mod runtimes;
