//! The trait through which the suite uses a backend under test.

use std::time::Duration;

use async_trait::async_trait;
use compartment_core::backend::Capabilities;
use compartment_core::{Contract, Database, ManualClock};

/// A backend under test: opens its databases and advances its time.
///
/// Each test creates its own harness, so the backend is empty when the test begins.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Opens the database of this contract; it is empty until a test writes to it.
    async fn open(&self, contract: Contract) -> Database;

    /// Advances time: moves [`Harness::clock`], and on a server shortens every key's TTL
    /// ([`crate::TestRedis::pass_time`]).
    async fn advance(&self, by: Duration);

    /// The capabilities of the backend.
    fn capabilities(&self) -> Capabilities;

    /// The clock used by locks and limits. Clones share its time.
    fn clock(&self) -> ManualClock;
}
