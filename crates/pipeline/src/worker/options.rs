//! Options of a worker, and the reasons why it ends.

use std::time::Duration;

use compartment_core::backend::random;
use compartment_core::backend::{MAX_NAME, is_name};
use compartment_core::{Error, ErrorKind, MAX_AT_ONCE, MAX_TTL, Result};
use tokio::sync::Semaphore;

/// The shortest lease: a lease is renewed each third of it, and must outlast a slow answer.
const SHORTEST_LEASE: Duration = Duration::from_millis(100);

/// Options of a worker.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerOptions {
    /// The unique name of the worker; by default host, process and a number.
    pub id: String,
    /// The stages it serves; by default all.
    pub stages: Option<Vec<String>>,
    /// The batches it serves, without single tasks; by default all batches and tasks.
    pub batches: Option<Vec<String>>,
    /// Whether it exits once its batches are finished.
    pub until_finished: bool,
    /// The number of documents it processes at the same time; by default the number of CPUs. Where a stage takes less
    /// than the round trips for its stored result, the lookups and writes of more documents overlap: up to 256 are in
    /// progress, and at most this number is computed.
    pub concurrency: usize,
    /// The maximum number of documents in one claim, 1 to [`MAX_AT_ONCE`]. A claim takes as many as are processed in
    /// about 200 ms.
    pub max_at_once: usize,
    /// If it does not renew its leases for this long, others take over its documents.
    pub lease: Duration,
    /// How long running work may take once the worker is stopped; unfinished work is then handed back.
    pub drain: Duration,
    /// Whether the outcomes of single tasks are kept for a ledger. For batches, see [`crate::BatchOptions::outbox`].
    pub keep_task_rows: bool,
    /// Memory limit in bytes; above it the worker exits so that it can be restarted. At least twice its
    /// memory at the start.
    pub memory_limit: Option<u64>,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = if host.trim().is_empty() { "worker" } else { host.trim() };
        let unique = random() % 100_000;
        Self {
            id: format!("{host}-{}-{unique}", std::process::id()),
            stages: None,
            batches: None,
            until_finished: false,
            concurrency: std::thread::available_parallelism().map_or(2, usize::from),
            max_at_once: MAX_AT_ONCE,
            lease: Duration::from_secs(30),
            drain: Duration::from_secs(20),
            keep_task_rows: false,
            memory_limit: None,
        }
    }
}

impl WorkerOptions {
    /// Serves only this batch, and exits once it is finished.
    #[must_use]
    pub fn until_finished(mut self, batch: impl Into<String>) -> Self {
        self.batches.get_or_insert_default().push(batch.into());
        self.until_finished = true;
        self
    }

    /// Sets the number of documents processed at the same time.
    #[must_use]
    pub fn concurrency(mut self, documents: usize) -> Self {
        self.concurrency = documents.max(1);
        self
    }

    /// Sets the worker's name, which must be unique in the fleet.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Serves only these stages.
    #[must_use]
    pub fn stages(mut self, stages: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.stages = Some(stages.into_iter().map(Into::into).collect());
        self
    }

    /// Serves only these batches, and no single tasks.
    #[must_use]
    pub fn batches(mut self, batches: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.batches = Some(batches.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the maximum number of documents of one claim.
    #[must_use]
    pub fn max_at_once(mut self, documents: usize) -> Self {
        self.max_at_once = documents;
        self
    }

    /// Sets how long a claim lasts unless it is renewed.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how long running work may take once the worker is stopped.
    #[must_use]
    pub fn drain(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }

    /// Sets whether the outcomes of single tasks are kept for a ledger.
    #[must_use]
    pub fn keep_task_rows(mut self, keep: bool) -> Self {
        self.keep_task_rows = keep;
        self
    }

    /// Sets the memory limit in bytes.
    #[must_use]
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// Checks the options.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`], with the allowed bounds.
    pub fn check(&self) -> Result<()> {
        let wrong =
            |what: String| Err(Error::new(ErrorKind::InvalidArgument, "start worker", what));
        if !is_name(&self.id) {
            return wrong(format!(
                "the id of a worker must have 1 to {MAX_NAME} bytes without control characters"
            ));
        }
        if self.concurrency == 0 || self.concurrency > Semaphore::MAX_PERMITS {
            return wrong("the concurrency of a worker must be at least 1".to_owned());
        }
        if self.max_at_once == 0 || self.max_at_once > MAX_AT_ONCE {
            return wrong(format!("a claim must ask for 1 to {MAX_AT_ONCE} documents"));
        }
        if self.lease < SHORTEST_LEASE || self.lease > MAX_TTL {
            return wrong(format!(
                "a lease of {:?} is not allowed: use at least {SHORTEST_LEASE:?}, as it is renewed every \
                 third, and at most a hundred years",
                self.lease
            ));
        }
        if self.until_finished && self.batches.as_ref().is_none_or(Vec::is_empty) {
            return wrong(
                "a worker that exits with its batches needs the names of these batches".to_owned(),
            );
        }
        Ok(())
    }
}

/// Why a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Ended {
    /// It was stopped.
    Stopped,
    /// Its batches are finished.
    Finished,
    /// Its memory exceeded the limit: restart it.
    Memory,
    /// As many timed-out attempts still run as its concurrency allows: restart it.
    Overdue,
    /// A batch that it was to finish does not exist: it was never submitted, or it was removed.
    Missing,
}
