//! Changes by plan, and the log of changes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use compartment_operations::changes::{
    Actor, AuditEntry, Change, ChangeDone, ChangeError, PlannedChange,
};
use serde::{Deserialize, Serialize};

use super::{Answer, Problem, answer, problem};
use crate::query::{Parameters, rows};
use crate::state::Shared;

/// Whoever has the token: it is one for all, so the log knows no more than that.
fn actor() -> Actor {
    Actor::new("page", "token")
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        let status = match error {
            ChangeError::Operations(error) => return error.into(),
            ChangeError::NotAllowed(_) => StatusCode::FORBIDDEN,
            ChangeError::Invalid(_) | ChangeError::OtherChange(_) => StatusCode::BAD_REQUEST,
            ChangeError::UnknownPlan => StatusCode::NOT_FOUND,
            ChangeError::Refused(_) | ChangeError::Moved(_) => StatusCode::CONFLICT,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        problem(status, error.to_string())
    }
}

fn body<T>(read: Result<Json<T>, JsonRejection>) -> Result<T, Problem> {
    match read {
        Ok(Json(body)) => Ok(body),
        Err(error) => Err(problem(error.status(), error.body_text())),
    }
}

/// `POST /api/changes/plan`
pub(crate) async fn plan(
    State(shared): State<Arc<Shared>>,
    read: Result<Json<Change>, JsonRejection>,
) -> Answer<PlannedChange> {
    // Boxed: the state of a dry run is large.
    answer(Box::pin(shared.changes.plan(body(read)?, &actor())).await?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Act {
    id: String,
}

/// `POST /api/changes/act`
pub(crate) async fn act(
    State(shared): State<Arc<Shared>>,
    read: Result<Json<Act>, JsonRejection>,
) -> Answer<ChangeDone> {
    let id = body(read)?.id;
    let done = Box::pin(shared.changes.act(&id, &actor())).await?;
    shared.watcher.look_now();
    answer(done)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditParameters {
    limit: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Audit {
    /// Whether the log can be read: a map without a database `metrics` on a server has none.
    has_log: bool,
    entries: Vec<AuditEntry>,
}

/// `GET /api/audit`
pub(crate) async fn audit(
    State(shared): State<Arc<Shared>>,
    Parameters(asked): Parameters<AuditParameters>,
) -> Answer<Audit> {
    let limit = rows(asked.limit) as usize;
    let found = shared.operations.audit(None, limit).await?;
    answer(Audit { has_log: found.is_some(), entries: found.unwrap_or_default() })
}
