//! The entries, the outboxes and the audits of batches in memory.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::backend::BatchRefusal;
use compartment_core::{
    BatchAudit, BatchUpkeepStore, FencingToken, OutboxEntry, RestoredFact, Result,
};

use crate::backend::MemoryStores;
use crate::stores::batch::check_stage;
use crate::stores::batch_state::Batch;

impl MemoryStores {
    /// Reads a batch; an error if it does not exist.
    pub(crate) fn look_into<T>(
        &self,
        operation: &'static str,
        batch: &str,
        look: impl FnOnce(&Batch) -> T,
    ) -> Result<T> {
        let found = self.look_at(operation, batch, look)?;
        found.ok_or_else(|| self.refuse(BatchRefusal::Missing, operation, batch))
    }
}

#[async_trait]
impl BatchUpkeepStore for MemoryStores {
    fn born_as(&self, token: FencingToken) -> Arc<dyn BatchUpkeepStore> {
        Arc::new(Self { born: Some(token.number()), ..self.clone() })
    }

    async fn entries(&self, batch: &str, from: u32, max: usize) -> Result<Vec<Bytes>> {
        let operation = "read entries of batch";
        BatchRefusal::unless_few(max, &self.contract, operation, batch)?;
        self.look_into(operation, batch, |state| state.entries(from, max))
    }

    async fn outbox(&self, batch: &str, max: usize) -> Result<Vec<OutboxEntry>> {
        let operation = "read outbox of batch";
        BatchRefusal::unless_few(max, &self.contract, operation, batch)?;
        self.look_into(operation, batch, |state| state.outbox().oldest(max))
    }

    async fn clear_outbox(&self, batch: &str, ids: &[String]) -> Result<u64> {
        let operation = "clear outbox of batch";
        BatchRefusal::unless_few(ids.len(), &self.contract, operation, batch)?;
        self.change(operation, batch, |state, _| Ok(state.outbox_mut().clear(ids)))
    }

    async fn outbox_len(&self, batch: &str) -> Result<u64> {
        self.look_into("measure outbox of batch", batch, |state| state.outbox().len())
    }

    async fn restore(
        &self,
        batch: &str,
        stage: usize,
        facts: Vec<(u32, RestoredFact)>,
    ) -> Result<u64> {
        let operation = "restore in batch";
        BatchRefusal::unless_few(facts.len(), &self.contract, operation, batch)?;
        self.change(operation, batch, |state, now| {
            check_stage(state, stage)?;
            Ok(state.restore(stage, facts, now.as_millis()))
        })
    }

    async fn audit(&self, batch: &str) -> Result<BatchAudit> {
        self.look_into("audit batch", batch, Batch::audit)
    }

    async fn repair(&self, batch: &str, audit: &BatchAudit) -> Result<bool> {
        self.change("repair batch", batch, |state, now| Ok(state.repair(audit, now.as_millis())))
    }

    async fn remove_ended(&self, batch: &str) -> Result<bool> {
        let operation = "remove ended batch";
        let removed =
            self.remove_if(operation, batch, |state, now| state.may_go(now.as_millis()))?;
        removed.ok_or_else(|| self.refuse(BatchRefusal::Missing, operation, batch))
    }
}
