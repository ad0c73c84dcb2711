//! Which handler answers which path.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

use crate::agents::agents;
use crate::api::{batches, changes, databases, documents, figures, plans, probes, work};
use crate::events::events;
use crate::guard::guard;
use crate::openapi::openapi;
use crate::page::page;
use crate::security::secure;
use crate::state::Shared;

/// The most bytes of a request's body.
const MOST_BODY: usize = 64 * 1024;

/// The paths; `openapi.rs` describes those of the API.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let routes = Router::new()
        .route("/health", get(probes::health))
        .route("/ready", get(probes::ready))
        .route("/metrics", get(figures::metrics))
        .route("/api/openapi.json", get(openapi))
        .route("/api/look", get(figures::look))
        .route("/api/events", get(events))
        .route("/api/doctor", get(figures::doctor))
        .route("/api/databases/{name}", get(databases::database))
        .route("/api/history/{subject}", get(databases::history))
        .route("/api/batches/{name}", get(batches::batch))
        .route("/api/tasks", get(work::tasks))
        .route("/api/dead-letters", get(work::dead_letters))
        .route("/api/documents", get(documents::documents))
        .route("/api/documents/{hash}", get(documents::document))
        .route("/api/plans", get(plans::plans))
        .route("/api/audit", get(changes::audit))
        .route("/api/changes/plan", post(changes::plan))
        .route("/api/changes/act", post(changes::act))
        .merge(agents(&shared.operations, &shared.options))
        .fallback(page);
    routes
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(from_fn_with_state(Arc::clone(&shared), guard))
        .layer(from_fn(secure))
        .with_state(shared)
}
