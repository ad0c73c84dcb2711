//! The newest look as JSON and as Prometheus's text, and the doctor's findings.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use compartment_operations::prometheus::render_look;

use super::problem;
use crate::state::{Rendered, Shared};

fn newest(shared: &Shared) -> Result<Rendered, Response> {
    let not_yet = || {
        problem(StatusCode::SERVICE_UNAVAILABLE, "no figures have been read yet").into_response()
    };
    shared.newest().ok_or_else(not_yet)
}

/// `GET /api/look`
pub(crate) async fn look(State(shared): State<Arc<Shared>>) -> Response {
    match newest(&shared) {
        Ok(newest) => ([(header::CONTENT_TYPE, "application/json")], newest.json).into_response(),
        Err(response) => response,
    }
}

/// `GET /metrics`
pub(crate) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let form = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    match newest(&shared) {
        Ok(newest) => (form, render_look(&newest.look)).into_response(),
        Err(response) => response,
    }
}

/// `GET /api/doctor`: examines the deployment now.
pub(crate) async fn doctor(State(shared): State<Arc<Shared>>) -> Response {
    match shared.operations.examine().await {
        Ok(found) => axum::Json(found).into_response(),
        Err(error) => super::Problem::from(error).into_response(),
    }
}
