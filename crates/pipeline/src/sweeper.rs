//! Repairs batches after missed completions and dead workers, and removes old batches.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{
    BatchProgress, BatchStatus, BatchStore, ClaimRequest, Clock, Database, Error, ErrorKind,
    FencingToken, LockAttempt, MonotonicInstant, Result, SystemClock,
};
use serde::Serialize;

use crate::hand_back::HandBack;
use crate::{BatchRecord, BatchRegistry};

/// The lock that lets one process of a fleet sweep at a time.
const LOCK: &str = "compartment:batches:sweeper";
/// The lease of a document that the sweeper claims from a dead worker and hands back.
const LEASE: Duration = Duration::from_secs(10);

/// Intervals and limits of a sweeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweeperOptions {
    /// The time between two rounds.
    pub every: Duration,
    /// How long a listed batch may be missing before it is taken off the list, and the minimum age of a finished
    /// batch before it is removed to save space.
    pub grace: Duration,
    /// How long finished batches are kept, from the end of their completion or from their cancellation, by the
    /// server's clock.
    pub retention: Duration,
    /// The maximum total size of finished batches, in bytes. Above it, the oldest are removed.
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
    /// Checks the options.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for an `every` below a millisecond or above a day.
    pub fn check(&self) -> Result<()> {
        const DAY: Duration = Duration::from_secs(86_400);
        if (Duration::from_millis(1)..=DAY).contains(&self.every) {
            return Ok(());
        }
        let what = format!("a sweep every {:?} is not possible: use 1ms to a day", self.every);
        Err(Error::new(ErrorKind::InvalidArgument, "sweep batches", what))
    }

    /// Sets how long finished batches are kept.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// Sets how many bytes of finished batches are kept.
    #[must_use]
    pub fn finished_bytes(mut self, bytes: u64) -> Self {
        self.finished_bytes = Some(bytes);
        self
    }
}

/// Is notified before a batch is removed; for example, a ledger.
#[async_trait]
pub trait RemovalWitness: fmt::Debug + Send + Sync + 'static {
    /// Called before a batch is removed. An error prevents the removal.
    async fn before_removal(&self, batch: &BatchRecord) -> Result<()>;

    /// Called if the batch was not removed after all, because its documents are being retried. Does nothing by
    /// default.
    async fn not_removed(&self, batch: &BatchRecord) -> Result<()> {
        let _ = batch;
        Ok(())
    }
}

/// The result of a round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Swept {
    /// Batches whose missed completion was made due.
    pub completions: Vec<String>,
    /// Batches whose expired leases were reclaimed.
    pub taken_up: Vec<String>,
    /// Listed batches that do not exist; they were taken off the list.
    pub forgotten: Vec<String>,
    /// Finished batches that were removed.
    pub removed: Vec<String>,
    /// Batches that could not be checked, each with its error.
    pub failed: BTreeMap<String, String>,
}

/// Repairs and removes batches of a database. Any number of sweepers may run at once.
///
/// # Example
/// ```
/// use compartment_core::Database;
/// use compartment_pipeline::{Sweeper, SweeperOptions};
///
/// /// Removes batches a day after they were completed, for as long as the program runs.
/// async fn look_after(batch: &Database) {
///     let day = std::time::Duration::from_secs(86_400);
///     let sweeper = Sweeper::new(batch.clone(), SweeperOptions::default().retention(day));
///     sweeper.run(std::future::pending()).await;
/// }
/// ```
#[derive(Debug)]
pub struct Sweeper {
    batch: Database,
    registry: BatchRegistry,
    clock: Arc<dyn Clock>,
    options: SweeperOptions,
    witness: Option<Arc<dyn RemovalWitness>>,
    /// Listed batches that are missing, and since when.
    missing: Mutex<BTreeMap<String, MonotonicInstant>>,
}

/// A finished batch that may be removed.
struct Finished {
    record: BatchRecord,
    born: FencingToken,
    /// The time since it ended.
    age: Duration,
    bytes: u64,
}

impl Sweeper {
    /// A sweeper of the batches in `batch`.
    #[must_use]
    pub fn new(batch: Database, options: SweeperOptions) -> Self {
        let registry = BatchRegistry::new(batch.clone());
        let clock = Arc::new(SystemClock);
        Self { batch, registry, clock, options, witness: None, missing: Mutex::default() }
    }

    /// Sets the clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the witness that is notified before a batch is removed.
    #[must_use]
    pub fn witness(mut self, witness: Arc<dyn RemovalWitness>) -> Self {
        self.witness = Some(witness);
        self
    }

    /// Sweeps repeatedly until `stop` is ready; one process of a fleet at a time. Invalid options
    /// ([`SweeperOptions::check`]) end it at once and are logged.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        let mut stop = pin!(stop);
        if let Err(error) = self.options.check() {
            tracing::error!(%error, "no batch is swept");
            return;
        }
        loop {
            let round = async {
                let owner = format!("process {}", std::process::id());
                // The lock is not released: no other process sweeps until it expires.
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

    /// Checks every batch once. An error of one batch does not affect the others.
    ///
    /// # Errors
    /// The store's, if the batches cannot be listed.
    pub async fn sweep_once(&self) -> Result<Swept> {
        let (mut swept, mut finished) = (Swept::default(), Vec::new());
        for record in self.registry.list().await? {
            if let Err(error) = self.look_after(&record, &mut swept, &mut finished).await {
                note_failure(&mut swept, &record, &error);
            }
        }
        // The oldest first.
        finished.sort_by_key(|one| std::cmp::Reverse(one.age));
        let mut bytes: u64 = finished.iter().map(|one| one.bytes).sum();
        for one in finished {
            let age = one.age;
            let is_too_much = self.options.finished_bytes.is_some_and(|max| bytes > max);
            let may_go =
                age >= self.options.retention || (is_too_much && age >= self.options.grace);
            if !may_go {
                continue;
            }
            match self.remove(&one).await {
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
        swept: &mut Swept,
        finished: &mut Vec<Finished>,
    ) -> Result<()> {
        let name = &record.name;
        let Some(progress) = self.batch.batch().progress(name).await? else {
            if self.is_gone(name) && self.registry.remove_this(record).await? {
                tracing::warn!(
                    batch = name,
                    "a listed batch does not exist: removed from the list"
                );
                self.lock_missing().remove(name);
                swept.forgotten.push(name.clone());
            }
            return Ok(());
        };
        self.lock_missing().remove(name);
        let own = self.batch.batch().born_as(progress.born);
        if matches!(progress.status, BatchStatus::Completed | BatchStatus::Cancelled) {
            match progress.ended {
                // Its completion has not run yet.
                _ if progress.is_completing => {}
                Some(age) => {
                    let (record, born, bytes) =
                        (record.clone(), progress.born, bytes_of(&progress));
                    finished.push(Finished { record, born, age, bytes });
                }
                // It ended before batches recorded their end: this records it now.
                None => drop(own.seal(name).await?),
            }
            return Ok(());
        }
        if progress.status == BatchStatus::Sealed && progress.is_settled() {
            let upkeep = self.batch.batch_upkeep().born_as(progress.born);
            let audit = upkeep.audit(name).await?;
            if audit.completion_missed && upkeep.repair(name, &audit).await? {
                tracing::warn!(batch = name, "a completion was missed, and is due now");
                swept.completions.push(name.clone());
            }
            return Ok(());
        }
        if self.take_up(&own, name, &progress).await? {
            swept.taken_up.push(name.clone());
        }
        Ok(())
    }

    /// Reclaims expired leases in stages without ready documents. A claim does this too, but there may be no worker
    /// left that claims from these stages.
    async fn take_up(
        &self,
        store: &Arc<dyn BatchStore>,
        name: &str,
        progress: &BatchProgress,
    ) -> Result<bool> {
        let mut any = false;
        for (at, stage) in progress.stages.iter().enumerate() {
            if stage.claimed == 0 || stage.ready > 0 {
                continue;
            }
            let request = ClaimRequest::new(at, 1, LEASE);
            let Some(claim) = store.claim(name, request).await? else { continue };
            let (late, batch) = (Arc::clone(store), name.to_owned());
            let hand_back = HandBack::on_drop(&self.batch, LEASE, async move {
                let _ = late.release(&batch, claim.token).await;
            });
            store.release(name, claim.token).await?;
            hand_back.settled();
            any = true;
        }
        Ok(any)
    }

    /// Removes a finished batch; `false` if its outbox is not empty, or its documents are being retried.
    async fn remove(&self, finished: &Finished) -> Result<bool> {
        let (record, name) = (&finished.record, &finished.record.name);
        let upkeep = self.batch.batch_upkeep().born_as(finished.born);
        if upkeep.outbox_len(name).await? > 0 {
            return Ok(false);
        }
        if let Some(witness) = &self.witness {
            witness.before_removal(record).await?;
        }
        if !upkeep.remove_ended(name).await? {
            if let Some(witness) = &self.witness {
                witness.not_removed(record).await?;
            }
            return Ok(false);
        }
        self.registry.remove_this(record).await?;
        tracing::info!(batch = name, "a finished batch was removed");
        Ok(true)
    }

    /// Whether a batch has been missing for the grace period; starts the period on the first call.
    fn is_gone(&self, name: &str) -> bool {
        let now = self.clock.monotonic();
        let since = *self.lock_missing().entry(name.to_owned()).or_insert(now);
        now.since(since) >= self.options.grace
    }

    fn lock_missing(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, MonotonicInstant>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note_failure(swept: &mut Swept, record: &BatchRecord, error: &Error) {
    tracing::warn!(batch = record.name, %error, "a batch could not be looked after");
    swept.failed.insert(record.name.clone(), error.to_string());
}

/// The approximate size of a batch: its entries, and two bits for each document and stage.
fn bytes_of(progress: &BatchProgress) -> u64 {
    let bits = progress.total.saturating_mul(progress.stages.len() as u64 * 2);
    progress.bytes + bits / 8
}
