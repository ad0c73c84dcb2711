//! The harness that the suite needs for a backend under test.

use std::time::Duration;

use async_trait::async_trait;
use compartment_core::backend::Capabilities;
use compartment_core::{Contract, Database, ManualClock};

/// A backend under test: opens its databases and moves its time.
///
/// Each test makes a harness of its own, so nothing is there when it begins.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Opens the database of this contract, empty if no test has written to it.
    async fn open(&self, contract: Contract) -> Database;

    /// Lets time pass: moves [`Harness::clock`], and on a server takes it off every key's TTL
    /// ([`crate::TestRedis::pass_time`]).
    async fn advance(&self, by: Duration);

    /// What the backend can do.
    fn capabilities(&self) -> Capabilities;

    /// The clock that its locks and limits go by. Clones share the same time.
    fn clock(&self) -> ManualClock;
}
