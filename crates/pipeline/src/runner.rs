//! Runs stages: from the cache where it can, off the runtime where it cannot.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use compartment_cache::{Cache, LoadError};
use compartment_core::{Error, ErrorKind, TypedKey};
use tokio::sync::Semaphore;

use crate::{PipelineError, Progress, Stage, StageError};

/// Whether a result was made or found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The stage ran.
    Computed,
    /// The cache had it, or another process made it meanwhile.
    Cached,
}

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
}

impl Runner {
    /// Runs stages with results in `cache` and figures in `progress`. A cache that is off has
    /// nothing and keeps nothing.
    #[must_use]
    pub fn new(cache: Cache, progress: Progress, options: RunnerOptions) -> Self {
        let places = Arc::new(Semaphore::new(options.concurrency.max(1)));
        Self { cache, progress, places }
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
        let key = key_of(stage.as_ref(), subject)?;
        let (work, places) = (Arc::clone(stage), Arc::clone(&self.places));
        // How long it took where it ran; nothing inside where it failed.
        let ran: Arc<OnceLock<Option<Duration>>> = Arc::default();
        let noted = Arc::clone(&ran);
        let loader = move || async move {
            let input = input.await?;
            let made = compute(places, work, input).await;
            // It is called once.
            let _ = noted.set(made.as_ref().ok().map(|(_, busy)| *busy));
            Ok::<_, PipelineError>(made?.0)
        };
        match self.cache.of_document(subject).get_or_load(&key, loader).await {
            Ok(value) => {
                let (origin, busy) = match ran.get() {
                    Some(busy) => (Origin::Computed, busy.unwrap_or_default()),
                    None => (Origin::Cached, Duration::ZERO),
                };
                self.progress.done(stage.name(), origin, busy);
                Ok(Done { value, origin })
            }
            Err(error) => {
                let error = failure(stage.name(), &error);
                // What its input failed of is another stage's failure.
                if let (PipelineError::Stage(error), Some(_)) = (&error, ran.get()) {
                    self.progress.failed(stage.name(), name, error);
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
        let key = key_of(stage, subject)?;
        let Some(value) = self.cache.get(&key).await? else { return Ok(None) };
        self.progress.done(stage.name(), Origin::Cached, Duration::ZERO);
        Ok(Some(Done { value, origin: Origin::Cached }))
    }
}

fn key_of<S: Stage>(stage: &S, subject: &str) -> compartment_core::Result<TypedKey<S::Output>> {
    stage.template().key(&[subject, &stage.version()])
}

async fn compute<S: Stage>(
    places: Arc<Semaphore>,
    stage: Arc<S>,
    input: Arc<S::Input>,
) -> Result<(S::Output, Duration), StageError> {
    // The semaphore is never closed.
    let place = places.acquire_owned().await.ok();
    let name = stage.name();
    let started = Instant::now();
    let worked = tokio::task::spawn_blocking(move || {
        let result = stage.run(&input);
        drop(place);
        result
    });
    match worked.await {
        Ok(result) => result.map(|value| (value, started.elapsed())),
        Err(error) => Err(StageError::new("panicked", describe_panic(name, error))),
    }
}

/// Why there is no result. All who waited for one load have the same error, so it is copied.
fn failure(stage: &str, error: &LoadError) -> PipelineError {
    match error {
        LoadError::Misuse(error) => PipelineError::Store(Error::clone(error)),
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

fn describe_panic(stage: &str, error: tokio::task::JoinError) -> String {
    let said = match error.try_into_panic() {
        Ok(panic) => panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default(),
        Err(_) => "it was cancelled".into(),
    };
    format!("stage {stage} broke down on this document ({said}); please report it with the file")
}
