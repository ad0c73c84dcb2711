//! A backend without queues, batches and channels passes its part of the suite.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::backend::{Capabilities, Stores};
use compartment_core::{Contract, Database, ManualClock};
use compartment_testkit::Harness;

use crate::harness::MemoryHarness;

/// Memory, with only the stores that every backend has.
struct PartialHarness(MemoryHarness);

#[async_trait]
impl Harness for PartialHarness {
    async fn open(&self, contract: Contract) -> Database {
        let whole = self.0.open(contract).await;
        let stores = Stores::builder("partial", Arc::clone(whole.key_value()))
            .hash(Arc::clone(whole.hash()))
            .counter(Arc::clone(whole.counter()))
            .lock(Arc::clone(whole.lock()))
            .rate_limit(Arc::clone(whole.rate_limit()))
            .usage(Arc::clone(whole.usage()))
            .build();
        whole.with_stores(stores)
    }

    async fn advance(&self, by: Duration) {
        self.0.advance(by).await;
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.0.capabilities();
        capabilities.queues = false;
        capabilities.batches = false;
        capabilities.channels = false;
        capabilities
    }

    fn clock(&self) -> ManualClock {
        self.0.clock()
    }
}

compartment_testkit::conformance_suite!(PartialHarness(MemoryHarness::new()));
