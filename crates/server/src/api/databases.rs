//! One database, and the course of its figures.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use compartment::clock::{Clock, SystemClock};
use compartment_operations::history::{HistoryPoint, history as read_history};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answer, answer, problem};
use crate::query::{Name, Parameters};
use crate::state::Shared;

/// The time that is shown unless a request says otherwise: half a day, from noon back to midnight.
const SHOWN_MS: u64 = 12 * 3_600 * 1_000;
/// Points of one answer, at most.
const MOST_POINTS: usize = 2_000;

/// `GET /api/databases/{name}`: its contract, and its figures in the newest look.
pub(crate) async fn database(State(shared): State<Arc<Shared>>, Name(name): Name) -> Answer<Value> {
    let map = shared.operations.map();
    let Some(contract) = map.database(&name) else {
        let known: Vec<&str> = map.databases().iter().map(|one| one.name.as_str()).collect();
        let why = format!("there is no database {name:?}; there are {}", known.join(", "));
        return Err(problem(StatusCode::NOT_FOUND, why));
    };
    let newest = shared.newest();
    let look = newest.as_ref().map(|newest| &newest.look);
    let found = look.and_then(|look| look.stats.databases.iter().find(|one| one.name == name));
    let templates = map.keys().iter().filter(|(_, rule)| rule.database == name);
    let templates =
        templates.map(|(name, rule)| json!({"name": name, "template": rule.template.to_string()}));
    answer(json!({
        "name": name,
        "kind": contract.kind,
        "default_ttl_ms": contract.default_ttl.map(|ttl| ttl.as_millis() as u64),
        "memory_budget_bytes": contract.memory_budget,
        "templates": templates.collect::<Vec<_>>(),
        "figures": found,
        "clients": look.and_then(|look| look.fleet.clients.get(&name)),
        "cache": look.and_then(|look| look.fleet.caches.get(&name)),
    }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Period {
    /// Milliseconds since 1970.
    from: Option<u64>,
    to: Option<u64>,
    /// Points, at most.
    max: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Course {
    subject: String,
    from_ms: u64,
    to_ms: u64,
    points: Vec<HistoryPoint>,
}

/// `GET /api/history/{subject}`: a database, or an instance as `@name`.
pub(crate) async fn history(
    State(shared): State<Arc<Shared>>,
    Name(subject): Name,
    Parameters(period): Parameters<Period>,
) -> Answer<Course> {
    let map = shared.operations.map();
    let is_known = match subject.strip_prefix('@') {
        Some(instance) => map.instances().contains_key(instance),
        None => map.database(&subject).is_some(),
    };
    if !is_known {
        let why =
            format!("{subject:?} is neither a database nor an instance with @ before its name");
        return Err(problem(StatusCode::NOT_FOUND, why));
    }
    let to_ms = period.to.unwrap_or_else(|| SystemClock.now().as_millis());
    let from_ms = period.from.unwrap_or_else(|| to_ms.saturating_sub(SHOWN_MS));
    if from_ms > to_ms {
        return Err(problem(StatusCode::BAD_REQUEST, "from is later than to"));
    }
    let max = period.max.unwrap_or(720).min(MOST_POINTS);
    let points = match shared.operations.metrics_database().await? {
        Some(metrics) => read_history(&metrics, &subject, from_ms, to_ms, max).await?,
        None => Vec::new(),
    };
    answer(Course { subject, from_ms, to_ms, points })
}
