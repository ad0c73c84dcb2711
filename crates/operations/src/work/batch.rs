//! One batch: its stages, failures by code, documents in progress, and the slowest.

use std::collections::BTreeMap;
use std::time::Duration;

use compartment::batch::{BatchPlan, BatchProgress};
use compartment::clock::{Clock, SystemClock, Timestamp};
use compartment::pipeline::ledger::LedgerTask;
use compartment::pipeline::{BatchRegistry, Running};
use compartment::{Database, Error, ErrorKind};
use futures_util::TryStreamExt;
use serde::Serialize;

use super::reading::{BatchSummary, summary_of, unserved};
use super::tasks::with_times;
use crate::{Operations, Result};

/// Failures read to form the groups; those beyond are only counted.
const LOOKED_AT: usize = 20_000;
/// A document that has been processed for longer than this is taken to be stuck.
pub const STUCK_AFTER: Duration = Duration::from_secs(120);
/// The slowest documents that are listed.
const SLOWEST: u64 = 8;

/// A batch at one moment.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct BatchView {
    /// The batch in one line, with its stages.
    #[serde(flatten)]
    pub summary: BatchSummary,
    /// Failed documents by stage and code, the largest group first.
    pub failures: Vec<FailureGroup>,
    /// Documents in progress, the longest-running first.
    pub running: Vec<RunningDocument>,
    /// Documents that have been in progress for more than two minutes.
    pub stuck: Vec<RunningDocument>,
    /// The slowest documents so far, by the ledger.
    #[serde(serialize_with = "with_times")]
    pub slowest: Vec<LedgerTask>,
    /// Its plan.
    #[serde(skip)]
    pub plan: BatchPlan,
    /// Its progress as the store gives it.
    #[serde(skip)]
    pub progress: BatchProgress,
}

/// Documents that failed at the same stage with the same code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FailureGroup {
    /// The stage.
    pub stage: String,
    /// The part of the error before the first colon.
    pub code: String,
    /// One whole error.
    pub example: String,
    /// How many.
    pub documents: u64,
}

/// A document in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RunningDocument {
    /// The worker.
    pub worker: String,
    /// Its number in the batch.
    pub ordinal: u64,
    /// Its name.
    pub document: String,
    /// The stage.
    pub stage: String,
    /// For how long, in milliseconds.
    pub for_ms: u64,
}

impl RunningDocument {
    fn of(worker: &str, one: &Running, now: Timestamp) -> Self {
        let long = now.since(one.since).as_millis();
        Self {
            worker: worker.to_owned(),
            ordinal: one.number,
            document: one.name.clone(),
            stage: one.stage.clone(),
            for_ms: u64::try_from(long).unwrap_or(u64::MAX),
        }
    }

    /// For how long.
    #[must_use]
    pub const fn time(&self) -> Duration {
        Duration::from_millis(self.for_ms)
    }
}

impl Operations {
    /// A batch, with its failures and slowest documents, of which there may be many to read.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] for a batch that does not exist; the store's and the ledger's.
    pub async fn batch(&self, name: &str) -> Result<BatchView> {
        let mut view = self.batch_briefly(name).await?;
        view.failures = failures(&self.batch_database().await?, name, &view.plan).await?;
        view.slowest = self.slowest(name, SLOWEST).await?;
        Ok(view)
    }

    /// A batch without its failures and its slowest documents.
    ///
    /// # Errors
    /// Those of [`Operations::batch`].
    pub async fn batch_briefly(&self, name: &str) -> Result<BatchView> {
        let database = self.batch_database().await?;
        let registry = BatchRegistry::new(database.clone());
        let unknown = || {
            let what =
                format!("there is no batch {name:?}; `compartment batch list` shows the batches");
            Error::new(ErrorKind::Unknown, "read batch", what).in_database("batch")
        };
        let record = registry.get(name).await?.ok_or_else(unknown)?;
        let progress = database.batch().progress(name).await?.ok_or_else(unknown)?;
        let plan = database.batch().plan(name).await?;
        let stages: Vec<String> = plan.stages.iter().map(|stage| stage.name.clone()).collect();
        let mut summary = summary_of(&record, &progress, &stages);
        let (workers, now) = (self.workers().await?, SystemClock.now());
        summary.unserved = unserved(&summary, &workers);
        let mut running: Vec<RunningDocument> = workers
            .iter()
            .filter(|worker| !worker.is_gone)
            .flat_map(|worker| worker.state.running.iter().map(|one| (&worker.state.id, one)))
            .filter(|(_, one)| one.source == name)
            .map(|(worker, one)| RunningDocument::of(worker, one, now))
            .collect();
        running.sort_by_key(|one| std::cmp::Reverse(one.for_ms));
        let stuck = running.iter().filter(|one| one.time() > STUCK_AFTER).cloned().collect();
        let (failures, slowest) = (Vec::new(), Vec::new());
        Ok(BatchView { summary, failures, running, stuck, slowest, plan, progress })
    }

    /// The failures of a batch, by stage and code, the largest group first.
    ///
    /// # Errors
    /// The store's.
    pub async fn batch_failures(&self, view: &BatchView) -> Result<Vec<FailureGroup>> {
        failures(&self.batch_database().await?, &view.summary.name, &view.plan).await
    }
}

async fn failures(database: &Database, name: &str, plan: &BatchPlan) -> Result<Vec<FailureGroup>> {
    let mut groups: BTreeMap<(usize, String), FailureGroup> = BTreeMap::new();
    let mut failures = database.batch().failures(name);
    let mut looked_at = 0;
    while let Some(failure) = failures.try_next().await? {
        looked_at += 1;
        if looked_at > LOOKED_AT {
            break;
        }
        let code = failure.error.split(':').next().unwrap_or_default().to_owned();
        let stage = plan.stages.get(failure.stage).map(|stage| stage.name.clone());
        let group = groups.entry((failure.stage, code.clone())).or_insert_with(|| FailureGroup {
            stage: stage.unwrap_or_default(),
            code,
            example: failure.error,
            documents: 0,
        });
        group.documents += 1;
    }
    let mut groups: Vec<FailureGroup> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.documents));
    Ok(groups)
}
