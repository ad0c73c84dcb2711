//! Outcomes of attempts at documents and tasks, and the completion of batches.

use std::sync::Arc;
use std::time::Duration;

use compartment_core::{Error, ErrorKind, MAX_TTL, Outcome, Result};

use super::options::Ended;
use super::shared::Shared;
use super::sources::BatchView;
use crate::attempt::Left;
use crate::hand_back::HandBack;
use crate::runner::unless_panicked;
use crate::{Engine, StageError, TaskStatus};

/// How long a lane pauses after an attempt that could not be made.
pub(super) const UNTRIED_PAUSE: Duration = Duration::from_millis(200);
/// The outcome of a document in progress when the worker ends. If the memory limit was exceeded, it counts as a
/// failed attempt, since the document would exceed it again.
pub(super) fn given_up(shared: &Shared, ended: Ended) -> Left {
    let what = match ended {
        Ended::Memory => {
            let limit = shared.options.memory_limit.unwrap_or_default();
            format!(
                "the worker's memory passed its limit of {limit} bytes while this was worked on"
            )
        }
        _ => {
            let what = "the worker exited before it was done";
            return Left::Untried(Error::new(ErrorKind::Interrupted, "run stage", what));
        }
    };
    Left::Failed(StageError::new("out_of_memory", what).transient())
}

/// The status and error that the ledger records. The ledger derives from the plan that a last failed attempt makes a
/// document dead.
pub(super) fn noted_as(outcome: &Outcome) -> (TaskStatus, String) {
    match outcome {
        Outcome::Retry { error, .. } => (TaskStatus::Failed, error.clone()),
        Outcome::Dead { error } => (TaskStatus::Dead, error.clone()),
        _ => (TaskStatus::Done, String::new()),
    }
}

/// The outcome to report for a document after this attempt.
pub(super) fn outcome_of(
    engine: &Engine,
    index: usize,
    attempt: u32,
    error: Option<&StageError>,
) -> Outcome {
    let Some(error) = error else { return Outcome::Done };
    let words = format!("{}: {}", error.code, error.message);
    match engine.pause_before(index, attempt + 1) {
        Some(after) if error.is_transient => {
            Outcome::Retry { error: words, after: after.min(MAX_TTL) }
        }
        _ => Outcome::Dead { error: words },
    }
}

/// Runs the completion of a batch, unless another worker has claimed it.
pub(super) async fn complete(shared: &Shared, view: &BatchView) -> Result<()> {
    let (batch, store, lease) = (view.record.name.as_str(), &view.store, shared.options.lease);
    let Some(token) = store.claim_completion(batch, lease).await? else {
        return Ok(());
    };
    let (late, name) = (Arc::clone(store), batch.to_owned());
    let hand_back = HandBack::on_drop(&shared.batch, lease, async move {
        let _ = late.release(&name, token).await;
    });
    let _holding = shared.held.batch(batch, token);
    if let Some(work) = view.engine.pipeline().at_completion() {
        let completed = view.engine.completed(batch, shared.batch.clone());
        let completed = completed.born_as(view.born);
        if let Err(error) = unless_panicked("at_completion", work(completed)).await {
            tracing::error!(%error, batch, "the work at the completion failed; it is due again");
            // The lease is not released, so that the retry waits until it expires; an immediate retry would fail
            // again.
            hand_back.settled();
            return Ok(());
        }
    }
    shared.patience.outlast(|| store.finish_completion(batch, token)).await?;
    hand_back.settled();
    Ok(())
}
