//! Probes for whoever keeps the server running. They tell no figure.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::problem;
use crate::state::Shared;

/// `GET /health`: the process answers.
pub(crate) async fn health() -> Json<serde_json::Value> {
    Json(json!({"status": "ok"}))
}

/// `GET /ready`: figures have been read, and every server answered.
pub(crate) async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let Some(newest) = shared.newest() else {
        let why = "no figures have been read yet";
        return problem(StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    };
    if newest.look.stats.instances.iter().any(|one| one.problem.is_some()) {
        let why = "a server does not answer: `compartment health` says which";
        return problem(StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    }
    Json(json!({"status": "ready"})).into_response()
}
