//! Runs stages: from the cache where it can, off the runtime where it cannot.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use compartment_cache::{Cache, LoadError};
use compartment_core::{Databases, Error, ErrorKind, KeyTemplate, TypedKey};
use futures_util::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use crate::event::Origin;
use crate::result_size::check_size;
use crate::{ExternalStage, PipelineError, Progress, Stage, StageError};

/// A stage's result.
#[derive(Debug)]
#[non_exhaustive]
pub struct Done<T> {
    /// The result, shared with the cache.
    pub value: Arc<T>,
    /// Whether it was made or found.
    pub origin: Origin,
}

/// How stages are run.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RunnerOptions {
    /// Stages that run at the same time; the number of CPUs unless told.
    pub concurrency: usize,
}

impl Default for RunnerOptions {
    fn default() -> Self {
        Self { concurrency: std::thread::available_parallelism().map_or(2, usize::from) }
    }
}

/// Runs stages, each once for the same content, however many processes ask for it.
#[derive(Clone, Debug)]
pub struct Runner {
    cache: Cache,
    progress: Progress,
    places: Arc<Semaphore>,
    /// Where results are kept whose templates name another database than the cache.
    databases: Option<Databases>,
    max_result_bytes: u64,
}

/// How long a result took where it was made; nothing inside where that failed.
type Ran = Arc<OnceLock<Option<Duration>>>;

impl Runner {
    /// Runs stages with results in `cache` and figures in `progress`. A cache that is off has
    /// nothing and keeps nothing.
    #[must_use]
    pub fn new(cache: Cache, progress: Progress, options: RunnerOptions) -> Self {
        let places = Arc::new(Semaphore::new(options.concurrency.max(1)));
        Self { cache, progress, places, databases: None, max_result_bytes: u64::MAX }
    }

    /// Keeping the results of stages whose templates name another database there.
    #[must_use]
    pub fn with_databases(mut self, databases: Databases) -> Self {
        self.databases = Some(databases);
        self
    }

    /// Taking a result of more bytes, in MessagePack, for a failure of the document.
    #[must_use]
    pub fn with_max_result_bytes(mut self, bytes: u64) -> Self {
        self.max_result_bytes = bytes;
        self
    }

    /// The cache.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The figures.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Asks the cache's database once. One that is away is no error: the cache does without. One that
    /// refuses the program would be done without for ever, and nobody would notice.
    ///
    /// # Errors
    /// [`PipelineError::Store`] when the database refuses the program, or is not set up.
    pub async fn check_cache(&self) -> Result<(), PipelineError> {
        if !self.cache.is_enabled() {
            return Ok(());
        }
        match self.cache.database().key_value().get("compartment:asked").await {
            Err(error) if is_refusal(error.kind()) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The result of `stage` for the content `subject`: the cached one, or a new one made from
    /// `input`, which is only asked for when it is needed.
    ///
    /// The stage is counted in the figures; `name` is the document's name there. What is kept goes
    /// with the document `subject` ([`Cache::invalidate_document`]).
    ///
    /// # Errors
    /// [`PipelineError::Stage`] for the document's own failure, a panic included;
    /// [`PipelineError::Store`] when a key cannot be made, or is of another database than the
    /// cache; whatever `input` fails with.
    pub async fn run<S: Stage>(
        &self,
        stage: &Arc<S>,
        subject: &str,
        name: &str,
        input: impl Future<Output = Result<Arc<S::Input>, PipelineError>> + Send + 'static,
    ) -> Result<Done<S::Output>, PipelineError> {
        let key = key_of(stage.template(), subject, &stage.version())?;
        let (work, places) = (Arc::clone(stage), Arc::clone(&self.places));
        let most = self.max_result_bytes;
        let ran = Ran::default();
        let noted = Arc::clone(&ran);
        let make = move || async move {
            let input = unless_panicked(work.name(), input).await?;
            let made = compute(places, work, input, most).await;
            // It is called once.
            let _ = noted.set(made.as_ref().ok().map(|(_, busy)| *busy));
            Ok::<_, PipelineError>(made?.0)
        };
        let found = self.kept_or_made(&key, subject, stage.name(), make).await;
        self.counted(stage.name(), name, &ran, found)
    }

    /// The result of a stage that asks somebody else: the one that is kept, or `answer`.
    ///
    /// # Errors
    /// As [`Runner::run`].
    pub async fn call<S: ExternalStage>(
        &self,
        stage: &S,
        subject: &str,
        name: &str,
        answer: impl Future<Output = Result<S::Output, PipelineError>> + Send + 'static,
    ) -> Result<Done<S::Output>, PipelineError> {
        let key = key_of(stage.template(), subject, &stage.version())?;
        let (most, stage_name) = (self.max_result_bytes, stage.name());
        let ran = Ran::default();
        let noted = Arc::clone(&ran);
        let make = move || async move {
            let started = Instant::now();
            let answer = unless_panicked(stage_name, answer).await;
            let answer = answer.and_then(|answer| Ok(check_size(stage_name, answer, most)?));
            let _ = noted.set(answer.as_ref().ok().map(|_| started.elapsed()));
            answer
        };
        let found = self.kept_or_made(&key, subject, stage_name, make).await;
        self.counted(stage_name, name, &ran, found)
    }

    /// What is kept under the key, or else what `make` makes, and kept.
    async fn kept_or_made<T, F>(
        &self,
        key: &TypedKey<T>,
        subject: &str,
        stage: &'static str,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> Result<Arc<T>, PipelineError>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
        F: Future<Output = Result<T, PipelineError>> + Send + 'static,
    {
        let elsewhere = self.databases.as_ref();
        let elsewhere =
            elsewhere.filter(|_| key.template().database() != self.cache.database().name());
        let Some(databases) = elsewhere else {
            let kept = self.cache.of_document(subject).get_or_load(key, make).await;
            return kept.map_err(|error| failure(stage, &error));
        };
        if let Some(value) = databases.read(key).await? {
            return Ok(Arc::new(value));
        }
        let value = make().await?;
        databases.write(key, &value).await?;
        Ok(Arc::new(value))
    }

    fn counted<T>(
        &self,
        stage: &'static str,
        name: &str,
        ran: &Ran,
        found: Result<Arc<T>, PipelineError>,
    ) -> Result<Done<T>, PipelineError> {
        match found {
            Ok(value) => {
                let (origin, busy) = match ran.get() {
                    Some(busy) => (Origin::Computed, busy.unwrap_or_default()),
                    None => (Origin::Cached, Duration::ZERO),
                };
                self.progress.done(stage, origin, busy);
                Ok(Done { value, origin })
            }
            Err(error) => {
                // What its input failed of is another stage's failure.
                if let (PipelineError::Stage(error), Some(_)) = (&error, ran.get()) {
                    self.progress.failed(stage, name, error);
                }
                Err(error)
            }
        }
    }

    /// The cached result of `stage`, counted in the figures as found, if there is one.
    ///
    /// # Errors
    /// [`PipelineError::Store`] as [`Runner::run`].
    pub async fn find<S: Stage>(
        &self,
        stage: &S,
        subject: &str,
    ) -> Result<Option<Done<S::Output>>, PipelineError> {
        let key = key_of(stage.template(), subject, &stage.version())?;
        let Some(value) = self.cache.get(&key).await? else { return Ok(None) };
        self.progress.done(stage.name(), Origin::Cached, Duration::ZERO);
        Ok(Some(Done { value, origin: Origin::Cached }))
    }
}

fn key_of<T>(
    template: KeyTemplate<T>,
    subject: &str,
    version: &str,
) -> compartment_core::Result<TypedKey<T>> {
    template.key(&[subject, version])
}

/// A panic is the document's own failure.
pub(crate) async fn unless_panicked<T>(
    stage: &str,
    work: impl Future<Output = Result<T, PipelineError>>,
) -> Result<T, PipelineError> {
    match std::panic::AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => Err(StageError::panicked(stage, panic).into()),
    }
}

async fn compute<S: Stage>(
    places: Arc<Semaphore>,
    stage: Arc<S>,
    input: Arc<S::Input>,
    max_result_bytes: u64,
) -> Result<(S::Output, Duration), StageError> {
    // The semaphore is never closed.
    let place = places.acquire_owned().await.ok();
    let name = stage.name();
    let started = Instant::now();
    let worked = tokio::task::spawn_blocking(move || {
        let result = stage.run(&input);
        drop(place);
        check_size(name, result?, max_result_bytes)
    });
    match worked.await {
        Ok(result) => result.map(|value| (value, started.elapsed())),
        Err(error) => Err(match error.try_into_panic() {
            Ok(panic) => StageError::panicked(name, panic),
            Err(_) => {
                let what = format!("stage {name} was ended before its end");
                StageError::new("interrupted", what).transient()
            }
        }),
    }
}

/// Why there is no result. All who waited for one load have the same error, so it is copied.
fn failure(stage: &str, error: &LoadError) -> PipelineError {
    match error {
        // Another program's value stands at the document's key: the others have theirs.
        LoadError::Misuse(error) if error.kind() == ErrorKind::Decode => {
            StageError::new("foreign_value", format!("stage {stage}: {error}")).into()
        }
        LoadError::Misuse(error) => PipelineError::Store(Error::clone(error)),
        // However often it is tried, the stage is written so that it ends like this.
        LoadError::WaitsForItself | LoadError::OtherType | LoadError::Panicked(_) => {
            StageError::new("broken_stage", format!("stage {stage}: {error}")).into()
        }
        other => match other.downcast_ref::<PipelineError>() {
            Some(error) => error.clone(),
            // The input's own future ended without an answer: the runtime is going down.
            None => PipelineError::Store(Error::new(
                ErrorKind::Interrupted,
                "run stage",
                format!("stage {stage}: {other}"),
            )),
        },
    }
}

/// Failures that no outage explains.
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
