//! The memory backend with a clock moved by tests.
#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::backend::{Backend, Capabilities};
use compartment_core::{Contract, Database, ManualClock};
use compartment_memory::{MemoryBackend, MemoryConfig};
use compartment_testkit::Harness;

pub(crate) struct MemoryHarness {
    backend: MemoryBackend,
    clock: ManualClock,
}

impl MemoryHarness {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::default();
        let config = MemoryConfig::default().clock(Arc::new(clock.clone()));
        Self { backend: MemoryBackend::new(config), clock }
    }
}

#[async_trait]
impl Harness for MemoryHarness {
    async fn open(&self, contract: Contract) -> Database {
        self.backend.open(contract).await.unwrap()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    fn clock(&self) -> ManualClock {
        self.clock.clone()
    }
}
