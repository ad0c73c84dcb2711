//! The whole job: files in, entities and relationships over all of them out.

mod discover;
mod document;
mod output;
mod project;
mod report;
mod source;
mod summary;
mod warm;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use compartment_cache::{Cache, CacheOptions, TemplateMetrics};
use compartment_core::{Databases, Error, SystemClock};
use compartment_pipeline::{
    Patience, PipelineError, Progress, Runner, RunnerOptions, StageError, StageFigures,
};
use futures_util::StreamExt;

pub use discover::{Discovery, Found, discover};
pub use output::{DocumentFile, ResolvedMention};
pub use report::{DocumentCounts, Failure, Foremost, IngestReport};
pub use source::document_id;
pub(crate) use source::read_source;
pub use summary::SetSummary;
pub(crate) use summary::summarize;
pub use warm::{WarmDocuments, WarmedDocuments, warm, warm_cache};

use crate::chunk::ChunkOptions;
use crate::extract::ExtractOptions;
use crate::relate::RelateOptions;
use crate::stages::{ChunkStage, ExtractStage, RelateStage, STAGES};
use document::{Outcome, Processed, Worker};
use output::FileNames;

/// How a run goes about its documents.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IngestOptions {
    /// The project that the documents belong to.
    pub project: String,
    /// Documents worked on at the same time; the number of CPUs unless told.
    pub concurrency: usize,
    /// Whether results are read from and written to the cache.
    pub cache: bool,
    /// How long a server that goes away is waited for.
    pub wait: Duration,
    /// Where to write one JSON file a document.
    pub out: Option<PathBuf>,
    /// What reading a document may cost.
    pub extract: ExtractOptions,
    /// How large chunks are.
    pub chunk: ChunkOptions,
    /// What counts as being mentioned together.
    pub relate: RelateOptions,
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self {
            project: "default".into(),
            concurrency: RunnerOptions::default().concurrency,
            cache: true,
            wait: Duration::from_secs(60),
            out: None,
            extract: ExtractOptions::default(),
            chunk: ChunkOptions::default(),
            relate: RelateOptions::default(),
        }
    }
}

/// Why a run ended before its end. What was done is kept; the same run again does the rest.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// A store failed for good, or was away for longer than the run waits.
    #[error("{error}")]
    Store {
        /// What the store said.
        error: Error,
        /// Documents that are done.
        done: u64,
        /// Documents in all.
        total: u64,
    },
    /// A file of results could not be written.
    #[error("cannot write {}: {error}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

// Its own words, causes included: a `main` that returns a `Result` shows them.
impl std::fmt::Debug for IngestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// How often the progress is copied into the batch database.
const SAVE_EVERY: Duration = Duration::from_millis(250);

/// Processes the documents at `paths` over `databases`, with figures in `progress`.
///
/// Needs the databases `cache`, `batch` and `metrics`. One document's failure is in the report and
/// ends nothing.
///
/// # Errors
/// [`IngestError`], saying how far it has come.
pub async fn ingest(
    databases: &Databases,
    paths: &[PathBuf],
    options: &IngestOptions,
    progress: &Progress,
) -> Result<IngestReport, IngestError> {
    let started = Instant::now();
    let own_paths = paths.to_vec();
    // Walking a large tree blocks.
    let discovery =
        tokio::task::spawn_blocking(move || discover(&own_paths)).await.unwrap_or_default();
    let total = (discovery.files.len() + discovery.failures.len()) as u64;
    let patience = Patience::new(options.wait, Arc::new(SystemClock), progress.observer());
    let fail = |error| IngestError::Store { error, done: 0, total };
    let cache = open_cache(databases, options.cache).await.map_err(fail)?;
    let counted = Default::default();
    let run = Run { databases, options, cache, progress, patience, total, counted };
    let mut outcomes = run.process_all(discovery.files).await?;
    for (name, error) in discovery.failures {
        outcomes.push(Outcome::Failed { name, error });
    }
    let mut report = run.finish(outcomes).await?;
    report.cache = run.cached().await;
    report.documents.skipped = discovery.skipped;
    report.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let finished = (report.documents.done + report.documents.failed) as f64;
    report.documents_per_second = finished / started.elapsed().as_secs_f64().max(1e-6);
    Ok(report)
}

/// The first tier of a run that looks at each document once, unless the configuration says.
const FIRST_TIER_BYTES: u64 = 16 * 1024 * 1024;

/// The cache of the results, as the configuration has it; off where it or the caller says so.
pub(crate) async fn open_cache(
    databases: &Databases,
    enabled: bool,
) -> compartment_core::Result<Cache> {
    let map = databases.map();
    let mut options = CacheOptions::for_map(map).metrics(databases.get("metrics")?);
    options.enabled &= enabled;
    options.first_tier_bytes = map.cache().first_tier.unwrap_or(FIRST_TIER_BYTES);
    Cache::open(databases.get("cache")?, options).await
}

/// Takes documents through the stages, as `options` say.
fn worker(
    databases: &Databases,
    options: &IngestOptions,
    cache: Cache,
    progress: &Progress,
    patience: Patience,
) -> compartment_core::Result<Worker> {
    let mut runner_options = RunnerOptions::default();
    runner_options.concurrency = options.concurrency.max(1);
    Ok(Worker {
        runner: Runner::new(cache, progress.clone(), runner_options),
        extract: Arc::new(ExtractStage { options: options.extract.clone() }),
        chunk: Arc::new(ChunkStage { options: options.chunk }),
        relate: Arc::new(RelateStage { options: options.relate }),
        batch: databases.get("batch")?.clone(),
        patience,
        out: options.out.clone(),
        file_names: Mutex::new(FileNames::default()),
        seen: Mutex::default(),
    })
}

struct Run<'a> {
    databases: &'a Databases,
    options: &'a IngestOptions,
    cache: Cache,
    progress: &'a Progress,
    patience: Patience,
    total: u64,
    /// What the metrics have been told already; nothing is counted twice.
    counted: tokio::sync::Mutex<BTreeMap<&'static str, StageFigures>>,
}

impl Run<'_> {
    fn store_error(&self, error: Error, done: u64) -> IngestError {
        IngestError::Store { error, done, total: self.total }
    }

    async fn process_all(&self, files: Vec<Found>) -> Result<Vec<Outcome>, IngestError> {
        for stage in STAGES {
            self.progress.expect(stage, files.len() as u64);
        }
        let fail = |error| self.store_error(error, 0);
        let (cache, patience) = (self.cache.clone(), self.patience.clone());
        let worker = worker(self.databases, self.options, cache, self.progress, patience);
        let worker = worker.map_err(fail)?;
        worker.runner.check_cache().await.map_err(|error| match error {
            PipelineError::Store(error) => fail(error),
            other => fail(refused(&other)),
        })?;
        project::start(&worker.batch, &self.options.project, &files, &self.patience)
            .await
            .map_err(fail)?;
        let outcomes = Mutex::new(Vec::with_capacity(files.len()));
        let working = async {
            // Twice as many documents as stages that run at once: while one stage works, the next
            // document is read and looked up.
            let mut work = futures_util::stream::iter(files)
                .map(|file| worker.process(file))
                .buffer_unordered(self.options.concurrency.max(1) * 2);
            while let Some(outcome) = work.next().await {
                outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(outcome?);
            }
            Ok::<(), PipelineError>(())
        };
        let worked = tokio::select! {
            worked = working => worked,
            error = self.save_progress() => Err(error.into()),
        };
        let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        match worked {
            Ok(()) => Ok(outcomes),
            Err(PipelineError::Store(error)) => {
                let done = outcomes.iter().filter(|outcome| outcome.is_done()).count() as u64;
                Err(self.store_error(error, done))
            }
            Err(other) => Err(self.store_error(refused(&other), 0)),
        }
    }

    /// The cache's figures, added to those of all processes as well.
    async fn cached(&self) -> TemplateMetrics {
        if let Err(error) = self.cache.close().await {
            tracing::warn!(%error, "the cache's figures could not be added to the metrics");
        }
        self.cache.metrics().total()
    }

    /// Copies the progress until the store fails for good.
    async fn save_progress(&self) -> Error {
        loop {
            tokio::time::sleep(SAVE_EVERY).await;
            if let Err(error) = self.save_once().await {
                return error;
            }
        }
    }

    async fn save_once(&self) -> Result<(), Error> {
        let batch = self.databases.get("batch")?;
        let key = project::progress_key(&self.options.project)?;
        self.progress.save(batch, &key, &self.patience).await?;
        let mut counted = self.counted.lock().await;
        *counted = self.progress.count(self.databases.get("metrics")?, &counted).await;
        Ok(())
    }

    /// Resolves over all documents, finishes the files, and writes down how it went.
    async fn finish(&self, outcomes: Vec<Outcome>) -> Result<IngestReport, IngestError> {
        let mut processed: Vec<Processed> = Vec::new();
        let mut report =
            IngestReport { project: self.options.project.clone(), ..Default::default() };
        for outcome in outcomes {
            report.documents.total += 1;
            match outcome {
                Outcome::Done(document) => processed.push(*document),
                Outcome::Duplicate => report.documents.duplicates += 1,
                Outcome::Failed { name, error } => report.failures.push(failure(name, error)),
            }
        }
        // Documents end in any order; what is made of them does not depend on it.
        processed.sort_by(|a, b| a.name.cmp(&b.name));
        report.failures.sort();
        report.documents.failed = report.failures.len() as u64;
        report.documents.done = processed.len() as u64 + report.documents.duplicates;
        let done = report.documents.done;
        summary::across(self, processed, &mut report).await?;
        report.stages = self.progress.figures();
        let fail = |error| self.store_error(error, done);
        let batch = self.databases.get("batch").map_err(fail)?;
        self.save_once().await.map_err(fail)?;
        project::finish(batch, &report, &self.patience).await.map_err(fail)?;
        Ok(report)
    }
}

/// What no store said, as one would have.
fn refused(error: &PipelineError) -> Error {
    Error::new(compartment_core::ErrorKind::Unsupported, "process documents", error.to_string())
}

fn failure(document: String, error: StageError) -> Failure {
    Failure {
        document,
        code: error.code.to_owned(),
        reason: error.message,
        may_succeed_later: error.is_transient,
    }
}
