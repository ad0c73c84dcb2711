//! One batch.

use std::sync::Arc;

use axum::extract::State;
use compartment_operations::work::BatchView;

use super::{Answer, answer};
use crate::query::Name;
use crate::state::Shared;

/// `GET /api/batches/{name}`: its stages, failures by code, documents in progress, and the slowest.
pub(crate) async fn batch(
    State(shared): State<Arc<Shared>>,
    Name(name): Name,
) -> Answer<BatchView> {
    answer(shared.operations.batch(&name).await?)
}
