//! Processes files into entities and relationships over all of them.

mod across;
mod document;
mod project;
mod report;
mod warm;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use compartment_cache::{Cache, TemplateMetrics};
use compartment_core::{Databases, Error, Role, SystemClock};
use compartment_pipeline::{
    Engine, EngineOptions, LocalRun, Patience, Progress, StageError, StageFigures,
};
use futures_util::StreamExt;

pub use report::{DocumentCounts, ExtractorsReport, Failure, IngestReport};
pub use warm::{WarmDocuments, WarmedDocuments, warm, warm_cache};

use crate::extractors::Spent;
use crate::files::{Found, discover};
use crate::legal::Legal;
use crate::options::IngestOptions;
use crate::result_cache::open_cache;
use crate::stages::ACROSS;
use document::{Documents, Outcome, Processed};

/// Why a run ended early. Its results are kept, and another run continues from them.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// A store failed permanently, or was unreachable for longer than the run waits.
    #[error("{error}")]
    Store {
        /// The store's error.
        error: Error,
        /// Number of documents done.
        done: u64,
        /// Total number of documents.
        total: u64,
    },
    /// A file of results could not be written.
    #[error("cannot write {}: {error}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
}

// `Display` with all causes, since a `main` that returns a `Result` prints `Debug`.
impl std::fmt::Debug for IngestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Interval at which the progress is copied into the batch database.
const SAVE_EVERY: Duration = Duration::from_millis(250);

/// Processes the documents at `paths` over `databases`, and counts in `progress`.
///
/// Needs the databases `cache`, `batch` and `metrics`. A failed document is listed in the report
/// and does not stop the run.
///
/// # Errors
/// [`IngestError`], with the number of documents done.
pub async fn ingest(
    databases: &Databases,
    paths: &[PathBuf],
    options: &IngestOptions,
    progress: &Progress,
) -> Result<IngestReport, IngestError> {
    let started = Instant::now();
    let (own_paths, links) = (paths.to_vec(), options.links);
    // Walking a large folder tree blocks.
    let discovery =
        tokio::task::spawn_blocking(move || discover(&own_paths, links)).await.unwrap_or_default();
    let mut options = options.clone();
    options.roots = discovery.roots.clone();
    let options = &options;
    let total = (discovery.files.len() + discovery.failures.len()) as u64;
    let patience = Patience::new(options.wait, Arc::new(SystemClock), progress.observer());
    let fail = |error| IngestError::Store { error, done: 0, total };
    let cache = open_cache(databases, options.cache).await.map_err(fail)?;
    let counted = Default::default();
    let run = Run { databases, options, cache, progress, patience, total, counted };
    let spent_before = options.extractors.spending.so_far();
    let mut outcomes = run.process_all(discovery.files).await?;
    for (name, error) in discovery.failures {
        outcomes.push(Outcome::Failed { name, error });
    }
    let mut report = run.finish(outcomes).await?;
    report.cache = run.cached().await;
    if let Some(extractors) = &mut report.extractors {
        extractors.spent.extend(options.extractors.spending.since(&spent_before));
    }
    report.documents.skipped = discovery.skipped;
    report.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let finished = (report.documents.done + report.documents.failed) as f64;
    report.documents_per_second = finished / started.elapsed().as_secs_f64().max(1e-6);
    Ok(report)
}

struct Run<'a> {
    databases: &'a Databases,
    options: &'a IngestOptions,
    cache: Cache,
    progress: &'a Progress,
    patience: Patience,
    total: u64,
    /// The counts already added to the metrics, so that nothing is counted twice.
    counted: tokio::sync::Mutex<BTreeMap<&'static str, StageFigures>>,
}

impl Run<'_> {
    fn store_error(&self, error: Error, done: u64) -> IngestError {
        IngestError::Store { error, done, total: self.total }
    }

    /// Takes the files through the stages.
    async fn process_all(&self, files: Vec<Found>) -> Result<Vec<Outcome>, IngestError> {
        let fail = |error| self.store_error(error, 0);
        let legal = Legal::declare(self.databases, self.options).map_err(fail)?;
        let engine = EngineOptions::default()
            .progress(self.progress.clone())
            .concurrency(self.options.concurrency);
        let (pipeline, nodes) = (legal.pipeline, legal.nodes);
        let engine = Engine::new(pipeline, self.databases, self.cache.clone(), engine);
        engine.check_cache().await.map_err(fail)?;
        let batch = self.databases.role(Role::Batch).map_err(fail)?;
        project::start(batch, &self.options.project, &files, &self.patience).await.map_err(fail)?;
        let mut run = LocalRun::new(engine, (nodes.mentions, nodes.resolved, nodes.related));
        if let Some(recorder) = &self.options.recorder {
            run = run.recorder(Arc::clone(recorder));
        }
        run.expect(files.len() as u64);
        self.progress.expect(ACROSS, files.len() as u64);
        let documents = Documents::new(run, batch.clone(), self.patience.clone(), self.options);
        let outcomes = Mutex::new(Vec::with_capacity(files.len()));
        let working = async {
            let mut work = documents.all(files);
            while let Some(outcome) = work.next().await {
                outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(outcome?);
            }
            Ok::<(), Error>(())
        };
        let worked = tokio::select! {
            worked = working => worked,
            error = self.save_progress() => Err(error),
        };
        let recorded = match &self.options.recorder {
            Some(recorder) => recorder.finish(worked.is_ok()).await,
            None => Ok(()),
        };
        let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        worked.and(recorded).map_err(|error| {
            let done = outcomes.iter().filter(|outcome| outcome.is_done()).count() as u64;
            self.store_error(error, done)
        })?;
        Ok(outcomes)
    }

    /// The cache's metrics of this run, which are also added to those of all processes.
    async fn cached(&self) -> TemplateMetrics {
        if let Err(error) = self.cache.close().await {
            tracing::warn!(%error, "the cache's figures could not be added to the metrics");
        }
        self.cache.metrics().total()
    }

    /// Copies the progress until the store fails permanently.
    async fn save_progress(&self) -> Error {
        loop {
            tokio::time::sleep(SAVE_EVERY).await;
            if let Err(error) = self.save_once().await {
                return error;
            }
        }
    }

    /// The agreement of the extractors over all documents, if there are any beside the rules.
    fn extractors(&self, processed: &[Processed]) -> Option<ExtractorsReport> {
        if self.options.extractors.beside.is_empty() {
            return None;
        }
        let mut report = ExtractorsReport::default();
        let names = self.options.extractors.beside.iter().map(|extractor| extractor.name());
        report.spent = names.map(|name| (name, Spent::default())).collect();
        for agreement in processed.iter().filter_map(|document| document.agreement.as_ref()) {
            report.agreement.add(agreement);
        }
        Some(report)
    }

    async fn save_once(&self) -> Result<(), Error> {
        let batch = self.databases.role(Role::Batch)?;
        let key = project::progress_key(&self.options.project)?;
        self.progress.save(batch, &key, &self.patience).await?;
        let mut counted = self.counted.lock().await;
        *counted = self.progress.count(self.databases.role(Role::Metrics)?, &counted).await;
        Ok(())
    }

    /// Resolves over all documents, completes the files, and records the outcome.
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
        // Documents end in any order, so they are sorted for a deterministic result.
        processed.sort_by(|a, b| a.name.cmp(&b.name));
        report.failures.sort();
        report.documents.failed = report.failures.len() as u64;
        report.documents.done = processed.len() as u64 + report.documents.duplicates;
        let done = report.documents.done;
        report.extractors = self.extractors(&processed);
        across::across(self, processed, &mut report).await?;
        report.stages = self.progress.figures();
        report.order = self.progress.stages();
        let fail = |error| self.store_error(error, done);
        let batch = self.databases.role(Role::Batch).map_err(fail)?;
        self.save_once().await.map_err(fail)?;
        project::finish(batch, &report, &self.patience).await.map_err(fail)?;
        Ok(report)
    }
}

fn failure(document: String, error: StageError) -> Failure {
    Failure {
        document,
        code: error.code.to_owned(),
        reason: error.message,
        may_succeed_later: error.is_transient,
    }
}
