//! A store whose mirror dies or is delayed at a chosen moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::backend::Traffic;
use compartment_core::{
    BatchAudit, BatchUpkeepStore, Contract, Database, Error, ErrorKind, FencingToken, OutboxEntry,
    RestoredFact, Result,
};
use tokio::sync::Semaphore;

/// The faults. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Dying {
    inner: Arc<dyn BatchUpkeepStore>,
    /// Clearing fails, as if the mirror had died before it.
    pub(crate) before_clearing: Arc<AtomicBool>,
    /// A mirror that has read an outbox needs a permit to continue.
    pub(crate) may_go_on: Arc<Semaphore>,
}

impl Dying {
    /// The database with this store in it.
    pub(crate) fn around(batch: &Database) -> (Database, Arc<Self>) {
        let dying = Arc::new(Self {
            inner: Arc::clone(batch.batch_upkeep()),
            before_clearing: Arc::default(),
            may_go_on: Arc::new(Semaphore::new(1_000_000)),
        });
        let stores = batch.stores().clone().into_builder().batch_upkeep(dying.clone()).build();
        let contract: Contract = batch.contract().clone();
        let traffic = Arc::new(Traffic::default());
        (Database::new(Arc::new(contract), traffic, stores), dying)
    }
}

#[async_trait]
impl BatchUpkeepStore for Dying {
    fn born_as(&self, token: FencingToken) -> Arc<dyn BatchUpkeepStore> {
        Arc::new(Self { inner: self.inner.born_as(token), ..self.clone() })
    }

    async fn entries(&self, batch: &str, from: u32, max: usize) -> Result<Vec<Bytes>> {
        self.inner.entries(batch, from, max).await
    }

    async fn outbox(&self, batch: &str, max: usize) -> Result<Vec<OutboxEntry>> {
        let read = self.inner.outbox(batch, max).await;
        if let Ok(permit) = self.may_go_on.acquire().await {
            permit.forget();
        }
        read
    }

    async fn clear_outbox(&self, batch: &str, ids: &[String]) -> Result<u64> {
        if self.before_clearing.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "clear outbox", "killed"));
        }
        self.inner.clear_outbox(batch, ids).await
    }

    async fn outbox_len(&self, batch: &str) -> Result<u64> {
        self.inner.outbox_len(batch).await
    }

    async fn restore(
        &self,
        batch: &str,
        stage: usize,
        facts: Vec<(u32, RestoredFact)>,
    ) -> Result<u64> {
        self.inner.restore(batch, stage, facts).await
    }

    async fn audit(&self, batch: &str) -> Result<BatchAudit> {
        self.inner.audit(batch).await
    }

    async fn repair(&self, batch: &str, audit: &BatchAudit) -> Result<bool> {
        self.inner.repair(batch, audit).await
    }

    async fn remove_ended(&self, batch: &str) -> Result<bool> {
        self.inner.remove_ended(batch).await
    }
}
