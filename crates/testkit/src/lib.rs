//! One conformance suite for every backend and wrapper; starts real Redis servers for tests.
//!
//! - [`Harness`]: implemented for a backend, so that the suite can open its databases and advance time.
//! - [`conformance_suite!`]: one test for each sentence of the store traits' contracts.
//! - [`differential`]: random programs, run on two backends whose answers are compared.
//! - [`TestRedis`], [`TestCluster`], [`TestSentinel`]: servers for a single test.
//! - [`TestPostgres`]: a PostgreSQL server for a single test, if PostgreSQL is installed.
//! - [`FaultProxy`], [`NotRedis`], [`HostileServer`]: network faults, a server of another protocol, and one that means
//!   harm.
//!
//! # Stability
//! [`Harness`], [`conformance_suite!`] and [`run_test`] follow semantic versioning. The suite grows with the
//! contracts: a later version may require more of a backend. The functions in [`suite`], the macros that list them,
//! [`differential`] and the servers are for this project's own tests and may change at any time.
//!
//! # Without redis-server
//! Tests that need redis-server are marked `#[ignore = "needs redis-server"]`: plain `cargo test` runs those that
//! need no server, and `cargo test -- --include-ignored` runs all of them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test support: a failure here is a failed test"
)]

pub mod differential;
mod fault_proxy;
mod harness;
mod hostile_server;
mod not_redis;
mod resp;
mod rewriting;
mod run;
mod server;
pub mod suite;

pub use fault_proxy::FaultProxy;
pub use harness::Harness;
pub use hostile_server::{Attack, HostileServer};
pub use not_redis::NotRedis;
pub use resp::{Reply, RespConnection};
pub use run::{eventually, give_up_after, run_test};
pub use server::{
    SERVER_VARIABLE, ServerProgram, SlotMove, TestCluster, TestPostgres, TestRedis,
    TestRedisBuilder, TestSentinel, TlsCertificates,
};

/// Compiles the README's example, and runs the parts that need no server.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
