//! The progress of a batch, as `batch show` and `batch watch` show it.

use std::collections::BTreeMap;
use std::time::Duration;

use compartment::batch::{BatchPlan, BatchProgress, BatchStatus};
use compartment::clock::{Clock, SystemClock, Timestamp};
use compartment::database_map::Role;
use compartment::pipeline::{BatchRecord, BatchRegistry, Running, WorkerState, workers};
use compartment::{Databases, Error, ErrorKind};
use futures_util::TryStreamExt;
use serde_json::{Value, json};

use super::list::status;
use crate::exit_code::CliError;

/// Failures read to form the groups; those beyond are only counted.
const LOOKED_AT: usize = 20_000;
/// A document that has been processed for longer than this is taken to be stuck.
pub(super) const STUCK_AFTER: Duration = Duration::from_secs(120);

/// The state of a batch at one moment.
pub(super) struct View {
    pub(super) record: BatchRecord,
    pub(super) plan: BatchPlan,
    pub(super) progress: BatchProgress,
    /// Failed documents grouped by stage and error code, the largest group first.
    pub(super) failures: Vec<FailureGroup>,
    /// Documents in progress with their worker, the longest-running first.
    pub(super) running: Vec<(String, Running)>,
    /// Stages that no live worker serves.
    pub(super) unserved: Vec<String>,
    pub(super) now: Timestamp,
}

/// Documents that failed at the same stage with the same code.
#[derive(Clone)]
pub(super) struct FailureGroup {
    pub(super) stage: String,
    /// The code is the part of the error before the first colon; `example` is one full error.
    pub(super) code: String,
    pub(super) example: String,
    pub(super) documents: u64,
}

impl View {
    /// Reads the state; the failures only `with_failures`, since there may be many.
    pub(super) async fn read(
        databases: &Databases,
        name: &str,
        with_failures: bool,
    ) -> Result<Self, CliError> {
        let database = databases.role(Role::Batch)?;
        let registry = BatchRegistry::new(database.clone());
        let unknown = || {
            let what =
                format!("there is no batch {name:?}; `compartment batch list` shows the batches");
            Error::new(ErrorKind::Unknown, "read batch", what).in_database("batch")
        };
        let record = registry.get(name).await?.ok_or_else(unknown)?;
        let store = database.batch();
        let progress = store.progress(name).await?.ok_or_else(unknown)?;
        let plan = store.plan(name).await?;
        let now = SystemClock.now();
        let states = workers(database).await?;
        let alive: Vec<&WorkerState> = states.iter().filter(|state| !state.is_gone(now)).collect();
        let mut running: Vec<(String, Running)> = alive
            .iter()
            .flat_map(|state| state.running.iter().map(|one| (state.id.clone(), one.clone())))
            .filter(|(_, running)| running.source == name)
            .collect();
        running.sort_by_key(|(_, running)| running.since);
        let is_served = |stage: &str| {
            let served = format!("{}/{stage} ", record.pipeline);
            alive.iter().any(|state| state.serves.iter().any(|one| one.starts_with(&served)))
        };
        let stages = plan.stages.iter().map(|stage| stage.name.clone());
        let unserved = stages.filter(|stage| !is_served(stage)).collect();
        let failures =
            if with_failures { failures(databases, name, &plan).await? } else { Vec::new() };
        Ok(Self { record, plan, progress, failures, running, unserved, now })
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.progress.status, BatchStatus::Completed | BatchStatus::Cancelled)
    }

    /// Documents in progress for longer than [`STUCK_AFTER`].
    pub(super) fn stuck(&self) -> impl Iterator<Item = &(String, Running)> {
        self.running.iter().filter(|(_, running)| self.now.since(running.since) > STUCK_AFTER)
    }

    /// The status of the batch, in one word.
    pub(super) fn status(&self) -> &'static str {
        status(self.progress.status, self.progress.is_paused)
    }

    pub(super) fn as_json(&self) -> Value {
        let progress = &self.progress;
        let stages = self.plan.stages.iter().zip(&progress.stages).map(|(stage, figures)| {
            json!({
                "stage": stage.name,
                "done": figures.done,
                "dead": figures.dead,
                "claimed": figures.claimed,
                "ready": figures.ready,
                "delayed": figures.delayed,
            })
        });
        let running = |(worker, one): &(String, Running)| {
            json!({
                "worker": worker,
                "ordinal": one.number,
                "document": one.name,
                "stage": one.stage,
                "for_ms": millis(self.now.since(one.since)),
            })
        };
        let failures = self.failures.iter().map(|group| {
            json!({
                "stage": group.stage,
                "code": group.code,
                "example": group.example,
                "documents": group.documents,
            })
        });
        json!({
            "name": self.record.name,
            "pipeline": self.record.pipeline,
            "class": self.record.class,
            "created_ms": self.record.created_at.as_millis(),
            "status": self.status(),
            "total": progress.total,
            "done": progress.done,
            "dead": progress.dead,
            "entry_bytes": progress.bytes,
            "stages": stages.collect::<Vec<_>>(),
            "failures": failures.collect::<Vec<_>>(),
            "running": self.running.iter().map(running).collect::<Vec<_>>(),
            "stuck": self.stuck().map(running).collect::<Vec<_>>(),
            "unserved_stages": self.unserved,
        })
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The failures of a batch, by stage and code.
async fn failures(
    databases: &Databases,
    name: &str,
    plan: &BatchPlan,
) -> Result<Vec<FailureGroup>, CliError> {
    let mut groups: BTreeMap<(usize, String), FailureGroup> = BTreeMap::new();
    let mut failures = databases.role(Role::Batch)?.batch().failures(name);
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
