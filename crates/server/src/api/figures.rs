//! The newest look as JSON and as Prometheus's text, and the doctor's findings.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use compartment_operations::prometheus::render_look;

use super::problem;
use crate::state::Shared;

fn not_yet() -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, "no figures have been read yet").into_response()
}

/// `GET /api/look`
pub(crate) async fn look(State(shared): State<Arc<Shared>>) -> Response {
    match shared.newest() {
        Some(newest) => ([(header::CONTENT_TYPE, "application/json")], newest.json).into_response(),
        None => not_yet(),
    }
}

/// `GET /metrics`
pub(crate) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let form = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    match shared.newest() {
        Some(newest) => (form, render_look(&newest.look)).into_response(),
        None => not_yet(),
    }
}

/// `GET /api/doctor`: examines the deployment now, one caller after the other.
pub(crate) async fn doctor(State(shared): State<Arc<Shared>>) -> Response {
    let _turn = shared.examining.acquire().await;
    match shared.operations.examine().await {
        Ok(found) => axum::Json(found).into_response(),
        Err(error) => super::Problem::from(error).into_response(),
    }
}
