//! Documents of a batch, their entities, and where the text mentions them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use compartment_operations::work::DocumentPage;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, answer, problem};
use crate::query::{Name, Parameters, filter, rows};
use crate::state::Shared;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentParameters {
    batch: String,
    search: Option<String>,
    from: Option<u32>,
    limit: Option<u64>,
}

/// `GET /api/documents`
pub(crate) async fn documents(
    State(shared): State<Arc<Shared>>,
    Parameters(asked): Parameters<DocumentParameters>,
) -> Answer<DocumentPage> {
    let search = filter(asked.search)?;
    let limit = rows(asked.limit).max(1) as usize;
    let from = asked.from.unwrap_or(0);
    answer(shared.operations.documents(&asked.batch, search.as_deref(), from, limit).await?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntityParameters {
    batch: String,
    entity: Option<String>,
}

/// `GET /api/documents/{hash}`
pub(crate) async fn document(
    State(shared): State<Arc<Shared>>,
    Name(hash): Name,
    Parameters(asked): Parameters<EntityParameters>,
) -> Answer<Value> {
    if !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(problem(StatusCode::BAD_REQUEST, "a document's hash has only hex digits"));
    }
    match filter(asked.entity)? {
        None => answer(json!(shared.operations.document(&asked.batch, &hash).await?)),
        Some(entity) => {
            let places = shared.operations.entity_places(&asked.batch, &hash, &entity).await?;
            answer(json!({"entity": entity, "places": places}))
        }
    }
}
