//! A worker: takes documents of batches and single tasks through the stages of its pipelines.

mod held;
mod lane;
mod memory;
mod outcomes;
mod registration;
mod shared;
mod sources;
mod tasks;
mod turns;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use compartment_core::{
    Clock, Database, Error, ErrorKind, MAX_AT_ONCE, MAX_QUEUE_NAME, MAX_TTL, Result, Timestamp,
};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use registration::{Running, WorkerState, workers};

use self::shared::{Phase, Shared};
use self::sources::Source;
use crate::{Engine, Patience};

/// How a worker works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerOptions {
    /// Names it among all workers; host, process and a number unless told.
    pub id: String,
    /// The stages it serves; all unless told.
    pub stages: Option<Vec<String>>,
    /// The batches it serves, and no single tasks; all unless told.
    pub batches: Option<Vec<String>>,
    /// Whether it ends once its batches need nothing any more.
    pub until_finished: bool,
    /// Documents it works on at the same time; the number of CPUs unless told.
    pub concurrency: usize,
    /// The most documents of one claim, 1 to [`MAX_AT_ONCE`]. A claim is of as many as take a fifth of a
    /// second together.
    pub most_at_once: usize,
    /// After so long without a sign of it others take its documents.
    pub lease: Duration,
    /// How long what was begun may take once it is told to end; what is not done then is handed back.
    pub drain: Duration,
    /// Whether what becomes of single tasks is kept for a ledger. Batches have an outbox of their own or
    /// none ([`crate::BatchOptions::outbox`]).
    pub keep_task_rows: bool,
    /// Ends, to be started anew, when its memory passes this, in bytes. At least twice of what it has when
    /// it starts.
    pub memory_limit: Option<u64>,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = if host.trim().is_empty() { "worker" } else { host.trim() };
        let unique = compartment_core::SystemClock.now().as_millis() % 100_000;
        Self {
            id: format!("{host}-{}-{unique}", std::process::id()),
            stages: None,
            batches: None,
            until_finished: false,
            concurrency: std::thread::available_parallelism().map_or(2, usize::from),
            most_at_once: MAX_AT_ONCE,
            lease: Duration::from_secs(30),
            drain: Duration::from_secs(20),
            keep_task_rows: false,
            memory_limit: None,
        }
    }
}

impl WorkerOptions {
    /// Serving this batch, and no others, until it needs nothing any more.
    #[must_use]
    pub fn until_finished(mut self, batch: impl Into<String>) -> Self {
        self.batches.get_or_insert_default().push(batch.into());
        self.until_finished = true;
        self
    }

    /// With so many documents at the same time.
    #[must_use]
    pub fn concurrency(mut self, documents: usize) -> Self {
        self.concurrency = documents.max(1);
        self
    }

    /// Says what is wrong with the options, if anything is.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`], with the bounds.
    pub fn check(&self) -> Result<()> {
        let wrong =
            |what: String| Err(Error::new(ErrorKind::InvalidArgument, "start worker", what));
        if self.id.is_empty() || self.id.len() > MAX_QUEUE_NAME {
            return wrong(format!("a worker's id has 1 to {MAX_QUEUE_NAME} bytes"));
        }
        if self.concurrency == 0 || self.concurrency > Semaphore::MAX_PERMITS {
            return wrong("a worker works on at least 1 document at a time".to_owned());
        }
        if self.most_at_once == 0 || self.most_at_once > MAX_AT_ONCE {
            return wrong(format!("a claim is of 1 to {MAX_AT_ONCE} documents"));
        }
        if self.lease < SHORTEST_LEASE || self.lease > MAX_TTL {
            return wrong(format!(
                "a lease of {:?} is refused: give at least {SHORTEST_LEASE:?}, as it is renewed each \
                 third, and at most a hundred years",
                self.lease
            ));
        }
        if self.until_finished && self.batches.as_ref().is_none_or(Vec::is_empty) {
            return wrong("a worker that ends with its batches needs to be told which".to_owned());
        }
        Ok(())
    }
}

/// Why a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Ended {
    /// It was told to.
    Stopped,
    /// Its batches need nothing any more.
    Finished,
    /// Its memory passed the limit: it should be started anew.
    Memory,
    /// More attempts than it has places were given up and still run: it should be started anew.
    Overdue,
    /// A batch that it is to finish is not there: it never was, or it was removed.
    Missing,
}

/// What a worker has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerReport {
    /// Why it ended.
    pub ended: Ended,
    /// Stages of documents it is done with.
    pub done: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Documents it handed back.
    pub handed_back: u64,
}

/// A worker over the batches and queues of one database.
///
/// Documents are claimed for a lease that is renewed while they are worked on, and settled when they are
/// done. A worker that is killed loses its leases, and others do its documents again.
pub struct Worker {
    shared: Arc<Shared>,
    started_at: Timestamp,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

/// A lease that is renewed each third of it should outlast a slow answer.
const SHORTEST_LEASE: Duration = Duration::from_millis(100);
/// How often it is looked which batches there are.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often the memory is looked at.
const WATCH_EVERY: Duration = Duration::from_millis(100);

impl Worker {
    /// A worker for the pipelines of `engines`, over the batches and queues in `batch`. What it has to
    /// tell a server that is away waits with `patience`.
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
                let places = engine.pipeline().stages().enumerate();
                for (place, _) in places.filter(|(_, stage)| shared.serves(stage)) {
                    let Some(name) = engine.pipeline().queue_of(place) else { continue };
                    queues.push(Source::Queue { name: name.into(), engine: engine.clone(), place });
                }
            }
        }
        shared.sources().set_queues(queues);
        Self { shared: Arc::new(shared), started_at }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.shared.options.id
    }

    /// Works until `stop` is done, then ends in good order: what was begun is finished, up to
    /// [`WorkerOptions::drain`], and the rest handed back.
    ///
    /// # Cancellation
    /// Dropped, it hands back in the background what it has claimed, and tells what is done
    /// ([`Database::unfinished`]); what runs on a thread of its own cannot be ended.
    ///
    /// # Errors
    /// None while a store is away: it is asked again. Those that no waiting helps, as a wrong password,
    /// at the start; [`ErrorKind::InvalidArgument`] for options that cannot be; [`ErrorKind::Unknown`] where
    /// it is to finish a batch that never was, or that was removed before it was finished.
    pub async fn run(&self, stop: impl Future<Output = ()>) -> Result<WorkerReport> {
        let shared = self.shared.as_ref();
        shared.options.check()?;
        if let (Some(limit), Some(now)) = (shared.options.memory_limit, memory::resident())
            && now > limit / 2
        {
            let what = format!(
                "the memory limit of {limit} bytes is too low: before its first document the worker \
                 has {now}; allow at least twice as much"
            );
            return Err(Error::new(ErrorKind::Configuration, "start worker", what));
        }
        // Now, not after the first minute: what refuses the program is seen at once.
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

    /// Keeps the list of batches, and does completions beside it: one may take long.
    async fn look(&self) {
        let shared = self.shared.as_ref();
        let (mut completing, mut names) = (FuturesUnordered::new(), HashSet::new());
        loop {
            match sources::look(shared).await {
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

    /// How it is now.
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
            memory: memory::resident(),
            is_ending: !shared.is_working(),
        }
    }
}

/// Ends the worker when its memory, or what it has given up, is too much.
async fn watch(shared: &Shared) {
    loop {
        tokio::time::sleep(WATCH_EVERY).await;
        let limit = shared.options.memory_limit;
        if limit.is_some_and(|limit| memory::resident().is_some_and(|now| now > limit)) {
            // What fills the memory would go on doing so: it is not waited for.
            shared.go_to(Phase::Draining(Ended::Memory));
            shared.go_to(Phase::Ending(Ended::Memory));
        }
        let overdue: usize = shared.engines.values().map(Engine::overdue).sum();
        if overdue >= shared.options.concurrency.max(1) {
            shared.go_to(Phase::Draining(Ended::Overdue));
        }
    }
}

/// Ends the worker when it is told to, and what was begun when it has had its time.
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
