//! Single tasks: one stage for one document, from the queue of the stage.

use compartment_core::{AfterFailure, ClaimOptions, ClaimedTask, Outcome, Result, Timestamp};

use super::Running;
use super::lane::{UNTRIED_PAUSE, noted_as, outcome_of};
use super::shared::Shared;
use crate::engine::Left;
use crate::{Engine, SingleTaskRow, StageError, TaskData, TaskOutbox};

/// Claims single tasks of a stage, and does them; whether there was any.
pub(super) async fn from_queue(
    shared: &Shared,
    queue: &str,
    engine: &Engine,
    place: usize,
) -> Result<bool> {
    if !shared.sources().may_have_work(queue, place, shared.clock.now()) {
        return Ok(false);
    }
    let pipeline = engine.pipeline();
    let Some(_place) = shared.place_for(pipeline.name(), place) else { return Ok(false) };
    let most = u32::try_from(shared.claim_size(pipeline.name(), place)).unwrap_or(1);
    let mut options = ClaimOptions::new(most, shared.options.lease);
    options.most_attempts = engine.max_attempts(place);
    let claimed = shared.batch.queue().claim(queue, options).await?;
    let now = shared.clock.now();
    if claimed.is_empty() {
        shared.sources().found_empty(queue, place, now);
        return Ok(false);
    }
    shared.sources().served(queue, place, now);
    for task in claimed {
        one(shared, queue, engine, place, task).await?;
    }
    Ok(true)
}

async fn one(
    shared: &Shared,
    queue: &str,
    engine: &Engine,
    place: usize,
    task: ClaimedTask,
) -> Result<()> {
    let (store, claim) = (shared.batch.queue(), task.claim);
    let hand_back = || store.release(queue, std::slice::from_ref(&claim));
    if !shared.is_working() {
        return shared.patience.outlast(hand_back).await.map(drop);
    }
    let holding = shared.held.task(queue, claim);
    let (mut name, started) = (String::new(), shared.clock.now());
    let left = match read(engine, place, &task) {
        Ok(document) => {
            document.name().clone_into(&mut name);
            let stage = engine.pipeline().stages().nth(place).unwrap_or_default();
            let of = (queue, claim.id.number());
            let _listed = shared.figures.list(Running::new(of, document.name(), stage, started));
            tokio::select! {
                biased;
                left = engine.attempt(place, &document) => left,
                ended = shared.must_end() => super::lane::given_up(shared, ended),
            }
        }
        Err(error) => Left::Failed(error),
    };
    let error = match left {
        Left::Done => None,
        Left::Failed(error) => Some(error),
        Left::Untried(error) => {
            tracing::warn!(%error, queue, task = %claim.id, "handed back");
            shared.clock.sleep(UNTRIED_PAUSE).await;
            return shared.patience.outlast(hand_back).await.map(drop);
        }
    };
    shared.figures.count(error.as_ref());
    let outcome = outcome_of(engine, place, task.attempt, error.as_ref());
    if shared.options.keep_task_rows {
        let row = row_of(shared, queue, &task, name, started, &outcome);
        let outbox = TaskOutbox::new(shared.batch.clone());
        shared.patience.outlast(|| outbox.keep(&row)).await?;
    }
    let counted = match outcome {
        Outcome::Retry { error, after } => {
            let then = AfterFailure::Retry(after);
            shared.patience.outlast(|| store.fail(queue, claim, &error, then)).await?
        }
        Outcome::Dead { error } => {
            shared.patience.outlast(|| store.fail(queue, claim, &error, AfterFailure::Bury)).await?
        }
        _ => {
            let claims = [claim];
            let told = shared.patience.outlast(|| store.complete(queue, &claims)).await?;
            told.first().copied().unwrap_or(false)
        }
    };
    if !counted || holding.is_lost() {
        tracing::info!(queue, task = %claim.id, "told late: somebody else had claimed it");
    }
    Ok(())
}

/// What the ledger is told of an attempt.
fn row_of(
    shared: &Shared,
    queue: &str,
    task: &ClaimedTask,
    document: String,
    started: Timestamp,
    outcome: &Outcome,
) -> SingleTaskRow {
    let (status, error) = noted_as(outcome);
    SingleTaskRow {
        queue: queue.to_owned(),
        task: task.claim.id,
        token: task.claim.token.number(),
        document,
        worker: shared.options.id.clone(),
        attempt: task.attempt,
        status,
        error,
        started,
        completed: shared.clock.now(),
    }
}

/// The document of a task.
fn read(engine: &Engine, place: usize, task: &ClaimedTask) -> Result<crate::Document, StageError> {
    let malformed = |what: String| StageError::new("malformed", what);
    let data: TaskData = serde_json::from_slice(&task.payload)
        .map_err(|error| malformed(format!("the task's data is not as it should be: {error}")))?;
    let pipeline = engine.pipeline();
    match pipeline.place(&data.stage) {
        Some(known) if known == place => {}
        Some(_) => {
            let what = format!("the task asks for stage {:?}, of another queue", data.stage);
            return Err(malformed(what));
        }
        None => {
            let name = pipeline.name();
            let what = format!("pipeline {name:?} of this worker has no stage {:?}", data.stage);
            // A worker of newer code may have it.
            return Err(StageError::new("unknown_stage", what).transient());
        }
    }
    let have = pipeline.placed(place).map(|stage| &stage.version);
    if let (Some(wanted), Some(have)) = (&data.version, have)
        && wanted != have
    {
        let stage = &data.stage;
        let what =
            format!("version {wanted} of stage {stage} is asked for; this worker has {have}");
        return Err(StageError::new("other_version", what).transient());
    }
    engine.document("", 0, data.entry.into())
}
