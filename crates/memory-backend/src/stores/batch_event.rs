//! Events of batches in memory: kept with the batch, changed under its key's lock.

use std::time::Duration;

use async_trait::async_trait;
use compartment_core::backend::BatchRefusal;
use compartment_core::{BatchEvent, BatchEventStore, Result};

use crate::backend::MemoryStores;

#[async_trait]
impl BatchEventStore for MemoryStores {
    async fn events(
        &self,
        batch: &str,
        after: Option<String>,
        max: usize,
    ) -> Result<Vec<BatchEvent>> {
        let operation = "read events of batch";
        BatchRefusal::unless_few(max, &self.contract, operation, batch)?;
        let read =
            self.look_into(operation, batch, |state| state.events().after(after.as_deref(), max))?;
        read.map_err(|refusal| self.refuse(refusal, operation, batch))
    }

    async fn join(&self, batch: &str, group: &str) -> Result<bool> {
        self.change("join events of batch", batch, |state, _| Ok(state.events_mut().join(group)))
    }

    async fn next(
        &self,
        batch: &str,
        group: &str,
        _consumer: &str,
        max: usize,
    ) -> Result<Vec<BatchEvent>> {
        let operation = "take events of batch";
        BatchRefusal::unless_few(max, &self.contract, operation, batch)?;
        self.change(operation, batch, |state, now| {
            state.events_mut().next(group, max, now.as_millis())
        })
    }

    async fn acknowledge(&self, batch: &str, group: &str, ids: &[String]) -> Result<u64> {
        let operation = "acknowledge events of batch";
        BatchRefusal::unless_few(ids.len(), &self.contract, operation, batch)?;
        self.change(operation, batch, |state, _| state.events_mut().acknowledge(group, ids))
    }

    async fn take_over(
        &self,
        batch: &str,
        group: &str,
        _consumer: &str,
        idle: Duration,
        max: usize,
    ) -> Result<Vec<BatchEvent>> {
        let operation = "take over events of batch";
        BatchRefusal::unless_few(max, &self.contract, operation, batch)?;
        let idle = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        self.change(operation, batch, |state, now| {
            state.events_mut().take_over(group, idle, max, now.as_millis())
        })
    }
}
