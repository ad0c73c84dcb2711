//! Plans changes of a batch: pause, resume, cancel, and a retry of its failed documents.

use std::collections::BTreeMap;
use std::sync::Arc;

use compartment::batch::{BatchPlan, BatchProgress, BatchStatus, MAX_AT_ONCE};
use compartment::database_map::Role;
use compartment::lock::FencingToken;
use futures_util::TryStreamExt;
use serde_json::{Value, json};

use super::counted::{Bound, Counted, MAX_NAMES, digest, lines};
use super::placed::bound_to;
use super::{Change, ChangeError, Changes};
use crate::work::batch_status;
use crate::{count, counted};

/// How a batch is steered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Steer {
    Pause,
    Resume,
    Cancel,
}

impl Steer {
    pub(super) fn of(change: &Change) -> Option<(Self, &str)> {
        match change {
            Change::PauseBatch { batch } => Some((Self::Pause, batch)),
            Change::ResumeBatch { batch } => Some((Self::Resume, batch)),
            Change::CancelBatch { batch } => Some((Self::Cancel, batch)),
            _ => None,
        }
    }

    const fn verb(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
        }
    }

    /// Why the batch cannot be steered so, if it cannot.
    fn refusal(self, name: &str, progress: &BatchProgress) -> Option<String> {
        let status = batch_status(progress.status, progress.is_paused);
        let is_over = matches!(progress.status, BatchStatus::Completed | BatchStatus::Cancelled);
        match self {
            _ if is_over => Some(format!("batch {name} is {status}: nothing of it is handed out")),
            Self::Pause if progress.is_paused => Some(format!("batch {name} is paused already")),
            Self::Resume if !progress.is_paused => Some(format!("batch {name} is not paused")),
            _ => None,
        }
    }
}

impl Changes {
    async fn progress(&self, name: &str) -> Result<BatchProgress, ChangeError> {
        let database = self.operations().batch_database().await?;
        database.batch().progress(name).await?.ok_or_else(|| {
            let what = format!("there is no batch {name:?}; `compartment batch list` shows them");
            ChangeError::Invalid(what)
        })
    }

    /// The place of batches and queues, as plans are bound to it.
    pub(super) async fn batch_server(&self) -> Result<String, ChangeError> {
        let place = self.place(self.map().roles().database(Role::Batch)).await?;
        Ok(bound_to(&place))
    }

    pub(super) async fn count_batch(
        &self,
        steer: Steer,
        name: &str,
    ) -> Result<Counted, ChangeError> {
        let server = self.batch_server().await?;
        let progress = self.progress(name).await?;
        let left = progress.total.saturating_sub(progress.done + progress.dead);
        let status = batch_status(progress.status, progress.is_paused);
        let born = progress.born.number();
        let state = state_of(&progress);
        Ok(Counted {
            summary: format!(
                "{} batch {name}, which is {status} and has {} left of {}",
                steer.verb(),
                counted(left, "document"),
                count(progress.total)
            ),
            touches: vec![format!("batch {name}: {status}, {} left", counted(left, "document"))],
            count: 1,
            // Without the counts of documents: they change all the time while a batch goes on.
            digest: digest([name, &born.to_string(), status]),
            server,
            refusals: steer.refusal(name, &progress).into_iter().collect(),
            dry_run: state.clone(),
            before: state,
            bound: Bound::Batch(progress.born),
        })
    }

    /// Steers the batch that was born with `born`, and no other of its name.
    pub(super) async fn steer(
        &self,
        steer: Steer,
        name: &str,
        born: FencingToken,
    ) -> Result<(String, Value), ChangeError> {
        let database = self.operations().batch_database().await?;
        let store = database.batch().born_as(born);
        let done = match steer {
            Steer::Pause => {
                store.pause(name, true).await?;
                format!("batch {name} is paused: no document is handed out; running ones finish")
            }
            Steer::Resume => {
                store.pause(name, false).await?;
                format!("batch {name} continues")
            }
            Steer::Cancel => {
                let status = store.cancel(name).await?;
                if status == BatchStatus::Completed {
                    let what = format!("batch {name} is completed: there is nothing to cancel");
                    return Err(ChangeError::Refused(what));
                }
                format!("batch {name} is cancelled: no document is handed out any more")
            }
        };
        let after = store.progress(name).await?.as_ref().map_or(Value::Null, state_of);
        Ok((done, after))
    }

    pub(super) async fn count_failures(
        &self,
        name: &str,
        stage: Option<&str>,
        error: Option<&str>,
    ) -> Result<Counted, ChangeError> {
        let server = self.batch_server().await?;
        let progress = self.progress(name).await?;
        let database = self.operations().batch_database().await?;
        let store = database.batch().born_as(progress.born);
        let plan = store.plan(name).await?;
        let index = stage.map(|stage| stage_of(&plan, name, stage)).transpose()?;
        let mut groups: BTreeMap<String, u64> = BTreeMap::new();
        let mut found = Vec::new();
        let mut failures = store.failures(name);
        while let Some(failure) = failures.try_next().await? {
            let is_meant = index.is_none_or(|index| failure.stage == index)
                && error.is_none_or(|error| failure.error.starts_with(error));
            if !is_meant {
                continue;
            }
            if found.len() == MAX_NAMES {
                return Err(ChangeError::Invalid(format!(
                    "more than {} failed documents fit: choose a stage or an error",
                    count(MAX_NAMES as u64)
                )));
            }
            let code = failure.error.split(':').next().unwrap_or_default();
            let stage = plan.stages.get(failure.stage).map_or("", |stage| stage.name.as_str());
            let group = compartment_admin::printable(&format!("stage {stage}, error {code}"));
            *groups.entry(group.chars().take(200).collect()).or_default() += 1;
            found.push((failure.stage, failure.ordinal));
        }
        found.sort_unstable();
        found.dedup();
        let documents = found.len() as u64;
        let refusals = match documents {
            0 => vec![format!("no document of batch {name} failed like that")],
            _ => Vec::new(),
        };
        let numbers = found.iter().map(|(stage, ordinal)| format!("{stage}/{ordinal}"));
        let digest = digest([progress.born.number().to_string()].into_iter().chain(numbers));
        let groups = groups.into_iter().collect();
        Ok(Counted {
            summary: format!(
                "retry {} of batch {name}, those included that wait for a retry already",
                counted(documents, "failed document")
            ),
            touches: lines(groups, "document"),
            count: documents,
            digest,
            server,
            refusals,
            dry_run: json!({ "batch": name, "would_retry": documents }),
            before: state_of(&progress),
            bound: Bound::Failures(progress.born, Arc::new(found)),
        })
    }

    /// Retries the very documents that were counted, of the very batch.
    pub(super) async fn retry(
        &self,
        name: &str,
        born: FencingToken,
        failures: &[(usize, u32)],
    ) -> Result<(String, u64, Value), ChangeError> {
        let database = self.operations().batch_database().await?;
        let store = database.batch().born_as(born);
        let mut retried = 0;
        for page in failures.chunks(MAX_AT_ONCE) {
            retried += store.retry(name, page.to_vec()).await?;
        }
        let after = store.progress(name).await?.as_ref().map_or(Value::Null, state_of);
        Ok((
            format!("{} of batch {name} will be retried", counted(retried, "document")),
            retried,
            after,
        ))
    }
}

fn stage_of(plan: &BatchPlan, name: &str, stage: &str) -> Result<usize, ChangeError> {
    plan.index_of(stage).ok_or_else(|| {
        let known: Vec<&str> = plan.stages.iter().map(|stage| stage.name.as_str()).collect();
        let what = format!("batch {name} has no stage {stage:?}; it has {}", known.join(", "));
        ChangeError::Invalid(what)
    })
}

fn state_of(progress: &BatchProgress) -> Value {
    json!({
        "status": batch_status(progress.status, progress.is_paused),
        "total": progress.total,
        "done": progress.done,
        "dead": progress.dead,
    })
}
