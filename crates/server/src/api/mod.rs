//! The handlers of the JSON API, and the form of their errors.

pub(crate) mod batches;
pub(crate) mod changes;
pub(crate) mod databases;
pub(crate) mod documents;
pub(crate) mod figures;
pub(crate) mod plans;
pub(crate) mod probes;
pub(crate) mod work;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use compartment::ErrorKind;
use compartment_admin::AdminError;
use compartment_operations::OperationsError;
use serde::Serialize;
use serde_json::json;

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    why: String,
}

pub(crate) fn problem(status: StatusCode, why: impl Into<String>) -> Problem {
    Problem { status, why: why.into() }
}

/// An answer in JSON, or why there is none.
pub(crate) type Answer<T> = Result<Json<T>, Problem>;

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": self.why}))).into_response()
    }
}

fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Unknown => StatusCode::NOT_FOUND,
        ErrorKind::InvalidArgument | ErrorKind::Configuration => StatusCode::BAD_REQUEST,
        ErrorKind::Permission | ErrorKind::Authentication => StatusCode::FORBIDDEN,
        ErrorKind::Unavailable
        | ErrorKind::Timeout
        | ErrorKind::Interrupted
        | ErrorKind::NotReady => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<OperationsError> for Problem {
    fn from(error: OperationsError) -> Self {
        let status = match &error {
            OperationsError::Store(error) | OperationsError::Admin(AdminError::Server(error)) => {
                status_of(error.kind())
            }
            OperationsError::Admin(AdminError::Invalid(_))
            | OperationsError::Argument(_)
            | OperationsError::Configuration(_) => StatusCode::BAD_REQUEST,
            OperationsError::Unsafe(_) => StatusCode::CONFLICT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        match error {
            OperationsError::Store(error) => problem(status, format!("failed to {error}")),
            error => problem(status, error.to_string()),
        }
    }
}

/// An answer in JSON.
pub(crate) fn answer<T: Serialize>(value: T) -> Answer<T> {
    Ok(Json(value))
}
