//! Parameters of requests, checked.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::api::{Problem, problem};

/// The longest name or text in a request, in bytes.
const LONGEST: usize = 512;
/// Rows of one answer, at most.
const MOST_ROWS: u64 = 1_000;
/// Rows of one answer unless a request says otherwise.
const ROWS: u64 = 100;

/// The parameters behind `?`. Unknown ones are refused, so that a misspelt filter does not select everything.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(read) = Query::<T>::try_from_uri(&parts.uri)
            .map_err(|error| problem(StatusCode::BAD_REQUEST, error.body_text()))?;
        Ok(Self(read))
    }
}

/// A name in the path.
pub(crate) struct Name(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(name) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|error| problem(StatusCode::BAD_REQUEST, error.body_text()))?;
        if name.is_empty() || name.len() > LONGEST || name.chars().any(char::is_control) {
            return Err(problem(StatusCode::BAD_REQUEST, "a name has 1 to 512 visible bytes"));
        }
        Ok(Self(name))
    }
}

/// How many rows to answer with.
pub(crate) fn rows(limit: Option<u64>) -> u64 {
    limit.unwrap_or(ROWS).min(MOST_ROWS)
}

/// A filter that is too long is refused; an empty one is none.
pub(crate) fn filter(text: Option<String>) -> Result<Option<String>, Problem> {
    match text {
        Some(text) if text.len() > LONGEST => {
            Err(problem(StatusCode::BAD_REQUEST, "a filter has at most 512 bytes"))
        }
        text => Ok(text.filter(|text| !text.is_empty())),
    }
}
