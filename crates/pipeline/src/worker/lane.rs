//! One lane of a worker: claims documents, takes them through a stage one by one, settles them.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use compartment_core::{
    BatchClaim, ClaimRequest, ClaimedDocument, ErrorKind, FencingToken, Outcome, Result, Retry,
    Settlement, Timestamp,
};

use super::held::Holding;
use super::shared::Shared;
use super::sources::{BatchView, Source};
use super::{Ended, Running, tasks};
use crate::engine::Left;
use crate::runner::unless_panicked;
use crate::{Engine, StageError, TaskNote, TaskRow, TaskStatus};

/// A lane without work looks again after this long, doubled each time.
const FIRST_IDLE: Duration = Duration::from_millis(5);
const LONGEST_IDLE: Duration = Duration::from_millis(250);
/// How long a lane rests after what could not be tried.
pub(super) const UNTRIED_PAUSE: Duration = Duration::from_millis(200);
/// What is done is told at least so often.
const SETTLE_EVERY: Duration = Duration::from_secs(1);

/// Works until the worker takes nothing new.
pub(super) async fn lane(shared: &Shared) {
    let mut idle = FIRST_IDLE;
    while shared.is_working() {
        match work_once(shared).await {
            Ok(true) => idle = FIRST_IDLE,
            Ok(false) => {
                tokio::select! {
                    () = shared.clock.sleep(idle) => idle = (idle * 2).min(LONGEST_IDLE),
                    () = shared.work.notified() => idle = FIRST_IDLE,
                    () = shared.not_working() => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, "no work could be claimed; trying again");
                let pause = if error.retry() == Retry::Never { 10 } else { 1 };
                tokio::select! {
                    () = shared.clock.sleep(LONGEST_IDLE * pause) => {}
                    () = shared.not_working() => {}
                }
            }
        }
    }
}

/// Claims from the first source that has work, and does it; whether there was any.
async fn work_once(shared: &Shared) -> Result<bool> {
    let sources = shared.sources().in_order();
    for source in sources {
        match &source {
            Source::Batch(view) => {
                for (at, place) in &view.stages {
                    if from_batch(shared, view, *at, *place).await? {
                        return Ok(true);
                    }
                }
            }
            Source::Queue { name, engine, place } => {
                if tasks::from_queue(shared, name, engine, *place).await? {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

async fn from_batch(shared: &Shared, view: &BatchView, at: usize, place: usize) -> Result<bool> {
    let (batch, pipeline) = (view.record.name.as_str(), view.record.pipeline.as_str());
    if !shared.sources().may_have_work(batch, at, shared.clock.now()) {
        return Ok(false);
    }
    let Some(_place) = shared.place_for(pipeline, place) else { return Ok(false) };
    let most = shared.claim_size(pipeline, place);
    let request = ClaimRequest::new(at, most, shared.options.lease);
    let claim = match shared.batch.batch().claim(batch, request).await {
        Ok(claim) => claim,
        Err(error) if error.kind() == ErrorKind::Unknown => {
            // It has been removed since it was looked at.
            shared.sources().forget(batch);
            shared.look.notify_one();
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    let now = shared.clock.now();
    let Some(claim) = claim else {
        shared.sources().found_empty(batch, at, now);
        // Leases that ended may just have left it without anything to do.
        return Ok(false);
    };
    shared.sources().served(batch, at, now);
    Work { shared, view, at, place, since: now }.all(claim).await
}

/// Outcomes that are not told yet.
#[derive(Default)]
struct Settling {
    outcomes: Vec<(u32, Outcome)>,
    rows: Vec<TaskRow>,
}

impl Settling {
    fn hand_back(&mut self, documents: impl Iterator<Item = ClaimedDocument>) {
        self.outcomes.extend(documents.map(|document| (document.ordinal, Outcome::HandedBack)));
    }
}

/// How an attempt at a document ended.
enum Attempted {
    Told(Outcome, Option<TaskRow>),
    /// It could not be tried, so that others cannot either.
    Untried,
}

/// One claim on its way.
struct Work<'a> {
    shared: &'a Shared,
    view: &'a BatchView,
    at: usize,
    place: usize,
    since: Timestamp,
}

impl Work<'_> {
    async fn all(self, claim: BatchClaim) -> Result<bool> {
        let (shared, token) = (self.shared, claim.token);
        let holding = shared.held.batch(&self.view.record.name, token);
        let mut settling = Settling::default();
        let (mut told, started, mut worked) = (Instant::now(), Instant::now(), 0);
        let mut rest = VecDeque::from(claim.documents);
        while shared.is_working() && !holding.is_lost() {
            let Some(document) = rest.pop_front() else { break };
            let ordinal = document.ordinal;
            let mut attempt = std::pin::pin!(self.one(document));
            let attempted = loop {
                tokio::select! {
                    biased;
                    attempted = &mut attempt => break attempted,
                    () = tokio::time::sleep(SETTLE_EVERY) => {
                        // It takes long: others may have those behind it meanwhile.
                        settling.hand_back(rest.drain(..));
                        self.settle(&mut settling, &holding, token).await?;
                        told = Instant::now();
                    }
                }
            };
            worked += 1;
            match attempted {
                Attempted::Told(outcome, row) => {
                    settling.outcomes.push((ordinal, outcome));
                    settling.rows.extend(row);
                }
                Attempted::Untried => {
                    settling.outcomes.push((ordinal, Outcome::HandedBack));
                    break;
                }
            }
            if told.elapsed() > SETTLE_EVERY {
                self.settle(&mut settling, &holding, token).await?;
                told = Instant::now();
            }
        }
        shared.figures.handed_back.fetch_add(rest.len() as u64, Ordering::Relaxed);
        settling.hand_back(rest.into_iter());
        shared.note_pace(&self.view.record.pipeline, self.place, worked, started.elapsed());
        self.settle(&mut settling, &holding, token).await?;
        Ok(true)
    }

    async fn one(&self, claimed: ClaimedDocument) -> Attempted {
        let ClaimedDocument { ordinal, attempt, entry, .. } = claimed;
        let (shared, view) = (self.shared, self.view);
        let engine = &view.engine;
        let started = shared.clock.now();
        let left = match engine.document(&view.record.name, ordinal, entry) {
            Ok(document) => {
                let stage = &view.plan.stages[self.at].name;
                let is_inline = engine.is_inline(self.place);
                let of = (view.record.name.as_str(), u64::from(ordinal));
                let running = || Running::new(of, document.name(), stage, started);
                let _listed = (!is_inline).then(|| shared.figures.list(running()));
                tokio::select! {
                    biased;
                    left = engine.attempt(self.place, &document) => left,
                    ended = shared.must_end() => given_up(shared, ended),
                }
            }
            Err(error) => Left::Failed(error),
        };
        let error = match left {
            Left::Done => None,
            Left::Failed(error) => Some(error),
            Left::Untried(error) => {
                tracing::warn!(%error, batch = %view.record.name, ordinal, "handed back");
                shared.figures.handed_back.fetch_add(1, Ordering::Relaxed);
                // Whatever it is that is away will be back later than at once.
                shared.clock.sleep(UNTRIED_PAUSE).await;
                return Attempted::Untried;
            }
        };
        shared.figures.count(error.as_ref());
        let outcome = outcome_of(engine, self.place, u32::from(attempt), error.as_ref());
        let row = view.plan.outbox.then(|| self.row(ordinal, attempt, started, &outcome));
        Attempted::Told(outcome, row)
    }

    fn row(&self, ordinal: u32, attempt: u8, started: Timestamp, outcome: &Outcome) -> TaskRow {
        let (status, error) = noted_as(outcome);
        let millis = |from: Timestamp, to: Timestamp| {
            u32::try_from(to.since(from).as_millis()).unwrap_or(u32::MAX)
        };
        let took = millis(started, self.shared.clock.now());
        TaskRow { ordinal, status, attempt, started: millis(self.since, started), took, error }
    }

    /// Tells what was done. A server that is away is waited for: it is harmless to tell it twice, and
    /// what is done counts even if the lease has ended meanwhile.
    async fn settle(
        &self,
        settling: &mut Settling,
        holding: &Holding,
        token: FencingToken,
    ) -> Result<()> {
        let Settling { outcomes, rows } = std::mem::take(settling);
        if outcomes.is_empty() {
            return Ok(());
        }
        let (shared, batch) = (self.shared, self.view.record.name.as_str());
        let is_news = outcomes.iter().any(|(_, outcome)| *outcome != Outcome::HandedBack);
        let mut settlement = Settlement::new(self.at, token, outcomes);
        if !rows.is_empty() {
            let worker = shared.options.id.clone();
            settlement.note = TaskNote { worker, since: self.since, rows }.to_bytes()?;
        }
        let store = shared.batch.batch();
        let tell = || store.settle(batch, settlement.clone());
        let told = tokio::select! {
            biased;
            told = shared.patience.outlast(tell) => told,
            // Its leases end by themselves, and others do it again.
            () = shared.gave_up() => return Ok(()),
        };
        let settled = match told {
            Ok(settled) => settled,
            // It was removed while it was worked on: nobody asks for the outcome.
            Err(error) if error.kind() == ErrorKind::Unknown => {
                shared.sources().forget(batch);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if holding.is_lost() {
            tracing::info!(batch, "told late: the lease had ended");
        }
        if is_news {
            shared.sources().wake(batch);
            shared.work.notify_waiters();
        }
        if settled.completed {
            shared.look.notify_one();
        }
        Ok(())
    }
}

/// A document that is worked on when the worker ends: what fills the memory is counted against it, since
/// it would do so again.
pub(super) fn given_up(shared: &Shared, ended: Ended) -> Left {
    let what = match ended {
        Ended::Memory => {
            let limit = shared.options.memory_limit.unwrap_or_default();
            format!(
                "the worker's memory passed its limit of {limit} bytes while this was worked on"
            )
        }
        _ => {
            let what = "the worker ended before it was done";
            return Left::Untried(compartment_core::Error::new(
                ErrorKind::Interrupted,
                "run stage",
                what,
            ));
        }
    };
    Left::Failed(StageError::new("out_of_memory", what).transient())
}

/// How the ledger is told of an outcome. That a last attempt makes a document dead it knows by the plan.
pub(super) fn noted_as(outcome: &Outcome) -> (TaskStatus, String) {
    match outcome {
        Outcome::Retry { error, .. } => (TaskStatus::Failed, error.clone()),
        Outcome::Dead { error } => (TaskStatus::Dead, error.clone()),
        _ => (TaskStatus::Done, String::new()),
    }
}

/// What is told about a document after its so manieth attempt.
pub(super) fn outcome_of(
    engine: &Engine,
    place: usize,
    attempt: u32,
    error: Option<&StageError>,
) -> Outcome {
    let Some(error) = error else { return Outcome::Done };
    let words = format!("{}: {}", error.code, error.message);
    match engine.pause_before(place, attempt + 1) {
        Some(after) if error.is_transient => Outcome::Retry { error: words, after },
        _ => Outcome::Dead { error: words },
    }
}

/// Does what is due at the completion of a batch, unless somebody else is at it.
pub(super) async fn complete(shared: &Shared, view: &BatchView) -> Result<()> {
    let (batch, store) = (view.record.name.as_str(), shared.batch.batch());
    let Some(token) = store.claim_completion(batch, shared.options.lease).await? else {
        return Ok(());
    };
    let _holding = shared.held.batch(batch, token);
    if let Some(work) = view.engine.pipeline().at_completion() {
        let completed = crate::Completed::new(batch, view.engine.clone(), shared.batch.clone());
        if let Err(error) = unless_panicked("at_completion", work(completed)).await {
            tracing::error!(%error, batch, "the work at the completion failed; it is due again");
            return Ok(());
        }
    }
    shared.patience.outlast(|| store.finish_completion(batch, token)).await?;
    Ok(())
}
