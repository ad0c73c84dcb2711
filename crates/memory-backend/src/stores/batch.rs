//! Batches in memory: one value for each batch, changed under its key's lock.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::backend::BatchRefusal;
use compartment_core::{
    BatchClaim, BatchPlan, BatchProgress, BatchStatus, BatchStore, ClaimRequest, Error,
    FailureStream, FencingToken, MAX_AT_ONCE, Result, Settled, Settlement, Timestamp,
};
use futures_util::StreamExt;

use crate::backend::MemoryStores;
use crate::error::Refusal;
use crate::stores::batch_state::Batch;
use crate::stores::keyspace::Change;
use crate::stores::value::{Entry, Shared, Value};

/// The key of a batch.
fn key_of(batch: &str) -> String {
    format!("{{batch:{batch}}}")
}

fn batch_of(entry: Option<&Entry>) -> Result<Shared<Batch>, Refusal> {
    match entry.map(|entry| &entry.value) {
        Some(Value::Batch(batch)) => Ok(batch.clone()),
        Some(_) => Err(Refusal::Batch(BatchRefusal::OtherType)),
        None => Err(Refusal::Batch(BatchRefusal::Missing)),
    }
}

impl MemoryStores {
    /// The batch of an entry, if this store may see it.
    fn own_batch_of(&self, entry: Option<&Entry>) -> Result<Shared<Batch>, Refusal> {
        let batch = batch_of(entry)?;
        let is_own = self.born.is_none_or(|born| batch.lock().born() == born);
        if is_own { Ok(batch) } else { Err(Refusal::Batch(BatchRefusal::Missing)) }
    }

    /// Changes a batch while no other caller does.
    pub(crate) fn change<T>(
        &self,
        operation: &'static str,
        batch: &str,
        change: impl FnOnce(&mut Batch, Timestamp) -> Result<T, BatchRefusal>,
    ) -> Result<T> {
        self.traffic.wrote(1);
        let done = self.keyspace.update(&self.name(&key_of(batch)), |old, now| {
            let held = self.own_batch_of(old.as_ref())?;
            let answer = change(&mut held.lock(), now).map_err(Refusal::Batch)?;
            // Stored again, so that its size is measured again.
            Ok((Change::Put(Value::Batch(held), None), answer))
        });
        done.map_err(self.refused(operation, batch))
    }

    /// Reads a batch; `None` if it does not exist.
    pub(crate) fn look_at<T>(
        &self,
        operation: &'static str,
        batch: &str,
        look: impl FnOnce(&Batch) -> T,
    ) -> Result<Option<T>> {
        match self.own_batch_of(self.read(&key_of(batch)).as_ref()) {
            Ok(held) => Ok(Some(look(&held.lock()))),
            Err(Refusal::Batch(BatchRefusal::Missing)) => Ok(None),
            Err(refusal) => Err(self.refused(operation, batch)(refusal)),
        }
    }

    pub(crate) fn refuse(
        &self,
        refusal: BatchRefusal,
        operation: &'static str,
        batch: &str,
    ) -> Error {
        refusal.error(&self.contract, operation, batch)
    }
}

impl MemoryStores {
    /// Removes a batch if `may_go` allows it: `None` if it does not exist, else whether it was removed.
    pub(crate) fn remove_if(
        &self,
        operation: &'static str,
        batch: &str,
        may_go: impl FnOnce(&Batch, Timestamp) -> bool,
    ) -> Result<Option<bool>> {
        self.traffic.wrote(1);
        let removed = self.keyspace.update(&self.name(&key_of(batch)), |old, now| {
            match self.own_batch_of(old.as_ref()) {
                Ok(held) if may_go(&held.lock(), now) => Ok((Change::Remove, Some(true))),
                Ok(_) => Ok((Change::Nothing, Some(false))),
                Err(Refusal::Batch(BatchRefusal::Missing)) => Ok((Change::Nothing, None)),
                Err(refusal) => Err(refusal),
            }
        });
        removed.map_err(self.refused(operation, batch))
    }

    fn add_documents(
        &self,
        batch: &str,
        first: Option<u32>,
        entries: Vec<Bytes>,
    ) -> Result<Option<u32>> {
        let operation = "submit to batch";
        BatchRefusal::unless_submittable(&entries, &self.contract, operation, batch)?;
        self.change(operation, batch, |state, _| {
            if !state.is_open() {
                return Err(BatchRefusal::Sealed);
            }
            if first.is_some_and(|first| first != state.total()) {
                return Ok(None);
            }
            if !state.has_room(&entries) {
                return Err(BatchRefusal::Full);
            }
            Ok(Some(state.add(entries)))
        })
    }
}

pub(crate) fn check_stage(batch: &Batch, stage: usize) -> Result<(), BatchRefusal> {
    if stage < batch.plan().stages.len() { Ok(()) } else { Err(BatchRefusal::NoStage) }
}

#[async_trait]
impl BatchStore for MemoryStores {
    fn born_as(&self, token: FencingToken) -> Arc<dyn BatchStore> {
        Arc::new(Self { born: Some(token.number()), ..self.clone() })
    }

    async fn create(&self, batch: &str, plan: &BatchPlan) -> Result<bool> {
        let operation = "create batch";
        BatchRefusal::unless_durable(&self.contract, operation, batch)?;
        BatchRefusal::unless_a_name(&self.contract, operation, batch)?;
        plan.check()
            .map_err(|error| error.in_database(self.contract.name.as_str()).at_key(batch))?;
        self.traffic.wrote(1);
        let made = self.keyspace.update(&self.name(&key_of(batch)), |old, now| {
            match batch_of(old.as_ref()) {
                Ok(_) => Ok((Change::Nothing, false)),
                Err(Refusal::Batch(BatchRefusal::Missing)) => {
                    let made = Shared::new(Batch::new(plan.clone(), now.as_micros()));
                    Ok((Change::Put(Value::Batch(made), None), true))
                }
                Err(refusal) => Err(refusal),
            }
        });
        made.map_err(self.refused(operation, batch))
    }

    async fn submit(&self, batch: &str, entries: Vec<Bytes>) -> Result<u32> {
        Ok(self.add_documents(batch, None, entries)?.unwrap_or_default())
    }

    async fn submit_at(&self, batch: &str, first: u32, entries: Vec<Bytes>) -> Result<bool> {
        Ok(self.add_documents(batch, Some(first), entries)?.is_some())
    }

    async fn seal(&self, batch: &str) -> Result<BatchStatus> {
        self.change("seal batch", batch, |state, now| Ok(state.seal(now.as_millis())))
    }

    async fn claim(&self, batch: &str, request: ClaimRequest) -> Result<Option<BatchClaim>> {
        let operation = "claim of batch";
        if request.max_documents == 0 || request.max_documents > MAX_AT_ONCE {
            return Err(self.refuse(BatchRefusal::TooMany, operation, batch));
        }
        let lease = self.contract.millis(operation, batch, request.lease)?;
        self.change(operation, batch, |state, now| {
            check_stage(state, request.stage)?;
            let claim = state.claim(&request, lease, now);
            Ok(claim.map(|(token, documents)| BatchClaim::new(token, documents)))
        })
    }

    async fn renew(&self, batch: &str, token: FencingToken, lease: Duration) -> Result<bool> {
        let operation = "renew claim of batch";
        let lease = self.contract.millis(operation, batch, lease)?;
        let renew = |state: &mut Batch, now: Timestamp| {
            Ok(state.renew(token.number(), lease, now.as_millis()))
        };
        self.change(operation, batch, renew)
    }

    async fn release(&self, batch: &str, token: FencingToken) -> Result<bool> {
        self.change("hand back claim of batch", batch, |state, now| {
            Ok(state.release(token.number(), now.as_millis()))
        })
    }

    async fn settle(&self, batch: &str, settlement: Settlement) -> Result<Settled> {
        let operation = "settle in batch";
        BatchRefusal::unless_settleable(&settlement.outcomes, &self.contract, operation, batch)?;
        self.change(operation, batch, |state, now| {
            check_stage(state, settlement.stage)?;
            if !state.gave(settlement.token.number()) {
                return Err(BatchRefusal::Former);
            }
            Ok(state.settle(settlement, now.as_millis()))
        })
    }

    async fn pause(&self, batch: &str, paused: bool) -> Result<()> {
        self.change("pause batch", batch, |state, _| {
            state.pause(paused);
            Ok(())
        })
    }

    async fn cancel(&self, batch: &str) -> Result<BatchStatus> {
        self.change("cancel batch", batch, |state, now| Ok(state.cancel(now.as_millis())))
    }

    async fn retry(&self, batch: &str, dead: Vec<(usize, u32)>) -> Result<u64> {
        let operation = "retry in batch";
        BatchRefusal::unless_few(dead.len(), &self.contract, operation, batch)?;
        self.change(operation, batch, |state, now| Ok(state.retry(dead, now.as_millis())))
    }

    async fn claim_completion(&self, batch: &str, lease: Duration) -> Result<Option<FencingToken>> {
        let operation = "claim completion of batch";
        let lease = self.contract.millis(operation, batch, lease)?;
        let token =
            self.change(operation, batch, |state, now| Ok(state.claim_completion(lease, now)))?;
        Ok(token.map(FencingToken::from_number))
    }

    async fn finish_completion(&self, batch: &str, token: FencingToken) -> Result<bool> {
        self.change("finish completion of batch", batch, |state, now| {
            Ok(state.finish_completion(token.number(), now.as_millis()))
        })
    }

    async fn progress(&self, batch: &str) -> Result<Option<BatchProgress>> {
        let now = self.keyspace.now();
        self.look_at("read batch", batch, |state| state.progress(now))
    }

    async fn plan(&self, batch: &str) -> Result<BatchPlan> {
        let operation = "read plan of batch";
        let plan = self.look_at(operation, batch, |state| state.plan().clone())?;
        plan.ok_or_else(|| self.refuse(BatchRefusal::Missing, operation, batch))
    }

    fn failures(&self, batch: &str) -> FailureStream {
        let operation = "read failures of batch";
        let failures = match self.look_at(operation, batch, Batch::failures) {
            Ok(failures) => failures.unwrap_or_default().into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        futures_util::stream::iter(failures).boxed()
    }

    async fn remove(&self, batch: &str) -> Result<bool> {
        let removed = self.remove_if("remove batch", batch, |_, _| true)?;
        Ok(removed.unwrap_or(false))
    }
}
