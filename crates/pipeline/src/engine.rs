//! Takes one document through one stage of a pipeline, and says how the stage left it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_cache::{Cache, CacheOptions};
use compartment_core::{
    Clock, Database, Databases, Error, ErrorKind, LockOptions, LockStoreExt, RateLimitStoreExt,
    SystemClock,
};

use tokio::task::{JoinError, JoinHandle};

use crate::document_run::{DocumentRun, Stages};
use crate::node::AnyResult;
use crate::pipeline::Placed;
use crate::runner::unless_panicked;
use crate::{
    Completed, Document, Node, Pipeline, PipelineError, Progress, Runner, RunnerOptions, Silent,
    StageError, StageOptions,
};

/// The database of limits and of documents' locks.
const LIMITS: &str = "rate_limit";

/// Runs the stages of one pipeline over databases. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    pipeline: Pipeline,
    /// One for each stage: they share places and figures.
    runners: Vec<Runner>,
    databases: Databases,
    cache: Cache,
    clock: Arc<dyn Clock>,
    /// Attempts that were given up and still run.
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

/// How a stage left a document, before anything is told.
#[derive(Debug)]
pub(crate) enum Left {
    Done,
    Failed(StageError),
    /// A store, a limit or the run itself is why there is no result: no attempt of the document's.
    Untried(Error),
}

impl Engine {
    /// Runs the pipeline's stages with results in the databases' cache, as the configuration has it, as
    /// many at a time as there are CPUs.
    ///
    /// # Errors
    /// The cache's, when its database is not set up or refuses the program.
    pub async fn open(pipeline: Pipeline, databases: &Databases) -> compartment_core::Result<Self> {
        let options = CacheOptions::for_map(databases.map());
        let cache = Cache::open(databases.get("cache")?, options).await?;
        let progress = Progress::new(Arc::new(Silent));
        let places = RunnerOptions::default().concurrency;
        Ok(Self::new(pipeline, databases, cache, progress, places, Arc::new(SystemClock)))
    }

    /// Runs the pipeline's stages with results in `cache`, or in the database that their template
    /// names, and limits in the database `rate_limit`. `places` results are made at a time.
    #[must_use]
    pub fn new(
        pipeline: Pipeline,
        databases: &Databases,
        cache: Cache,
        progress: Progress,
        places: usize,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let options = RunnerOptions { concurrency: places.max(1) };
        let runner =
            Runner::new(cache.clone(), progress, options).with_databases(databases.clone());
        let of_stage =
            |options: &StageOptions| runner.clone().with_max_result_bytes(options.max_result_bytes);
        let runners = pipeline.all().iter().map(|stage| of_stage(&stage.options)).collect();
        let (databases, overdue) = (databases.clone(), Arc::default());
        Self { inner: Arc::new(Inner { pipeline, runners, databases, cache, clock, overdue }) }
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

    /// The document that an entry names.
    ///
    /// # Errors
    /// The document's failure, where the entry is malformed.
    pub fn document(
        &self,
        batch: &str,
        ordinal: u32,
        entry: Bytes,
    ) -> Result<Document, StageError> {
        self.inner.document(batch, ordinal, entry)
    }

    /// The result of a stage for a document: the one that is kept, or a new one.
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

    /// The completed batch of this name in the database `store`, for work that is done with it.
    #[must_use]
    pub fn completed(&self, batch: &str, store: Database) -> Completed {
        Completed::new(batch, Arc::<Inner>::clone(&self.inner), store)
    }

    pub(crate) fn is_inline(&self, place: usize) -> bool {
        self.inner.is_inline(place)
    }

    fn run_of(&self, document: Document) -> DocumentRun {
        DocumentRun::new(Arc::<Inner>::clone(&self.inner), document)
    }

    /// Attempts that were given up after their time and still run, in this process.
    #[must_use]
    pub fn overdue(&self) -> usize {
        self.inner.overdue.load(Ordering::Relaxed)
    }

    /// Takes a document through the stage at `place`.
    pub(crate) async fn attempt(&self, place: usize, document: &Document) -> Left {
        let worked = match self.stage(place) {
            Ok(stage) if stage.options.exclusive => self.locked(stage, place, document).await,
            Ok(stage) => self.timed(stage, place, document.clone()).await,
            Err(error) => Err(error),
        };
        match worked {
            Ok(()) => Left::Done,
            Err(PipelineError::Stage(error)) => Left::Failed(error),
            Err(PipelineError::Store(error)) if is_about_the_document(&error) => {
                Left::Failed(StageError::new("refused_by_store", error.to_string()))
            }
            Err(PipelineError::Store(error)) => Left::Untried(error),
        }
    }

    /// With the document's lock held; given up when it is lost.
    async fn locked(
        &self,
        stage: &Placed,
        place: usize,
        document: &Document,
    ) -> Result<(), PipelineError> {
        let key = format!("lock:document:{}", document.subject());
        let wait = stage.options.time_out;
        let options = LockOptions::default().wait(wait).clock(Arc::clone(&self.inner.clock));
        let locks = self.inner.databases.get(LIMITS)?.lock();
        let Some(guard) = locks.lock(&key, options).await? else {
            let what = format!("somebody else holds the document's lock since {wait:?} and longer");
            return Err(Error::new(ErrorKind::NotReady, "lock document", what).at_key(key).into());
        };
        let document = document.fenced(guard.token());
        let worked = guard.run(self.timed(stage, place, document)).await?;
        // A lock that cannot be given back ends with its lease.
        let _ = guard.release().await;
        worked
    }

    /// Within the stage's time.
    async fn timed(
        &self,
        stage: &Placed,
        place: usize,
        document: Document,
    ) -> Result<(), PipelineError> {
        let run = self.run_of(document);
        if stage.options.inline {
            return unless_panicked(stage.name, run.produce(place)).await.map(drop);
        }
        let mut work =
            Spawned(Some(tokio::spawn(async move { run.produce(place).await.map(drop) })));
        let limit = stage.options.time_out;
        match tokio::time::timeout(limit, work.joined()).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(match error.try_into_panic() {
                Ok(panic) => StageError::panicked(stage.name, panic).into(),
                Err(_) => interrupted(stage.name),
            }),
            Err(_) => {
                let overdue = Arc::clone(&self.inner.overdue);
                overdue.fetch_add(1, Ordering::Relaxed);
                // A thread cannot be ended from outside; what it makes is kept if it ever ends.
                let work = work.0.take();
                tokio::spawn(async move {
                    if let Some(work) = work {
                        let _ = work.await;
                    }
                    overdue.fetch_sub(1, Ordering::Relaxed);
                });
                let name = stage.name;
                let what = format!("stage {name} was not done within {limit:?}, its time-out");
                Err(StageError::new("timed_out", what).transient().into())
            }
        }
    }

    /// How long to wait before the `attempt`th attempt; `None` if that is one too many.
    pub(crate) fn pause_before(&self, place: usize, attempt: u32) -> Option<Duration> {
        let options = &self.stage(place).ok()?.options;
        let is_allowed = attempt <= u32::from(options.max_attempts);
        is_allowed.then(|| options.backoff.after(attempt.saturating_sub(1)))
    }

    fn stage(&self, place: usize) -> Result<&Placed, PipelineError> {
        self.inner.stage(place)
    }
}

impl Inner {
    fn stage(&self, place: usize) -> Result<&Placed, PipelineError> {
        self.pipeline.placed(place).ok_or_else(|| {
            let what = format!("the pipeline has no stage {place}: is the node of another one?");
            Error::new(ErrorKind::InvalidArgument, "run stage", what).into()
        })
    }
}

#[async_trait]
impl Stages for Inner {
    fn document(&self, batch: &str, ordinal: u32, entry: Bytes) -> Result<Document, StageError> {
        let identity = self.pipeline.identify(&entry)?;
        Ok(Document::new(batch, ordinal, entry, identity))
    }

    async fn produce(&self, place: usize, run: &DocumentRun) -> Result<AnyResult, PipelineError> {
        Arc::clone(&self.stage(place)?.producer).produce(run).await
    }

    fn is_inline(&self, place: usize) -> bool {
        self.stage(place).is_ok_and(|stage| stage.options.inline)
    }

    fn runner(&self, place: usize) -> &Runner {
        // There is one for each stage.
        &self.runners[place]
    }

    async fn permit(&self, place: usize) -> Result<(), PipelineError> {
        let options = &self.stage(place)?.options;
        let Some((key, limit)) = &options.rate_limit else { return Ok(()) };
        let store = self.databases.get(LIMITS)?.rate_limit();
        let wait = options.time_out;
        let decision = store.acquire_within(key, *limit, 1, self.clock.as_ref(), wait).await?;
        if decision.allowed {
            return Ok(());
        }
        let what = format!(
            "no permit under {key:?} within {wait:?}: {} in {:?} are allowed",
            limit.permits, limit.window
        );
        Err(Error::new(ErrorKind::NotReady, "ask for a permit", what).in_database(LIMITS).into())
    }
}

/// Work in a task of its own, which ends with whoever waits for it: it holds places and permits.
struct Spawned<T>(Option<JoinHandle<T>>);

impl<T> Spawned<T> {
    async fn joined(&mut self) -> Result<T, JoinError> {
        match &mut self.0 {
            Some(work) => work.await,
            None => std::future::pending().await,
        }
    }
}

impl<T> Drop for Spawned<T> {
    fn drop(&mut self) {
        if let Some(work) = &self.0 {
            work.abort();
        }
    }
}

/// Whether a store refuses what the document has it do, however often it is asked: a name that cannot be, a
/// value that is none. Handed back, it would come again for ever.
fn is_about_the_document(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidArgument
            | ErrorKind::Contract
            | ErrorKind::Decode
            | ErrorKind::Encode
            | ErrorKind::WrongType
            | ErrorKind::Unsupported
    )
}

fn interrupted(stage: &str) -> PipelineError {
    Error::new(ErrorKind::Interrupted, "run stage", format!("stage {stage} was ended")).into()
}
