//! Tasks of the ledger, and dead letters.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use compartment::pipeline::ledger::LedgerStatus;
use compartment_operations::work::{DeadLetter, DeadLetterQuery, TaskList, TaskQuery};
use serde::{Deserialize, Serialize};

use super::{Answer, Problem, answer, problem};
use crate::query::{Parameters, filter, rows};
use crate::state::Shared;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskParameters {
    batch: Option<String>,
    stage: Option<String>,
    status: Option<String>,
    worker: Option<String>,
    error: Option<String>,
    limit: Option<u64>,
    offset: Option<u64>,
}

fn status(text: Option<String>) -> Result<Option<LedgerStatus>, Problem> {
    let Some(text) = filter(text)? else { return Ok(None) };
    let all = [LedgerStatus::Done, LedgerStatus::Failed, LedgerStatus::Dead, LedgerStatus::Retried];
    match all.into_iter().find(|status| status.name() == text) {
        Some(status) => Ok(Some(status)),
        None => {
            let why = "a status is done, failed, dead or retried";
            Err(problem(StatusCode::BAD_REQUEST, why))
        }
    }
}

/// `GET /api/tasks`
pub(crate) async fn tasks(
    State(shared): State<Arc<Shared>>,
    Parameters(asked): Parameters<TaskParameters>,
) -> Answer<TaskList> {
    let mut query = TaskQuery::default();
    query.batch = filter(asked.batch)?;
    query.stage = filter(asked.stage)?;
    query.status = status(asked.status)?;
    query.worker = filter(asked.worker)?;
    query.error = filter(asked.error)?;
    query.limit = rows(asked.limit);
    query.offset = asked.offset.unwrap_or(0);
    answer(shared.operations.tasks(&query).await?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeadLetterParameters {
    stage: Option<String>,
    error: Option<String>,
    limit: Option<u64>,
    offset: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct DeadLetters {
    dead_letters: Vec<DeadLetter>,
}

/// `GET /api/dead-letters`
pub(crate) async fn dead_letters(
    State(shared): State<Arc<Shared>>,
    Parameters(asked): Parameters<DeadLetterParameters>,
) -> Answer<DeadLetters> {
    let mut query = DeadLetterQuery::default();
    query.stage = filter(asked.stage)?;
    query.error = filter(asked.error)?;
    query.limit = rows(asked.limit);
    query.offset = asked.offset.unwrap_or(0);
    answer(DeadLetters { dead_letters: shared.operations.dead_letters(&query).await? })
}
