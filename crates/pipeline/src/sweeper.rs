//! Looks after the batches that nobody looks after: missed completions, lost workers, old batches.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::{
    BatchProgress, BatchStatus, ClaimRequest, Clock, Database, Error, Expiry, LockAttempt, Outcome,
    Result, Settlement, SystemClock, Timestamp,
};
use serde::Serialize;

use crate::{BatchRecord, BatchRegistry};

/// The hash of the moments, in milliseconds since 1970, at which batches were first seen to be over.
const FINISHED: &str = "batches:finished";
/// The lock that lets one process of a fleet sweep at a time.
const LOCK: &str = "batches:sweeper";
/// For so long a sweeper has a document whose worker vanished, before it hands it back.
const LEASE: Duration = Duration::from_secs(10);

/// How long things are left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweeperOptions {
    /// How often the batches are gone through.
    pub every: Duration,
    /// How long a listed batch may be missing before it is taken off the list, and how old a finished one
    /// has to be before it may go for want of room.
    pub grace: Duration,
    /// How long batches are kept once they are completed or cancelled.
    pub retention: Duration,
    /// The most bytes of finished batches: beyond, the oldest go.
    pub finished_bytes: Option<u64>,
}

impl Default for SweeperOptions {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(10),
            grace: Duration::from_secs(600),
            retention: Duration::from_secs(7 * 86_400),
            finished_bytes: None,
        }
    }
}

impl SweeperOptions {
    /// Keeping finished batches for so long.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// Keeping so many bytes of finished batches.
    #[must_use]
    pub fn finished_bytes(mut self, bytes: u64) -> Self {
        self.finished_bytes = Some(bytes);
        self
    }
}

/// Who has to know that a batch goes, before it does: a ledger, for example.
#[async_trait]
pub trait RemovalWitness: fmt::Debug + Send + Sync + 'static {
    /// Says that a batch is about to be removed. An error keeps it.
    async fn before_removal(&self, batch: &BatchRecord) -> Result<()>;
}

/// What a round did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Swept {
    /// Batches whose missed completion was made due.
    pub completions: Vec<String>,
    /// Batches of which ended leases were taken up.
    pub taken_up: Vec<String>,
    /// Batches that were listed and are not there: taken off the list.
    pub forgotten: Vec<String>,
    /// Finished batches that were removed.
    pub removed: Vec<String>,
    /// Batches that could not be looked after, with the error in words.
    pub failed: BTreeMap<String, String>,
}

/// Looks after the batches of a database. Any number may do so at once.
#[derive(Debug)]
pub struct Sweeper {
    batch: Database,
    registry: BatchRegistry,
    clock: Arc<dyn Clock>,
    options: SweeperOptions,
    witness: Option<Arc<dyn RemovalWitness>>,
    /// Since when listed batches are missing.
    missing: Mutex<BTreeMap<String, Timestamp>>,
}

/// A batch that is over and could go.
struct Finished {
    record: BatchRecord,
    since: Timestamp,
    bytes: u64,
}

impl Sweeper {
    /// Of the batches in `batch`.
    #[must_use]
    pub fn new(batch: Database, options: SweeperOptions) -> Self {
        let registry = BatchRegistry::new(batch.clone());
        let clock = Arc::new(SystemClock);
        Self { batch, registry, clock, options, witness: None, missing: Mutex::default() }
    }

    /// By another clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Telling this one before a batch goes.
    #[must_use]
    pub fn witness(mut self, witness: Arc<dyn RemovalWitness>) -> Self {
        self.witness = Some(witness);
        self
    }

    /// Goes through the batches now and then, until `stop` is ready; of a fleet one does so at a time.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        let mut stop = pin!(stop);
        loop {
            let round = async {
                let owner = format!("process {}", std::process::id());
                // Not freed: for as long nobody else sweeps either.
                let attempt = self.batch.lock().try_acquire(LOCK, &owner, self.options.every);
                match attempt.await? {
                    LockAttempt::Acquired(_) => self.sweep_once().await.map(drop),
                    LockAttempt::Held(_) => Ok(()),
                }
            };
            let swept: Result<()> = tokio::select! {
                biased;
                () = &mut stop => return,
                swept = round => swept,
            };
            if let Err(error) = swept {
                tracing::debug!(%error, "the batches could not be gone through");
            }
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = self.clock.sleep(self.options.every) => {}
            }
        }
    }

    /// Goes through the batches once. One that cannot be looked after keeps no other.
    ///
    /// # Errors
    /// The store's, if it cannot say which batches there are.
    pub async fn sweep_once(&self) -> Result<Swept> {
        let (mut swept, mut finished) = (Swept::default(), Vec::new());
        let known = self.batch.hash().get_all(FINISHED).await?;
        for record in self.registry.list().await? {
            let since = known.get(&record.name);
            if let Err(error) = self.look_after(&record, since, &mut swept, &mut finished).await {
                note_failure(&mut swept, &record, &error);
            }
        }
        // The oldest first.
        finished.sort_by_key(|one| one.since);
        let now = self.clock.now();
        let mut bytes: u64 = finished.iter().map(|one| one.bytes).sum();
        for one in finished {
            let age = now.since(one.since);
            let is_too_much = self.options.finished_bytes.is_some_and(|most| bytes > most);
            let may_go =
                age >= self.options.retention || (is_too_much && age >= self.options.grace);
            if !may_go {
                continue;
            }
            match self.remove(&one.record).await {
                Ok(true) => {
                    bytes -= one.bytes;
                    swept.removed.push(one.record.name);
                }
                Ok(false) => {}
                Err(error) => note_failure(&mut swept, &one.record, &error),
            }
        }
        Ok(swept)
    }

    async fn look_after(
        &self,
        record: &BatchRecord,
        over_since: Option<&Bytes>,
        swept: &mut Swept,
        finished: &mut Vec<Finished>,
    ) -> Result<()> {
        let name = &record.name;
        let Some(progress) = self.batch.batch().progress(name).await? else {
            if self.is_gone(name) && self.registry.remove(name).await? {
                tracing::warn!(batch = name, "a batch is listed and not there: taken off the list");
                self.forget(name).await?;
                swept.forgotten.push(name.clone());
            }
            return Ok(());
        };
        self.lock_missing().remove(name);
        if matches!(progress.status, BatchStatus::Completed | BatchStatus::Cancelled) {
            let since = self.finished_since(name, over_since).await?;
            if progress.stages.iter().all(|stage| stage.claimed == 0) {
                let bytes = bytes_of(&progress);
                finished.push(Finished { record: record.clone(), since, bytes });
            }
            return Ok(());
        }
        if over_since.is_some() {
            // Something of it is tried again: it will be over anew.
            self.forget(name).await?;
        }
        if progress.status == BatchStatus::Sealed && progress.is_settled() {
            let audit = self.batch.batch_upkeep().audit(name).await?;
            if audit.completion_missed && self.batch.batch_upkeep().repair(name, &audit).await? {
                tracing::warn!(batch = name, "a completion was missed, and is due now");
                swept.completions.push(name.clone());
            }
            return Ok(());
        }
        if self.take_up(name, &progress).await? {
            swept.taken_up.push(name.clone());
        }
        Ok(())
    }

    /// Takes up ended leases of stages of which everything is somebody's: who claims does so too, but perhaps
    /// nobody is left who claims of them.
    async fn take_up(&self, name: &str, progress: &BatchProgress) -> Result<bool> {
        let mut any = false;
        for (at, stage) in progress.stages.iter().enumerate() {
            if stage.claimed == 0 || stage.ready > 0 {
                continue;
            }
            let request = ClaimRequest::new(at, 1, LEASE);
            let Some(claim) = self.batch.batch().claim(name, request).await? else { continue };
            let back = claim.documents.iter().map(|one| (one.ordinal, Outcome::HandedBack));
            let settlement = Settlement::new(at, claim.token, back.collect());
            self.batch.batch().settle(name, settlement).await?;
            any = true;
        }
        Ok(any)
    }

    /// Removes a batch that is over; `false` if something of it is still to be written elsewhere.
    async fn remove(&self, record: &BatchRecord) -> Result<bool> {
        let name = &record.name;
        if self.batch.batch_upkeep().outbox_len(name).await? > 0 {
            return Ok(false);
        }
        if let Some(witness) = &self.witness {
            witness.before_removal(record).await?;
        }
        self.batch.batch().remove(name).await?;
        self.registry.remove(name).await?;
        self.forget(name).await?;
        tracing::info!(batch = name, "a finished batch was removed");
        Ok(true)
    }

    /// Since when a batch is known to be over; noted where nobody did yet.
    async fn finished_since(&self, name: &str, known: Option<&Bytes>) -> Result<Timestamp> {
        let millis = known.and_then(|bytes| std::str::from_utf8(bytes).ok()?.parse().ok());
        if let Some(millis) = millis {
            return Ok(Timestamp::from_millis(millis));
        }
        let now = self.clock.now();
        let fields = vec![(name.to_owned(), Bytes::from(now.as_millis().to_string()))];
        self.batch.hash().set_fields(FINISHED, fields, Expiry::Never).await?;
        Ok(now)
    }

    async fn forget(&self, name: &str) -> Result<()> {
        self.lock_missing().remove(name);
        self.batch.hash().delete_fields(FINISHED, &[name.to_owned()]).await.map(drop)
    }

    /// Whether a batch is missing for long enough; begins to count where it is not counted yet.
    fn is_gone(&self, name: &str) -> bool {
        let now = self.clock.now();
        let since = *self.lock_missing().entry(name.to_owned()).or_insert(now);
        now.since(since) >= self.options.grace
    }

    fn lock_missing(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Timestamp>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note_failure(swept: &mut Swept, record: &BatchRecord, error: &Error) {
    tracing::warn!(batch = record.name, %error, "a batch could not be looked after");
    swept.failed.insert(record.name.clone(), error.to_string());
}

/// What a batch takes, about: its entries, and two bits for each document and stage.
fn bytes_of(progress: &BatchProgress) -> u64 {
    let bits = progress.total.saturating_mul(progress.stages.len() as u64 * 2);
    progress.bytes + bits / 8
}
