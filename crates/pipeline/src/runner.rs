//! Runs one stage of an engine: returns its stored result, or computes one off the async runtime.

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

/// Runs one stage, once for each content, however many processes ask for it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    cache: Cache,
    /// For results whose templates name another database than the cache.
    databases: Databases,
    progress: Progress,
    /// Limits the results computed at the same time, over all stages of the engine.
    permits: Arc<Semaphore>,
    max_result_bytes: u64,
}

/// How long the computation took; unset if there was none, `None` if it failed.
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

    /// The result of `stage` for the content `subject`: the stored one, or a new one computed from `input`, which is
    /// only awaited when it is needed.
    ///
    /// The result is counted. It belongs to the document `subject` and is invalidated with it
    /// ([`Cache::invalidate_document`]).
    ///
    /// # Errors
    /// [`PipelineError::Stage`] for the document's own failure, including a panic; [`PipelineError::Store`] if a key
    /// cannot be built or a store other than the cache fails; the errors of `input`.
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
            // The closure is called once, so the cell is empty.
            let _ = noted.set(made.as_ref().ok().map(|(_, busy)| *busy));
            Ok::<_, PipelineError>(made?.0)
        };
        let found = self.kept_or_made(&key, subject, stage.name(), make).await;
        self.counted(stage.name(), &ran, found)
    }

    /// The result of a stage that calls another service: the stored one, or `answer`.
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

    /// The value stored under the key, or a new one from `make`, which is then stored.
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

    /// Counts a result that was computed elsewhere.
    pub(crate) fn made(&self, stage: &'static str, busy: Duration) {
        self.progress.done(stage, Origin::Computed, busy);
    }

    /// Whether the result belongs in the cache, not in another database.
    fn is_cached<T>(&self, key: &TypedKey<T>) -> bool {
        let roles = self.databases.map().roles();
        roles.resolve(key.template().database()) == self.cache.database().name()
    }

    /// Counts a result. Failures are counted by the document's run.
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

    /// The result stored under `template` for the content `subject`, if there is one. It is counted as cached.
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

/// Turns a panic into the document's own failure.
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

/// Converts the error of a load. All its waiters share one error, so it is cloned.
fn failure(stage: &str, error: &LoadError) -> PipelineError {
    match error {
        // Another program's value is stored under this document's key; other documents are not affected.
        LoadError::Misuse(error) if error.kind() == ErrorKind::Decode => {
            StageError::new("foreign_value", format!("stage {stage}: {error}")).into()
        }
        LoadError::Misuse(error) => PipelineError::Store(Error::clone(error)),
        // A bug in the stage: every attempt would end like this.
        LoadError::WaitsForItself | LoadError::OtherType | LoadError::Panicked(_) => {
            StageError::new("broken_stage", format!("stage {stage}: {error}")).into()
        }
        other => match other.downcast_ref::<PipelineError>() {
            Some(error) => error.clone(),
            // The input's future ended without an answer, because the runtime shuts down.
            None => PipelineError::Store(Error::new(
                ErrorKind::Interrupted,
                "run stage",
                format!("stage {stage}: {other}"),
            )),
        },
    }
}
