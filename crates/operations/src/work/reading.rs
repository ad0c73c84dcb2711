//! Reads batches, workers and queues from look to look.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use compartment::Database;
use compartment::batch::{BatchProgress, BatchStatus};
use compartment::clock::{Clock, SystemClock};
use compartment::pipeline::{BatchRecord, BatchRegistry};
use compartment::queue::TaskClass;
use serde::{Deserialize, Serialize};

use super::queues::{QueueSummary, queues, read_queues};
use super::rates::Rates;
use super::workers::WorkerSummary;
use crate::{Operations, Result};

/// Batches that are listed. Their progress is read at every look while they go on.
const MAX_BATCHES: usize = 200;

/// The pipeline's work.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Work {
    /// The database that holds it.
    pub database: String,
    /// The batches: those that go on first, each group with the newest first.
    pub batches: Vec<BatchSummary>,
    /// Batches that are not in the list, because there are too many.
    pub more_batches: u64,
    /// The workers, by id.
    pub workers: Vec<WorkerSummary>,
    /// The queues of single tasks, by stage.
    pub queues: Vec<QueueSummary>,
    /// Why a part could not be read; `None` if all were.
    pub problem: Option<String>,
}

/// A batch in one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BatchSummary {
    /// Its name.
    pub name: String,
    /// The pipeline that processes its documents.
    pub pipeline: String,
    /// Its priority class.
    pub class: TaskClass,
    /// When it was submitted, in milliseconds since 1970.
    pub created_ms: u64,
    /// `open`, `running`, `paused`, `completed`, `cancelled`; `gone` or `unreadable` where its keys are not those of a
    /// batch.
    pub status: String,
    /// Documents submitted.
    pub total: u64,
    /// Documents that are done in every stage.
    pub done: u64,
    /// Documents that failed for good.
    pub dead: u64,
    /// The size of their entries, in bytes.
    pub entry_bytes: u64,
    /// The stages, in the order of the plan.
    pub stages: Vec<StageFigures>,
    /// Documents a second, over the last 20 seconds; `None` before the second look.
    pub documents_per_second: Option<f64>,
    /// Seconds until it is done at this rate; `None` while nothing moves.
    pub eta_seconds: Option<f64>,
    /// Stages that no live worker serves.
    #[serde(rename = "unserved_stages")]
    pub unserved: Vec<String>,
}

/// A stage of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StageFigures {
    /// Its name.
    pub stage: String,
    /// Documents that are done.
    pub done: u64,
    /// Documents that failed for good.
    pub dead: u64,
    /// Documents in progress.
    pub claimed: u64,
    /// Documents that wait for a worker.
    pub ready: u64,
    /// Documents that wait for a retry.
    pub delayed: u64,
}

impl BatchSummary {
    /// Whether nothing will be done any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !matches!(self.status.as_str(), "open" | "running" | "paused")
    }

    fn without_progress(record: &BatchRecord, status: &str) -> Self {
        Self {
            name: record.name.clone(),
            pipeline: record.pipeline.clone(),
            class: record.class,
            created_ms: record.created_at.as_millis(),
            status: status.to_owned(),
            total: 0,
            done: 0,
            dead: 0,
            entry_bytes: 0,
            stages: Vec::new(),
            documents_per_second: None,
            eta_seconds: None,
            unserved: Vec::new(),
        }
    }
}

/// The status of a batch, in one word.
#[must_use]
pub fn batch_status(status: BatchStatus, is_paused: bool) -> &'static str {
    match status {
        BatchStatus::Completed => "completed",
        BatchStatus::Cancelled => "cancelled",
        _ if is_paused => "paused",
        BatchStatus::Open => "open",
        _ => "running",
    }
}

/// What is known of a batch from earlier looks.
#[derive(Debug)]
struct Known {
    created_ms: u64,
    /// The stages of its plan, which never change.
    stages: Vec<String>,
    rates: Rates,
    /// Its last summary, if it was over: such a batch is not read again.
    over: Option<BatchSummary>,
}

/// Reads the work from look to look.
#[derive(Debug, Default)]
pub(crate) struct WorkReader {
    known: BTreeMap<String, Known>,
    queues: Option<(Instant, Vec<QueueSummary>)>,
    /// The looks since ended batches were read: a batch may be retried after its end.
    looks: u64,
}

/// A count of a queue is seven commands, so queues are counted at most this often.
const QUEUES_EVERY: Duration = Duration::from_secs(5);
/// Ended batches are read again once in so many looks.
const ENDED_EVERY: u64 = 60;

impl Operations {
    /// The pipeline's work now; `None` where the map has no pipeline. What cannot be read is left out, with the
    /// reason. Rates are those of a [`crate::Watcher`].
    pub async fn work(&self) -> Option<Work> {
        Box::pin(async { WorkReader::default().read(self).await }).await
    }
}

impl WorkReader {
    /// The work now; `None` where the map has no pipeline. What cannot be read is left out, with the reason.
    pub(crate) async fn read(&mut self, operations: &Operations) -> Option<Work> {
        if !operations.has_pipeline() {
            return None;
        }
        let mut work = Work::default();
        if let Err(error) = self.try_read(operations, &mut work).await {
            work.problem = Some(format!("failed to {error}"));
        }
        Some(work)
    }

    async fn try_read(&mut self, operations: &Operations, work: &mut Work) -> Result<()> {
        let databases = operations.databases().await?;
        let database = operations.batch_database().await?;
        database.name().clone_into(&mut work.database);
        work.workers = operations.workers().await?;
        self.queues = match self.queues.take() {
            Some((at, kept)) if at.elapsed() < QUEUES_EVERY => Some((at, kept)),
            _ => {
                let found = read_queues(&database, &queues(&databases, None)?).await?;
                Some((Instant::now(), found))
            }
        };
        work.queues = self.queues.iter().flat_map(|(_, kept)| kept.clone()).collect();
        self.batches(&database, work).await
    }

    async fn batches(&mut self, database: &Database, work: &mut Work) -> Result<()> {
        let mut records = BatchRegistry::new(database.clone()).list().await?;
        self.looks += 1;
        if self.looks.is_multiple_of(ENDED_EVERY) {
            self.known.values_mut().for_each(|known| known.over = None);
        }
        let there: BTreeMap<&str, u64> =
            records.iter().map(|one| (one.name.as_str(), one.created_at.as_millis())).collect();
        self.known.retain(|name, known| there.get(name.as_str()) == Some(&known.created_ms));
        let is_over = |name: &str| self.known.get(name).is_some_and(|known| known.over.is_some());
        records.sort_by_key(|one| (is_over(&one.name), std::cmp::Reverse(one.created_at)));
        work.more_batches = records.len().saturating_sub(MAX_BATCHES) as u64;
        records.truncate(MAX_BATCHES);
        for record in &records {
            let mut summary = self.summary(database, record).await?;
            if !summary.is_over() {
                summary.unserved = unserved(&summary, &work.workers);
            }
            work.batches.push(summary);
        }
        work.batches.sort_by_key(BatchSummary::is_over);
        Ok(())
    }

    async fn summary(&mut self, database: &Database, record: &BatchRecord) -> Result<BatchSummary> {
        if let Some(over) = self.known.get(&record.name).and_then(|known| known.over.clone()) {
            return Ok(over);
        }
        let progress = match database.batch().progress(&record.name).await {
            Ok(Some(progress)) => progress,
            Ok(None) => {
                return Ok(self.keep(record, BatchSummary::without_progress(record, "gone")));
            }
            Err(error) if error.is_about_stored_data() => {
                return Ok(self.keep(record, BatchSummary::without_progress(record, "unreadable")));
            }
            Err(error) => return Err(error.into()),
        };
        let stages = match self.known.get(&record.name) {
            Some(known) if !known.stages.is_empty() => known.stages.clone(),
            _ => {
                let plan = database.batch().plan(&record.name).await?;
                plan.stages.into_iter().map(|stage| stage.name).collect()
            }
        };
        let mut summary = summary_of(record, &progress, &stages);
        let now = SystemClock.now().as_millis();
        let known = self.known.entry(record.name.clone()).or_insert_with(|| Known {
            created_ms: record.created_at.as_millis(),
            stages,
            rates: Rates::default(),
            over: None,
        });
        if !summary.is_over() && !known.stages.is_empty() {
            let done: u64 = progress.stages.iter().map(|stage| stage.done + stage.dead).sum();
            let stages = known.stages.len() as u64;
            // A dead document skips its later stages, so this is the most that can be left.
            let all = progress.total * stages - progress.dead.min(progress.total) * (stages - 1);
            let rate = known.rates.note(now, done);
            summary.documents_per_second = rate.map(|rate| rate / stages as f64);
            let moves = rate.filter(|rate| *rate > 0.0);
            summary.eta_seconds = moves.map(|rate| all.saturating_sub(done) as f64 / rate);
        }
        Ok(self.keep(record, summary))
    }

    /// Remembers a batch that is over.
    fn keep(&mut self, record: &BatchRecord, summary: BatchSummary) -> BatchSummary {
        if summary.is_over() {
            let known = self.known.entry(record.name.clone()).or_insert_with(|| Known {
                created_ms: record.created_at.as_millis(),
                stages: Vec::new(),
                rates: Rates::default(),
                over: None,
            });
            known.over = Some(summary.clone());
        }
        summary
    }
}

pub(super) fn summary_of(
    record: &BatchRecord,
    progress: &BatchProgress,
    stages: &[String],
) -> BatchSummary {
    let figures = stages.iter().zip(&progress.stages).map(|(stage, figures)| StageFigures {
        stage: stage.clone(),
        done: figures.done,
        dead: figures.dead,
        claimed: figures.claimed,
        ready: figures.ready,
        delayed: figures.delayed,
    });
    let status = batch_status(progress.status, progress.is_paused);
    BatchSummary {
        total: progress.total,
        done: progress.done,
        dead: progress.dead,
        entry_bytes: progress.bytes,
        stages: figures.collect(),
        ..BatchSummary::without_progress(record, status)
    }
}

/// The stages of a batch that no live worker serves.
pub(super) fn unserved(summary: &BatchSummary, workers: &[WorkerSummary]) -> Vec<String> {
    let is_served = |stage: &str| {
        let served = format!("{}/{stage} ", summary.pipeline);
        let alive = workers.iter().filter(|worker| !worker.is_gone);
        alive.into_iter().any(|one| one.state.serves.iter().any(|one| one.starts_with(&served)))
    };
    let stages = summary.stages.iter().map(|stage| stage.stage.clone());
    stages.filter(|stage| !is_served(stage)).collect()
}
