//! Runs stages: from the cache where it can, off the runtime where it cannot.

use std::sync::Arc;
use std::time::{Duration, Instant};

use compartment_core::{Databases, ErrorKind, TypedKey};
use tokio::sync::Semaphore;

use crate::{PipelineError, Progress, Stage, StageError};

/// Whether a result was made or found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The stage ran.
    Computed,
    /// The cache had it.
    Cached,
}

/// A stage's result.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Done<T> {
    /// The result.
    pub value: T,
    /// Whether it was made or found.
    pub origin: Origin,
}

/// How stages are run.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RunnerOptions {
    /// Stages that run at the same time; the number of CPUs unless told.
    pub concurrency: usize,
    /// Whether results are read from and written to the cache.
    pub cache: bool,
}

impl Default for RunnerOptions {
    fn default() -> Self {
        let concurrency = std::thread::available_parallelism().map_or(2, usize::from);
        Self { concurrency, cache: true }
    }
}

/// Runs stages over the databases of a run.
#[derive(Clone, Debug)]
pub struct Runner {
    databases: Databases,
    progress: Progress,
    options: RunnerOptions,
    places: Arc<Semaphore>,
}

impl Runner {
    /// Runs stages with results in `databases` and figures in `progress`.
    #[must_use]
    pub fn new(databases: Databases, progress: Progress, options: RunnerOptions) -> Self {
        let places = Arc::new(Semaphore::new(options.concurrency.max(1)));
        Self { databases, progress, options, places }
    }

    /// The databases.
    #[must_use]
    pub fn databases(&self) -> &Databases {
        &self.databases
    }

    /// The figures.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The cached result of `stage` for the content `subject`, if there is one. A cache that fails
    /// is a cache that has nothing.
    ///
    /// # Errors
    /// [`PipelineError::Store`] when the map lacks the cache's database, or a key cannot be made.
    pub async fn find<S: Stage>(
        &self,
        stage: &S,
        subject: &str,
    ) -> Result<Option<S::Output>, PipelineError> {
        if !self.options.cache {
            return Ok(None);
        }
        let key = key_of(stage, subject)?;
        match self.databases.read(&key).await {
            Ok(found) => Ok(found),
            Err(error) if is_misuse(error.kind()) => Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "the cache could not be read; the stage runs instead");
                Ok(None)
            }
        }
    }

    /// The result of `stage` for the content `subject`: the cached one, or a new one made from
    /// `input`, which is only asked for when it is needed.
    ///
    /// The stage is counted in the figures; `name` is the document's name there.
    ///
    /// # Errors
    /// [`PipelineError::Stage`] for the document's own failure, a panic included;
    /// [`PipelineError::Store`] as [`Runner::find`]; whatever `input` fails with.
    pub async fn run<S: Stage>(
        &self,
        stage: &Arc<S>,
        subject: &str,
        name: &str,
        input: impl Future<Output = Result<Arc<S::Input>, PipelineError>>,
    ) -> Result<Done<S::Output>, PipelineError> {
        match self.find_done(stage.as_ref(), subject).await? {
            Some(done) => Ok(done),
            None => self.make(stage, subject, name, input).await,
        }
    }

    /// The cached result of `stage`, counted in the figures as found.
    ///
    /// # Errors
    /// As [`Runner::find`].
    pub async fn find_done<S: Stage>(
        &self,
        stage: &S,
        subject: &str,
    ) -> Result<Option<Done<S::Output>>, PipelineError> {
        let Some(value) = self.find(stage, subject).await? else { return Ok(None) };
        self.progress.done(stage.name(), Origin::Cached, Duration::ZERO);
        Ok(Some(Done { value, origin: Origin::Cached }))
    }

    /// A new result of `stage`, without asking the cache first.
    ///
    /// # Errors
    /// As [`Runner::run`].
    pub async fn make<S: Stage>(
        &self,
        stage: &Arc<S>,
        subject: &str,
        name: &str,
        input: impl Future<Output = Result<Arc<S::Input>, PipelineError>>,
    ) -> Result<Done<S::Output>, PipelineError> {
        let input = input.await?;
        match self.compute(stage, input).await {
            Ok((value, busy)) => {
                if self.options.cache {
                    self.keep(stage.as_ref(), subject, &value).await?;
                }
                self.progress.done(stage.name(), Origin::Computed, busy);
                Ok(Done { value, origin: Origin::Computed })
            }
            Err(error) => {
                self.progress.failed(stage.name(), name, &error);
                Err(error.into())
            }
        }
    }

    async fn compute<S: Stage>(
        &self,
        stage: &Arc<S>,
        input: Arc<S::Input>,
    ) -> Result<(S::Output, Duration), StageError> {
        // The semaphore is never closed.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let work = Arc::clone(stage);
        let started = Instant::now();
        let worked = tokio::task::spawn_blocking(move || {
            let result = work.run(&input);
            drop(place);
            result
        });
        match worked.await {
            Ok(result) => result.map(|value| (value, started.elapsed())),
            Err(error) => Err(StageError::new("panicked", describe_panic(stage.name(), error))),
        }
    }

    async fn keep<S: Stage>(
        &self,
        stage: &S,
        subject: &str,
        value: &S::Output,
    ) -> Result<(), PipelineError> {
        let key = key_of(stage, subject)?;
        match self.databases.write(&key, value).await {
            Err(error) if is_misuse(error.kind()) => Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "a result could not be cached; it is made again next time");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

fn key_of<S: Stage>(stage: &S, subject: &str) -> compartment_core::Result<TypedKey<S::Output>> {
    stage.template().key(&[subject, &stage.version()])
}

/// Failures that no outage explains: the program or the configuration is wrong, and every
/// document would run into them.
fn is_misuse(kind: ErrorKind) -> bool {
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
