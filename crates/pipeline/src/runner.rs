//! Runs one stage of an engine: its result from the cache where it is, else made off the runtime.

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

/// Runs one stage, once for the same content, however many processes ask for it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    cache: Cache,
    /// Where results are kept whose templates name another database than the cache.
    databases: Databases,
    progress: Progress,
    /// Results that are made at the same time, over all stages of the engine.
    permits: Arc<Semaphore>,
    max_result_bytes: u64,
}

/// How long a result took where it was made; nothing inside where that failed.
type Ran = Arc<OnceLock<Option<Duration>>>;

impl Runner {
    pub(crate) fn new(
        cache: Cache,
        databases: Databases,
        progress: Progress,
        permits: Arc<Semaphore>,
        max_result_bytes: u64,
    ) -> Self {
        Self { cache, databases, progress, permits, max_result_bytes }
    }

    /// The result of `stage` for the content `subject`: the cached one, or a new one made from
    /// `input`, which is only asked for when it is needed.
    ///
    /// The result is counted in the figures. It goes with the document `subject` when that is
    /// invalidated ([`Cache::invalidate_document`]).
    ///
    /// # Errors
    /// [`PipelineError::Stage`] for the document's own failure, a panic included;
    /// [`PipelineError::Store`] when a key cannot be made or a store other than the cache fails;
    /// whatever `input` fails with.
    pub(crate) async fn run<S: Stage>(
        &self,
        stage: &Arc<S>,
        subject: &str,
        input: impl Future<Output = Result<Arc<S::Input>, PipelineError>> + Send + 'static,
    ) -> Result<Arc<S::Output>, PipelineError> {
        let key = key_of(stage.template(), subject, &stage.version())?;
        let (work, permits) = (Arc::clone(stage), Arc::clone(&self.permits));
        let max = self.max_result_bytes;
        let ran = Ran::default();
        let noted = Arc::clone(&ran);
        let make = move || async move {
            let input = unless_panicked(work.name(), input).await?;
            let made = compute(permits, work, input, max).await;
            // It is called once.
            let _ = noted.set(made.as_ref().ok().map(|(_, busy)| *busy));
            Ok::<_, PipelineError>(made?.0)
        };
        let found = self.kept_or_made(&key, subject, stage.name(), make).await;
        self.counted(stage.name(), &ran, found)
    }

    /// The result of a stage that asks somebody else: the one that is kept, or `answer`.
    ///
    /// # Errors
    /// As [`Runner::run`].
    pub(crate) async fn call<S: ExternalStage>(
        &self,
        stage: &S,
        subject: &str,
        answer: impl Future<Output = Result<S::Output, PipelineError>> + Send + 'static,
    ) -> Result<Arc<S::Output>, PipelineError> {
        let key = key_of(stage.template(), subject, &stage.version())?;
        let (max, stage_name) = (self.max_result_bytes, stage.name());
        let ran = Ran::default();
        let noted = Arc::clone(&ran);
        let make = move || async move {
            let started = Instant::now();
            let answer = unless_panicked(stage_name, answer).await;
            let answer = answer.and_then(|answer| Ok(check_size(stage_name, answer, max)?));
            let _ = noted.set(answer.as_ref().ok().map(|_| started.elapsed()));
            answer
        };
        let found = self.kept_or_made(&key, subject, stage_name, make).await;
        self.counted(stage_name, &ran, found)
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
        if self.is_cached(key) {
            let kept = self.cache.of_document(subject).get_or_load(key, make).await;
            return kept.map_err(|error| failure(stage, &error));
        }
        let databases = &self.databases;
        if let Some(value) = databases.read(key).await? {
            return Ok(Arc::new(value));
        }
        let value = make().await?;
        databases.write(key, &value).await?;
        Ok(Arc::new(value))
    }

    /// Counts a result that was made elsewhere.
    pub(crate) fn made(&self, stage: &'static str, busy: Duration) {
        self.progress.done(stage, Origin::Computed, busy);
    }

    /// Whether the cache keeps the result, and not another database.
    fn is_cached<T>(&self, key: &TypedKey<T>) -> bool {
        let roles = self.databases.map().roles();
        roles.resolve(key.template().database()) == self.cache.database().name()
    }

    /// Counts a result; who failed is counted by the document's run.
    fn counted<T>(
        &self,
        stage: &'static str,
        ran: &Ran,
        found: Result<Arc<T>, PipelineError>,
    ) -> Result<Arc<T>, PipelineError> {
        let value = found?;
        let (origin, busy) = match ran.get() {
            Some(busy) => (Origin::Computed, busy.unwrap_or_default()),
            None => (Origin::Cached, Duration::ZERO),
        };
        self.progress.done(stage, origin, busy);
        Ok(value)
    }

    /// The result that is kept under `template` for the content `subject`, counted in the figures of
    /// `stage` as cached, if there is one.
    ///
    /// # Errors
    /// [`PipelineError::Store`] as [`Runner::run`].
    pub(crate) async fn find<T>(
        &self,
        stage: &'static str,
        template: KeyTemplate<T>,
        subject: &str,
        version: &str,
    ) -> Result<Option<Arc<T>>, PipelineError>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let key = key_of(template, subject, version)?;
        let found = if self.is_cached(&key) {
            self.cache.get(&key).await?
        } else {
            self.databases.read(&key).await?.map(Arc::new)
        };
        if found.is_some() {
            self.progress.done(stage, Origin::Cached, Duration::ZERO);
        }
        Ok(found)
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
    permits: Arc<Semaphore>,
    stage: Arc<S>,
    input: Arc<S::Input>,
    max_result_bytes: u64,
) -> Result<(S::Output, Duration), StageError> {
    // The semaphore is never closed.
    let permit = permits.acquire_owned().await.ok();
    let name = stage.name();
    let started = Instant::now();
    let worked = tokio::task::spawn_blocking(move || {
        let result = stage.run(&input);
        drop(permit);
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
