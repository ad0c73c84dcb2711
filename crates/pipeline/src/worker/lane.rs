//! One lane of a worker: claims documents, runs a stage for each, reports their outcomes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use compartment_core::{
    Backoff, BatchClaim, ClaimRequest, ClaimedDocument, ErrorKind, FencingToken, Outcome, Result,
    Retry, Settled, Settlement, Timestamp,
};
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tracing::Instrument;

use super::held::Holding;
use super::outcomes::{UNTRIED_PAUSE, given_up, noted_as, outcome_of};
use super::registration::Running;
use super::shared::Shared;
use super::sources::{BatchView, Source};
use super::suspects::{Way, is_suspect};
use super::tasks;
use crate::attempt::Left;
use crate::hand_back::HandBack;
use crate::{TaskNote, TaskRow, trace};

/// The pauses of a lane without work.
const IDLE: Backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(250));
/// The longest time between two reports of outcomes.
const SETTLE_EVERY: Duration = Duration::from_secs(1);

/// Works until the worker stops claiming.
pub(super) async fn lane(shared: &Arc<Shared>) {
    let mut idle = IDLE.pauses();
    while shared.is_working() {
        match work_once(shared).await {
            Ok(true) => idle.reset(),
            Ok(false) => {
                tokio::select! {
                    () = shared.clock.sleep(idle.next_pause()) => {}
                    () = shared.work.notified() => idle.reset(),
                    () = shared.not_working() => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, "no work could be claimed; trying again");
                let pause = if error.retry() == Retry::Never { 10 } else { 1 };
                tokio::select! {
                    () = shared.clock.sleep(IDLE.longest * pause) => {}
                    () = shared.not_working() => {}
                }
            }
        }
    }
}

/// Claims from the first source that has work, and does it; `false` if no source had any.
async fn work_once(shared: &Arc<Shared>) -> Result<bool> {
    let sources = shared.sources().in_order();
    for source in sources {
        match &source {
            Source::Batch(view) => {
                for (at, index) in &view.stages {
                    if from_batch(shared, view, *at, *index).await? {
                        return Ok(true);
                    }
                }
            }
            Source::Queue { name, engine, index } => {
                if tasks::from_queue(shared, name, engine, *index).await? {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

async fn from_batch(
    shared: &Arc<Shared>,
    view: &Arc<BatchView>,
    at: usize,
    index: usize,
) -> Result<bool> {
    let (batch, pipeline) = (view.record.name.as_str(), view.record.pipeline.as_str());
    if !shared.sources().may_have_work(batch, at, shared.clock.monotonic()) {
        return Ok(false);
    }
    let Some(_permit) = shared.permit_for(pipeline, index) else { return Ok(false) };
    let Some(beside) = shared.beside().await else { return Ok(false) };
    let max = shared.claim_size(pipeline, index);
    let request = ClaimRequest::new(at, max, shared.options.lease);
    let claim = match view.store.claim(batch, request).await {
        Ok(claim) => claim,
        Err(error) if error.kind() == ErrorKind::Unknown => {
            // The batch was removed after it was read.
            shared.sources().forget(batch);
            shared.look.notify_one();
            return Ok(false);
        }
        Err(error) if error.is_about_stored_data() => {
            tracing::warn!(batch, %error, "a batch is left alone for now");
            shared.sources().found_empty(batch, at, shared.clock.monotonic());
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    let now = shared.clock.monotonic();
    let Some(claim) = claim else {
        shared.sources().found_empty(batch, at, now);
        // Expired leases may just have made the batch's last documents dead.
        return Ok(false);
    };
    shared.sources().served(batch, at, now);
    let is_suspect = claim.documents.iter().any(|document| is_suspect(document.lost.into()));
    // The lease is renewed while a suspect waits.
    let holding = shared.held.batch(batch, claim.token);
    let work = Work::new(shared, view, at, index, claim);
    match shared.way(is_suspect, beside).await {
        Some(Way::NotNow(beside)) => {
            work.not_now(&holding).await?;
            drop(beside);
            shared.until_suspect_is_done().await;
            Ok(true)
        }
        Some(_way) => work.all(&holding).await,
        None => Ok(false),
    }
}

/// How an attempt at a document ended.
enum Attempted {
    Told(Outcome, Option<TaskRow>),
    /// The attempt could not be made, so the remaining documents of the claim cannot be tried either.
    Untried,
}

/// One claim in progress. On drop its unreported outcomes are reported in the background: finished documents as done,
/// the others as handed back.
struct Work {
    shared: Arc<Shared>,
    view: Arc<BatchView>,
    at: usize,
    index: usize,
    since: Timestamp,
    token: FencingToken,
    /// Outcomes that are not reported, or whose report is unconfirmed.
    outcomes: Vec<(u32, Outcome)>,
    rows: Vec<TaskRow>,
    /// Documents not yet begun.
    rest: VecDeque<ClaimedDocument>,
    /// The documents in progress.
    current: Vec<u32>,
}

impl Work {
    fn new(
        shared: &Arc<Shared>,
        view: &Arc<BatchView>,
        at: usize,
        index: usize,
        claim: BatchClaim,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            view: Arc::clone(view),
            at,
            index,
            since: shared.clock.now(),
            token: claim.token,
            outcomes: Vec::new(),
            rows: Vec::new(),
            rest: VecDeque::from(claim.documents),
            current: Vec::new(),
        }
    }

    /// Hands back everything, as if it had not been claimed.
    async fn not_now(mut self, holding: &Holding) -> Result<()> {
        self.hand_back_rest();
        self.settle(holding).await
    }

    async fn all(mut self, holding: &Holding) -> Result<bool> {
        let (shared, view) = (Arc::clone(&self.shared), Arc::clone(&self.view));
        let (stage, since) = ((self.at, self.index), self.since);
        let at_once = shared.overlap(&view.engine, self.index);
        let (mut told, started, mut worked) = (Instant::now(), Instant::now(), 0);
        let (mut attempts, mut is_over) = (FuturesUnordered::new(), false);
        loop {
            is_over |= !shared.is_working() || holding.is_lost();
            while !is_over && attempts.len() < at_once {
                let Some(document) = self.rest.pop_front() else { break };
                let ordinal = document.ordinal;
                self.current.push(ordinal);
                let tried = one(&shared, &view, stage, since, document);
                attempts.push(tried.map(move |attempted| (ordinal, attempted)));
            }
            let (ordinal, attempted) = tokio::select! {
                biased;
                ended = attempts.next() => match ended {
                    Some(ended) => ended,
                    None => break,
                },
                () = tokio::time::sleep(SETTLE_EVERY) => {
                    // The attempt takes long: let others claim the documents behind it.
                    self.hand_back_rest();
                    self.settle(holding).await?;
                    told = Instant::now();
                    continue;
                }
            };
            worked += 1;
            self.current.retain(|current| *current != ordinal);
            match attempted {
                Attempted::Told(outcome, row) => {
                    self.outcomes.push((ordinal, outcome));
                    self.rows.extend(row);
                }
                Attempted::Untried => {
                    self.outcomes.push((ordinal, Outcome::HandedBack));
                    is_over = true;
                }
            }
            if told.elapsed() > SETTLE_EVERY {
                self.settle(holding).await?;
                told = Instant::now();
            }
        }
        drop(attempts);
        shared.figures.handed_back.fetch_add(self.rest.len() as u64, Ordering::Relaxed);
        self.hand_back_rest();
        shared.note_pace(&view.record.pipeline, self.index, worked, started.elapsed());
        self.settle(holding).await?;
        Ok(true)
    }

    fn hand_back_rest(&mut self) {
        let rest = self.rest.drain(..).map(|document| (document.ordinal, Outcome::HandedBack));
        self.outcomes.extend(rest);
    }

    /// The outcomes to report, with their note.
    fn settlement(&self) -> Result<Settlement> {
        let settlement = Settlement::new(self.at, self.token, self.outcomes.clone());
        if self.rows.is_empty() {
            return Ok(settlement);
        }
        let (worker, rows) = (self.shared.options.id.clone(), self.rows.clone());
        Ok(settlement.note(TaskNote { worker, since: self.since, rows }.to_bytes()?))
    }

    /// Reports outcomes. It waits for an unavailable server: a repeated report is harmless, and finished work counts
    /// even if the lease has expired.
    async fn settle(&mut self, holding: &Holding) -> Result<()> {
        if self.outcomes.is_empty() {
            return Ok(());
        }
        let settlement = self.settlement()?;
        let is_news = self.outcomes.iter().any(|(_, outcome)| *outcome != Outcome::HandedBack);
        let (shared, view) = (&self.shared, &self.view);
        let told = tokio::select! {
            biased;
            told = tell(shared, view, &settlement) => Some(told?),
            // The leases expire, and others repeat the work.
            () = shared.gave_up() => None,
        };
        self.outcomes.clear();
        self.rows.clear();
        let (batch, shared) = (self.view.record.name.as_str(), &self.shared);
        let Some(Some(settled)) = told else {
            if told.is_some() {
                shared.sources().forget(batch);
            }
            return Ok(());
        };
        if holding.is_lost() {
            tracing::info!(batch, "told late: the lease had ended");
        }
        if is_news {
            shared.sources().wake(batch);
            shared.work.notify_waiters();
        }
        if settled.is_completed {
            shared.look.notify_one();
        }
        Ok(())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.hand_back_rest();
        let current = self.current.drain(..).map(|ordinal| (ordinal, Outcome::HandedBack));
        self.outcomes.extend(current);
        if self.outcomes.is_empty() {
            return;
        }
        let Ok(settlement) = self.settlement() else { return };
        let (shared, view) = (Arc::clone(&self.shared), Arc::clone(&self.view));
        let lease = shared.options.lease;
        drop(HandBack::on_drop(&self.shared.batch, lease, async move {
            if let Err(error) = tell(&shared, &view, &settlement).await {
                tracing::warn!(%error, batch = view.record.name, "a claim ends with its lease");
            }
        }));
    }
}

/// Reports outcomes. Returns `None` if the batch was removed meanwhile, since nobody needs them then.
async fn tell(
    shared: &Shared,
    view: &BatchView,
    settlement: &Settlement,
) -> Result<Option<Settled>> {
    let told = || view.store.settle(&view.record.name, settlement.clone());
    match shared.patience.outlast(told).await {
        Err(error) if error.kind() == ErrorKind::Unknown => Ok(None),
        told => told.map(Some),
    }
}

/// Runs one stage for a document; the stage is given by its indexes in the plan and in the pipeline.
async fn one(
    shared: &Shared,
    view: &BatchView,
    (at, index): (usize, usize),
    since: Timestamp,
    claimed: ClaimedDocument,
) -> Attempted {
    let ClaimedDocument { ordinal, attempt, entry, .. } = claimed;
    let engine = &view.engine;
    let (began, started) = (shared.clock.monotonic(), shared.clock.now());
    let span = trace::batch_document(&view.record.name, ordinal, &view.record.trace);
    let left = match engine.document(&view.record.name, ordinal, entry) {
        Ok(document) => {
            let stage = &view.plan.stages[at].name;
            let is_inline = engine.is_inline(index);
            let of = (view.record.name.as_str(), u64::from(ordinal));
            let running = || Running::new(of, document.name(), stage, started);
            let _listed = (!is_inline).then(|| shared.figures.list(running()));
            tokio::select! {
                biased;
                left = engine.attempt(index, &document).instrument(span.clone()) => left,
                ended = shared.must_end() => given_up(shared, ended),
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
            tracing::warn!(%error, batch = %view.record.name, ordinal, "handed back");
            shared.figures.handed_back.fetch_add(1, Ordering::Relaxed);
            // An unavailable store or limit is unlikely to recover at once.
            shared.clock.sleep(UNTRIED_PAUSE).await;
            return Attempted::Untried;
        }
    };
    shared.figures.count(error.as_ref());
    let outcome = outcome_of(engine, index, u32::from(attempt), error.as_ref());
    let row = view.plan.outbox.then(|| {
        let (status, error) = noted_as(&outcome);
        let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        let took = millis(shared.clock.monotonic().since(began));
        TaskRow { ordinal, status, attempt, started: millis(started.since(since)), took, error }
    });
    Attempted::Told(outcome, row)
}
