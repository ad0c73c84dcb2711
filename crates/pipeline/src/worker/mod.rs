//! A worker: runs the stages of its pipelines for documents of batches and for single tasks.

mod held;
mod lane;
mod look;
mod options;
mod outcomes;
mod overlap;
mod registration;
mod shared;
mod sources;
mod suspects;
mod tasks;
mod turns;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use compartment_core::{Database, Error, ErrorKind, Result, Timestamp};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::task::JoinSet;

pub use options::{Ended, WorkerOptions};
pub use registration::{Running, WorkerState, workers};

use self::shared::{Phase, Shared};
use self::sources::Source;
use crate::{Engine, Patience, ProcessMemory};

/// The work of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerReport {
    /// Why it ended.
    pub ended: Ended,
    /// Stages of documents it finished.
    pub done: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Documents it handed back.
    pub handed_back: u64,
}

/// A worker over the batches and queues of one database.
///
/// Documents are claimed for a lease, which is renewed during the work, and settled when they are done. When a worker
/// is killed, its leases expire and other workers repeat its documents.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use compartment_core::{Databases, Result};
/// use compartment_pipeline::{Engine, Patience, Pipeline, Worker, WorkerOptions};
///
/// /// Works on the batch `papers` until it needs nothing any more, or `stop` ends.
/// async fn work(
///     databases: &Databases,
///     pipeline: Pipeline,
///     stop: impl Future<Output = ()>,
/// ) -> Result<u64> {
///     let engine = Engine::open(pipeline, databases).await?;
///     let options = WorkerOptions::default().until_finished("papers");
///     let patience = Patience::waiting(Duration::from_secs(60));
///     let worker = Worker::new(databases.get("batch")?, vec![engine], options, patience);
///     Ok(worker.run(stop).await?.done)
/// }
/// ```
pub struct Worker {
    shared: Arc<Shared>,
    started_at: Timestamp,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

/// How often the list of batches is read.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often the memory is measured.
const WATCH_EVERY: Duration = Duration::from_millis(100);

impl Worker {
    /// A worker for the pipelines of `engines`, over the batches and queues in `batch`. Reports to an
    /// unavailable server wait with `patience`.
    #[must_use]
    pub fn new(
        batch: &Database,
        engines: Vec<Engine>,
        options: WorkerOptions,
        patience: Patience,
    ) -> Self {
        let clock = Arc::clone(patience.clock());
        let by_name =
            engines.into_iter().map(|engine| (engine.pipeline().name().to_owned(), engine));
        let engines: HashMap<String, Engine> = by_name.collect();
        let started_at = clock.now();
        let shared = Shared::new(options, batch.clone(), clock, patience, engines);
        let mut queues = Vec::new();
        if shared.options.batches.is_none() {
            for engine in shared.engines.values() {
                let indexes = engine.pipeline().stages().enumerate();
                for (index, _) in indexes.filter(|(_, stage)| shared.serves(stage)) {
                    let Some(name) = engine.pipeline().queue_of(index) else { continue };
                    queues.push(Source::Queue { name: name.into(), engine: engine.clone(), index });
                }
            }
        }
        shared.sources().set_queues(queues);
        Self { shared: Arc::new(shared), started_at }
    }

    /// The worker's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.shared.options.id
    }

    /// Works until `stop` is ready, then stops gracefully: work in progress is finished within
    /// [`WorkerOptions::drain`], and the rest is handed back.
    ///
    /// # Cancellation
    /// If the future is dropped, it hands back its claims and reports finished work in the background
    /// ([`Database::unfinished`]). Work on a thread cannot be cancelled.
    ///
    /// # Errors
    /// An unavailable store is not an error: requests are repeated. Permanent errors at the start, for example a
    /// wrong password; [`ErrorKind::InvalidArgument`] for invalid options; [`ErrorKind::Unknown`] if a batch that the
    /// worker is to finish was never submitted, or was removed before it was finished.
    pub async fn run(&self, stop: impl Future<Output = ()>) -> Result<WorkerReport> {
        let shared = self.shared.as_ref();
        shared.options.check()?;
        if let (Some(limit), Some(now)) = (shared.options.memory_limit, ProcessMemory::now())
            && now.resident > limit / 2
        {
            let what = format!(
                "the memory limit of {limit} bytes is too low: the worker uses {} before its first \
                 document; allow at least twice as much",
                now.resident
            );
            return Err(Error::new(ErrorKind::Configuration, "start worker", what));
        }
        // Asks now, not after the first minute: a rejected program is reported at once.
        shared.patience.outlast(|| shared.batch.batch().progress("compartment:asked")).await?;
        let mut lanes = JoinSet::new();
        for _ in 0..shared.options.concurrency.max(1) {
            let shared = Arc::clone(&self.shared);
            lanes.spawn(async move { lane::lane(&shared).await });
        }
        let all = async { while lanes.join_next().await.is_some() {} };
        let beside = async {
            tokio::join!(
                shared.held.renew(&shared.batch, shared.options.lease, shared.clock.as_ref()),
                self.look(),
                self.register(),
                watch(shared),
                end(shared, stop),
            );
        };
        tokio::select! {
            () = all => {}
            () = beside => {}
        }
        let ids = [shared.options.id.clone()];
        if let Err(error) = registration::remove(&shared.batch, &ids).await {
            tracing::warn!(%error, "the worker could not sign off");
        }
        let figures = &shared.figures;
        let ended = match *shared.phase.borrow() {
            Phase::Draining(ended) | Phase::Ending(ended) => ended,
            Phase::Working => Ended::Stopped,
        };
        if ended == Ended::Missing {
            let sources = shared.sources();
            let name = sources.missing().unwrap_or_default();
            let what = format!(
                "there is no batch {name:?} to finish: it was never submitted, or it has been removed"
            );
            let error = Error::new(ErrorKind::Unknown, "finish batch", what);
            return Err(error.in_database(shared.batch.name()).at_key(name));
        }
        Ok(WorkerReport {
            ended,
            done: figures.done.load(Ordering::Relaxed),
            failed: figures.failed.load(Ordering::Relaxed),
            handed_back: figures.handed_back.load(Ordering::Relaxed),
        })
    }

    /// Updates the list of batches, and runs completions concurrently, because one may take long.
    async fn look(&self) {
        let shared = self.shared.as_ref();
        let (mut completing, mut names) = (FuturesUnordered::new(), HashSet::new());
        loop {
            match look::look(shared).await {
                Ok(completions) => {
                    for view in completions {
                        let name = view.record.name.clone();
                        if names.insert(name.clone()) {
                            completing.push(async move {
                                if let Err(error) = outcomes::complete(shared, &view).await {
                                    tracing::warn!(%error, "a completion could not be done yet");
                                }
                                name
                            });
                        }
                    }
                    shared.work.notify_waiters();
                }
                Err(error) => tracing::warn!(%error, "the batches could not be read yet"),
            }
            let options = &shared.options;
            let wanted = options.batches.as_ref().filter(|_| options.until_finished);
            if wanted.is_some_and(|names| shared.sources().are_finished(names)) {
                shared.go_to(Phase::Draining(Ended::Finished));
            }
            if shared.sources().missing().is_some() {
                shared.go_to(Phase::Draining(Ended::Missing));
            }
            tokio::select! {
                () = shared.clock.sleep(LOOK_EVERY) => {}
                () = shared.look.notified() => {}
                Some(name) = completing.next() => {
                    names.remove(&name);
                }
            }
        }
    }

    async fn register(&self) {
        let shared = self.shared.as_ref();
        loop {
            if let Err(error) = registration::write(&shared.batch, &self.state()).await {
                tracing::warn!(%error, "the worker's state could not be written yet");
            }
            shared.clock.sleep(registration::HEARTBEAT).await;
        }
    }

    /// The worker's current state.
    #[must_use]
    pub fn state(&self) -> WorkerState {
        let shared = self.shared.as_ref();
        let mut serves = Vec::new();
        for engine in shared.engines.values() {
            for (stage, version) in engine.pipeline().versions() {
                if shared.serves(&stage) {
                    serves.push(format!("{}/{stage} {version}", engine.pipeline().name()));
                }
            }
        }
        serves.sort();
        WorkerState {
            id: shared.options.id.clone(),
            pid: std::process::id(),
            started_at: self.started_at,
            seen_at: shared.clock.now(),
            serves,
            concurrency: shared.options.concurrency,
            running: shared.figures.running(),
            done: shared.figures.done.load(Ordering::Relaxed),
            failed: shared.figures.failed.load(Ordering::Relaxed),
            memory: ProcessMemory::now().map(|memory| memory.resident),
            is_ending: !shared.is_working(),
        }
    }
}

/// Ends the worker when its memory exceeds the limit, or when too many timed-out attempts still run.
async fn watch(shared: &Shared) {
    loop {
        tokio::time::sleep(WATCH_EVERY).await;
        let limit = shared.options.memory_limit;
        if limit.is_some_and(|limit| ProcessMemory::now().is_some_and(|now| now.resident > limit)) {
            // The work in progress may be what fills the memory, so it is not waited for.
            shared.go_to(Phase::Draining(Ended::Memory));
            shared.go_to(Phase::Ending(Ended::Memory));
        }
        let overdue: usize = shared.engines.values().map(Engine::overdue).sum();
        if overdue >= shared.options.concurrency.max(1) {
            shared.go_to(Phase::Draining(Ended::Overdue));
        }
    }
}

/// Starts draining when `stop` is ready, and ends unfinished work after the drain time.
async fn end(shared: &Shared, stop: impl Future<Output = ()>) {
    tokio::select! {
        () = stop => shared.go_to(Phase::Draining(Ended::Stopped)),
        () = shared.not_working() => {}
    }
    let phase = *shared.phase.borrow();
    let Phase::Draining(ended) = phase else { return std::future::pending().await };
    shared.clock.sleep(shared.options.drain).await;
    shared.go_to(Phase::Ending(ended));
    std::future::pending().await
}
