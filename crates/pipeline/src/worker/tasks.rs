//! Single tasks: one stage for one document, claimed from the stage's queue.

use std::collections::VecDeque;
use std::sync::Arc;

use compartment_core::{
    AfterFailure, Claim, ClaimOptions, ClaimedTask, Outcome, Result, Timestamp,
};
use tracing::Instrument;

use super::held::Holding;
use super::outcomes::{UNTRIED_PAUSE, given_up, noted_as, outcome_of};
use super::registration::Running;
use super::shared::Shared;
use super::suspects::{Way, is_suspect};
use crate::attempt::Left;
use crate::hand_back::HandBack;
use crate::{Engine, SingleTaskRow, StageError, TaskData, TaskOutbox, trace};

/// Claims single tasks of a stage and does them; `false` if there were none.
pub(super) async fn from_queue(
    shared: &Arc<Shared>,
    queue: &str,
    engine: &Engine,
    index: usize,
) -> Result<bool> {
    if !shared.sources().may_have_work(queue, index, shared.clock.monotonic()) {
        return Ok(false);
    }
    let pipeline = engine.pipeline();
    let Some(_permit) = shared.permit_for(pipeline.name(), index) else { return Ok(false) };
    let Some(beside) = shared.beside().await else { return Ok(false) };
    let max = u32::try_from(shared.claim_size(pipeline.name(), index)).unwrap_or(1);
    let options = ClaimOptions::new(max, shared.options.lease);
    let claimed = shared.batch.queue().claim(queue, options).await;
    let now = shared.clock.monotonic();
    let claimed = match claimed {
        Err(error) if error.is_about_stored_data() => {
            tracing::warn!(queue, %error, "a queue is left alone for now");
            shared.sources().found_empty(queue, index, now);
            return Ok(false);
        }
        claimed => claimed?,
    };
    if claimed.is_empty() {
        shared.sources().found_empty(queue, index, now);
        return Ok(false);
    }
    shared.sources().served(queue, index, now);
    let mut work = Work {
        shared: Arc::clone(shared),
        queue: queue.to_owned(),
        open: claimed.iter().map(|task| task.claim).collect(),
        told: None,
    };
    let is_suspect = claimed.iter().any(|task| is_suspect(task.lost));
    // The lease is renewed while a suspect waits.
    let suspects = claimed.iter().filter(|_| is_suspect);
    let holdings: Vec<Holding> = suspects.map(|task| shared.held.task(queue, task.claim)).collect();
    match shared.way(is_suspect, beside).await {
        Some(Way::NotNow(beside)) => {
            work.hand_back().await?;
            drop(beside);
            shared.until_suspect_is_done().await;
            Ok(true)
        }
        Some(_way) => {
            for task in claimed {
                work.one(engine, index, task).await?;
            }
            drop(holdings);
            Ok(true)
        }
        None => Ok(false),
    }
}

/// Tasks of one claim in progress. On drop, a known outcome is reported in the background, and the remaining tasks
/// are handed back.
struct Work {
    shared: Arc<Shared>,
    queue: String,
    /// Claims without an outcome, the one in progress first.
    open: VecDeque<Claim>,
    /// The outcome that is being reported.
    told: Option<Told>,
}

/// How an attempt at a task ended.
#[derive(Clone)]
struct Told {
    claim: Claim,
    outcome: Outcome,
    row: Option<SingleTaskRow>,
}

impl Work {
    async fn one(&mut self, engine: &Engine, index: usize, task: ClaimedTask) -> Result<()> {
        let (shared, queue, claim) = (Arc::clone(&self.shared), self.queue.clone(), task.claim);
        if !shared.is_working() {
            return self.hand_back().await;
        }
        let holding = shared.held.task(&queue, claim);
        let (mut name, started) = (String::new(), shared.clock.now());
        let data = TaskData::read(&task.payload);
        let context = data.as_ref().map(|data| data.trace.clone()).unwrap_or_default();
        let span = trace::task(&queue, claim.id.number(), &context);
        let left = match document_of(engine, index, data) {
            Ok(document) => {
                document.name().clone_into(&mut name);
                let stage = engine.pipeline().stages().nth(index).unwrap_or_default();
                let running =
                    Running::new((&queue, claim.id.number()), document.name(), stage, started);
                let _listed = shared.figures.list(running);
                tokio::select! {
                    biased;
                    left = engine.attempt(index, &document).instrument(span.clone()) => left,
                    ended = shared.must_end() => given_up(&shared, ended),
                }
            }
            Err(error) => Left::Failed(error),
        };
        trace::attempt_ended(&span, &left);
        drop(span);
        let error = match left {
            Left::Done => None,
            Left::Failed(error) => Some(error),
            Left::Untried(error) => {
                tracing::warn!(%error, queue, task = %claim.id, "handed back");
                shared.clock.sleep(UNTRIED_PAUSE).await;
                return self.hand_back().await;
            }
        };
        shared.figures.count(error.as_ref());
        let outcome = outcome_of(engine, index, task.attempt, error.as_ref());
        let row = shared
            .options
            .keep_task_rows
            .then(|| row_of(&shared, &queue, &task, name, started, &outcome));
        self.open.pop_front();
        let told = self.told.insert(Told { claim, outcome, row });
        let counted = tell(&shared, &queue, told).await?;
        self.told = None;
        if !counted || holding.is_lost() {
            tracing::info!(queue, task = %claim.id, "told late: somebody else had claimed it");
        }
        Ok(())
    }

    /// Hands back the first claim without an outcome.
    async fn hand_back(&mut self) -> Result<()> {
        let Some(claim) = self.open.front().copied() else { return Ok(()) };
        let (store, claims) = (self.shared.batch.queue(), [claim]);
        self.shared.patience.outlast(|| store.release(&self.queue, &claims)).await?;
        self.open.pop_front();
        Ok(())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let (told, open) = (self.told.take(), std::mem::take(&mut self.open));
        if told.is_none() && open.is_empty() {
            return;
        }
        let (shared, queue) = (Arc::clone(&self.shared), self.queue.clone());
        let (lease, claims) = (shared.options.lease, Vec::from(open));
        drop(HandBack::on_drop(&self.shared.batch, lease, async move {
            let store = shared.batch.queue();
            let released = shared.patience.outlast(|| store.release(&queue, &claims)).await;
            let told = match &told {
                Some(told) => tell(&shared, &queue, told).await.map(drop),
                None => Ok(()),
            };
            if let Err(error) = released.and(told) {
                tracing::warn!(%error, queue, "a claim ends with its lease");
            }
        }));
    }
}

/// Reports the outcome of a task; `false` if the claim no longer counted.
async fn tell(shared: &Shared, queue: &str, told: &Told) -> Result<bool> {
    let (store, claim) = (shared.batch.queue(), told.claim);
    if let Some(row) = &told.row {
        let outbox = TaskOutbox::new(shared.batch.clone());
        shared.patience.outlast(|| outbox.keep(row)).await?;
    }
    match &told.outcome {
        Outcome::Retry { error, after } => {
            let then = AfterFailure::Retry(*after);
            shared.patience.outlast(|| store.fail(queue, claim, error, then)).await
        }
        Outcome::Dead { error } => {
            shared.patience.outlast(|| store.fail(queue, claim, error, AfterFailure::Bury)).await
        }
        _ => {
            let claims = [claim];
            let told = shared.patience.outlast(|| store.complete(queue, &claims)).await?;
            Ok(told.first().copied().unwrap_or(false))
        }
    }
}

/// The ledger's row for an attempt.
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

/// The document of a task with this data.
fn document_of(
    engine: &Engine,
    index: usize,
    data: std::result::Result<TaskData, String>,
) -> std::result::Result<crate::Document, StageError> {
    let malformed = |what: String| StageError::new("malformed", what);
    let data =
        data.map_err(|why| malformed(format!("the data of the task is not valid: {why}")))?;
    let pipeline = engine.pipeline();
    match pipeline.index_of(&data.stage) {
        Some(known) if known == index => {}
        Some(_) => {
            let what = format!("the task is for stage {:?}, which has another queue", data.stage);
            return Err(malformed(what));
        }
        None => {
            let name = pipeline.name();
            let what = format!("pipeline {name:?} of this worker has no stage {:?}", data.stage);
            // A worker with newer code may have the stage.
            return Err(StageError::new("unknown_stage", what).transient());
        }
    }
    let have = pipeline.declared(index).map(|stage| &stage.version);
    if let (Some(wanted), Some(have)) = (&data.version, have)
        && wanted != have
    {
        let stage = &data.stage;
        let what =
            format!("the task needs version {wanted} of stage {stage}; this worker has {have}");
        return Err(StageError::new("other_version", what).transient());
    }
    engine.document("", 0, data.entry.into())
}
