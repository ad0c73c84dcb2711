//! Runs one stage of a pipeline for one document, and returns the outcome.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_cache::{Cache, CacheOptions};
use compartment_core::{
    Database, Databases, Error, ErrorKind, LockOptions, LockStoreExt, RateLimitStoreExt, Role,
    Timestamp,
};
use tokio::sync::Semaphore;
use tracing::Instrument;

use crate::attempt::{Left, Spawned, interrupted, is_about_the_document};
use crate::document_run::{DocumentRun, Stages};
use crate::node::AnyResult;
use crate::pipeline::{DeclaredStage, with_needs};
use crate::runner::{Runner, unless_panicked};
use crate::{
    Completed, Document, EngineOptions, Node, Pipeline, PipelineError, Progress, StageError,
    StageOptions,
};

/// Runs the stages of one pipeline over databases. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    pipeline: Pipeline,
    /// One for each stage. They share permits and counters.
    runners: Vec<Runner>,
    databases: Databases,
    cache: Cache,
    options: EngineOptions,
    /// Attempts that timed out and still run.
    overdue: Arc<AtomicUsize>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("pipeline", &self.pipeline).finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the databases' cache as configured, and stores the stages' results there. Uses the options of
    /// [`EngineOptions::default`].
    ///
    /// # Errors
    /// The cache's, if its database is not set up or rejects the program.
    pub async fn open(pipeline: Pipeline, databases: &Databases) -> compartment_core::Result<Self> {
        let options = CacheOptions::for_map(databases.map());
        let cache = Cache::open(databases.role(Role::Cache)?, options).await?;
        Ok(Self::new(pipeline, databases, cache, EngineOptions::default()))
    }

    /// Stores results in `cache`, or in the database that a stage's template names. Locks and rate limits use the
    /// database `rate_limit`.
    #[must_use]
    pub fn new(
        pipeline: Pipeline,
        databases: &Databases,
        cache: Cache,
        options: EngineOptions,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(options.concurrency.max(1)));
        let of_stage = |stage: &StageOptions| {
            let (cache, databases) = (cache.clone(), databases.clone());
            let (progress, permits) = (options.progress.clone(), Arc::clone(&permits));
            Runner::new(cache, databases, progress, permits, stage.max_result_bytes)
        };
        let runners = pipeline.all().iter().map(|stage| of_stage(&stage.options)).collect();
        let (databases, overdue) = (databases.clone(), Arc::default());
        Self { inner: Arc::new(Inner { pipeline, runners, databases, cache, options, overdue }) }
    }

    /// The pipeline.
    #[must_use]
    pub fn pipeline(&self) -> &Pipeline {
        &self.inner.pipeline
    }

    /// The cache of the results.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.inner.cache
    }

    /// The counters of the stages.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.inner.options.progress
    }

    /// The number of results computed at the same time.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.inner.options.concurrency.max(1)
    }

    /// Sends one request to the cache's database. An unavailable database is not an error: the cache works without
    /// it. A database that rejects the program is an error, because nobody would notice that the cache never works.
    ///
    /// # Errors
    /// The store's, if the database rejects the program or is not set up.
    pub async fn check_cache(&self) -> compartment_core::Result<()> {
        let cache = self.cache();
        if !cache.is_enabled() {
            return Ok(());
        }
        match cache.database().key_value().get("compartment:asked").await {
            Err(error) if is_refusal(error.kind()) => Err(error),
            _ => Ok(()),
        }
    }

    /// The document that an entry names.
    ///
    /// # Errors
    /// The document's failure if the entry is malformed.
    pub fn document(
        &self,
        batch: &str,
        ordinal: u32,
        entry: Bytes,
    ) -> Result<Document, StageError> {
        self.inner.document(batch, ordinal, entry)
    }

    /// The stored result of a stage for a document, or a new one.
    ///
    /// # Errors
    /// [`PipelineError::Stage`] for the document's own failure, [`PipelineError::Store`] for a store's.
    pub async fn value<T: Send + Sync + 'static>(
        &self,
        node: Node<T>,
        document: &Document,
    ) -> Result<Arc<T>, PipelineError> {
        self.run_of(document.clone()).value(node).await
    }

    /// Whether the result of every stage is stored for a document. The results are read into the
    /// cache's first tier; nothing is computed. Inline stages store no result and do not count.
    ///
    /// # Errors
    /// A store's; an unavailable cache database is ignored.
    pub async fn is_kept(&self, document: &Document) -> Result<bool, PipelineError> {
        let run = self.run_of(document.clone());
        let kept = (0..self.pipeline().all().len()).filter(|index| !self.is_inline(*index));
        let found = futures_util::future::try_join_all(kept.map(|index| run.find(index))).await?;
        Ok(found.iter().all(Option::is_some))
    }

    /// The completed batch of this name in the database `store`.
    #[must_use]
    pub fn completed(&self, batch: &str, store: Database) -> Completed {
        Completed::new(batch, Arc::<Inner>::clone(&self.inner), store)
    }

    pub(crate) fn is_inline(&self, index: usize) -> bool {
        self.inner.is_inline(index)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.now()
    }

    pub(crate) fn run_of(&self, document: Document) -> DocumentRun {
        DocumentRun::new(Arc::<Inner>::clone(&self.inner), document)
    }

    /// The number of timed-out attempts of this process that still run.
    #[must_use]
    pub fn overdue(&self) -> usize {
        self.inner.overdue.load(Ordering::Relaxed)
    }

    /// Runs the stage at `index` for a document.
    pub(crate) async fn attempt(&self, index: usize, document: &Document) -> Left {
        let limit = self.stage(index).map_or(Duration::ZERO, |stage| stage.options.timeout);
        self.attempt_in(index, &self.run_of(document.clone()), limit).await
    }

    /// Runs the stage at `index` within `limit`, using the results that the run already has.
    pub(crate) async fn attempt_in(
        &self,
        index: usize,
        run: &DocumentRun,
        limit: Duration,
    ) -> Left {
        let started = self.inner.now();
        let worked = match self.stage(index) {
            Ok(stage) => {
                self.inner.guarded(index, run, |run| self.timed(stage, index, run, limit)).await
            }
            Err(error) => Err(error),
        };
        let error = match worked {
            Ok(()) => return Left::Done,
            Err(PipelineError::Stage(error)) => error,
            Err(PipelineError::Store(error)) if is_about_the_document(&error) => {
                StageError::new("refused_by_store", error.to_string())
            }
            Err(PipelineError::Store(error)) => return Left::Untried(error),
        };
        run.fail(index, started, &error);
        Left::Failed(error)
    }

    /// Applies the time limit, except to inline stages.
    async fn timed(
        &self,
        stage: &DeclaredStage,
        index: usize,
        run: DocumentRun,
        limit: Duration,
    ) -> Result<(), PipelineError> {
        if stage.options.inline {
            return unless_panicked(stage.name, run.produce(index)).await.map(drop);
        }
        let mut work = Spawned(Some(tokio::spawn(
            async move { run.produce(index).await.map(drop) }.in_current_span(),
        )));
        match tokio::time::timeout(limit, work.joined()).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(match error.try_into_panic() {
                Ok(panic) => StageError::panicked(stage.name, panic).into(),
                Err(_) => interrupted(stage.name),
            }),
            Err(_) => {
                let overdue = Arc::clone(&self.inner.overdue);
                overdue.fetch_add(1, Ordering::Relaxed);
                // A thread cannot be stopped from outside; its result is stored if it ever finishes.
                let work = work.0.take();
                tokio::spawn(async move {
                    if let Some(work) = work {
                        let _ = work.await;
                    }
                    overdue.fetch_sub(1, Ordering::Relaxed);
                });
                let name = stage.name;
                let what = format!("stage {name} did not finish within its time-out of {limit:?}");
                Err(StageError::new("timed_out", what).transient().into())
            }
        }
    }

    /// How long to wait before attempt number `attempt`; `None` if the stage allows fewer attempts.
    pub(crate) fn pause_before(&self, index: usize, attempt: u32) -> Option<Duration> {
        let options = &self.stage(index).ok()?.options;
        let is_allowed = attempt <= u32::from(options.max_attempts);
        is_allowed.then(|| options.backoff.after(attempt.saturating_sub(1)))
    }

    fn stage(&self, index: usize) -> Result<&DeclaredStage, PipelineError> {
        self.inner.stage(index)
    }
}

impl Inner {
    fn stage(&self, index: usize) -> Result<&DeclaredStage, PipelineError> {
        self.pipeline.declared(index).ok_or_else(|| {
            let what = format!(
                "the pipeline has no stage {index}: does the node belong to another pipeline?"
            );
            Error::new(ErrorKind::InvalidArgument, "run stage", what).into()
        })
    }

    /// Does `work`, with the lock of the run's document held if it may run an exclusive stage. Gives up when the
    /// lock is lost.
    ///
    /// The lock is taken before any load begins. A load that waited for it could keep waiting whoever holds it
    /// and wants what is loaded.
    async fn guarded<T, F: Future<Output = Result<T, PipelineError>>>(
        &self,
        index: usize,
        run: &DocumentRun,
        work: impl FnOnce(DocumentRun) -> F,
    ) -> Result<T, PipelineError> {
        if !self.needs_lock(index, run).await? {
            return work(run.guarded(None)).await;
        }
        let stage = self.stage(index)?;
        let key = format!("compartment:lock:document:{}", run.document().subject());
        let wait = stage.options.timeout;
        let clock = Arc::clone(&self.options.clock);
        let options = LockOptions::default().wait(wait).clock(clock);
        let locks = self.databases.role(Role::RateLimit)?.lock();
        let Some(guard) = locks.lock(&key, options).await? else {
            let what =
                format!("another worker has held the document's lock for more than {wait:?}");
            return Err(Error::new(ErrorKind::NotReady, "lock document", what).at_key(key).into());
        };
        let worked = guard.run(work(run.guarded(Some(guard.token())))).await?;
        // A lock that cannot be released ends with its lease.
        let _ = guard.release().await;
        worked
    }

    /// Whether the stage at `index` is exclusive, or needs the result of an exclusive stage that the document does
    /// not have. The results that are found are kept in the run.
    async fn needs_lock(&self, index: usize, run: &DocumentRun) -> Result<bool, PipelineError> {
        if self.stage(index)?.options.exclusive {
            return Ok(true);
        }
        let stages = self.pipeline.all();
        let needs = with_needs(stages, [index]);
        let exclusive: Vec<usize> =
            needs.into_iter().filter(|need| stages[*need].options.exclusive).collect();
        // A result that cannot be read is made again, and whoever makes it reports why.
        let is_found = async |index| matches!(run.find(index).await, Ok(Some(_)));
        if exclusive.is_empty() || is_found(index).await {
            return Ok(false);
        }
        for need in exclusive {
            if !is_found(need).await {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[async_trait]
impl Stages for Inner {
    fn document(&self, batch: &str, ordinal: u32, entry: Bytes) -> Result<Document, StageError> {
        let identity = self.pipeline.identify(&entry)?;
        Ok(Document::new(batch, ordinal, entry, identity))
    }

    async fn produce(&self, index: usize, run: &DocumentRun) -> Result<AnyResult, PipelineError> {
        let producer = Arc::clone(&self.stage(index)?.producer);
        if run.is_guarded() {
            return producer.produce(run).await;
        }
        self.guarded(index, run, |run| async move { producer.produce(&run).await }).await
    }

    async fn find(
        &self,
        index: usize,
        run: &DocumentRun,
    ) -> Result<Option<AnyResult>, PipelineError> {
        self.stage(index)?.producer.find(run).await
    }

    fn failed(&self, index: usize, document: &Document, error: &StageError) {
        if let Ok(stage) = self.stage(index) {
            self.options.progress.failed(stage.name, document.name(), error);
        }
    }

    fn needs(&self, index: usize) -> &[usize] {
        self.pipeline.declared(index).map_or(&[], |stage| &stage.after)
    }

    fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    fn name(&self, index: usize) -> &str {
        self.stage(index).map_or("", |stage| stage.name)
    }

    fn is_inline(&self, index: usize) -> bool {
        self.stage(index).is_ok_and(|stage| stage.options.inline)
    }

    fn runner(&self, index: usize) -> &Runner {
        // There is one runner for each stage.
        &self.runners[index]
    }

    async fn permit(&self, index: usize) -> Result<(), PipelineError> {
        let options = &self.stage(index)?.options;
        let Some((key, limit)) = &options.rate_limit else { return Ok(()) };
        let limits = self.databases.role(Role::RateLimit)?;
        let wait = options.timeout;
        let clock = self.options.clock.as_ref();
        let decision = limits.rate_limit().acquire_within(key, *limit, 1, clock, wait).await?;
        if decision.is_allowed {
            return Ok(());
        }
        let what = format!(
            "no permit for {key:?} within {wait:?}: the limit is {} in {:?}",
            limit.permits, limit.window
        );
        Err(Error::new(ErrorKind::NotReady, "ask for a permit", what)
            .in_database(limits.name())
            .into())
    }
}

/// Whether the error means a rejected program, not an outage.
fn is_refusal(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unknown
            | ErrorKind::Configuration
            | ErrorKind::Contract
            | ErrorKind::InvalidArgument
            | ErrorKind::Authentication
            | ErrorKind::Permission
    )
}
