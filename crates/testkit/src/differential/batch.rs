//! Random programs over batches; compares every answer of two backends, including tokens.

use std::time::Duration;

use bytes::Bytes;
use compartment_core::{
    BatchFailure, BatchPlan, BatchStore, ClaimRequest, Contract, Database, DatabaseKind,
    FencingToken, Outcome, Result, Settlement,
};
use futures_util::TryStreamExt;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::answer::text;
use super::batch_upkeep::{UpkeepOp, upkeep_answer, upkeep_op};
use super::in_step::{Side, in_step};
use crate::Harness;

/// Few names, so that operations meet; one has the characters of a cluster's hash tags.
const BATCHES: [&str; 2] = ["smith v. jones", "}{:"];
const ENTRIES: [&[u8]; 3] = [b"", b"\0\xff\r\n", b"7f3a"];
/// Steps of time in milliseconds. Leases and pauses use them too, so that they end at the same moments.
const TIMES: [u64; 6] = [0, 1, 1_000, 30_000, 60_000, 600_000];
/// One more than any plan has, so that some stages do not exist.
const STAGES: usize = 5;
/// Ordinals are below this; some of these documents do not exist.
const ORDINALS: u32 = 24;

/// One operation of a program.
#[derive(Clone, Debug)]
pub enum BatchStep {
    /// An operation on one batch, given by its index.
    In(usize, BatchOp),
    /// Advances the clock by this many milliseconds.
    Advance(u64),
}

/// An operation on one batch. Claims are given by their index among those the program has seen, settled documents by
/// their index in the claim, and some documents by their ordinal.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is the store's operation of that name")]
pub enum BatchOp {
    Create(BatchPlan),
    Submit(Vec<Bytes>),
    SubmitAt(u32, Vec<Bytes>),
    Seal,
    Claim(ClaimRequest),
    Renew(usize, Duration),
    Release(usize),
    Settle(usize, Vec<(usize, Outcome)>),
    SettleUnclaimed(usize, usize, Vec<(u32, Outcome)>),
    Pause(bool),
    Cancel,
    Retry(Vec<(usize, u32)>),
    ClaimCompletion(Duration),
    FinishCompletion,
    /// Releases the completion that was claimed last.
    ReleaseCompletion,
    Progress,
    Failures,
    Remove,
    Upkeep(UpkeepOp),
}

/// Generates programs of up to 150 operations.
pub fn batch_operations() -> impl Strategy<Value = Vec<BatchStep>> {
    let step = prop_oneof![
        8 => (0..BATCHES.len(), op()).prop_map(|(batch, op)| BatchStep::In(batch, op)),
        1 => select(TIMES.to_vec()).prop_map(BatchStep::Advance),
    ];
    // Batches are created first; most operations on missing batches would only fail.
    (vec(plan(), BATCHES.len()), vec(step, 1..150)).prop_map(|(plans, steps)| {
        let made = plans.into_iter().enumerate();
        let made = made.map(|(batch, plan)| BatchStep::In(batch, BatchOp::Create(plan)));
        made.chain(steps).collect()
    })
}

fn op() -> impl Strategy<Value = BatchOp> {
    use BatchOp::*;
    let entry = || select(ENTRIES.to_vec()).prop_map(Bytes::from_static);
    let settled = || vec((0..6_usize, outcome()), 0..6);
    prop_oneof![
        1 => plan().prop_map(Create),
        6 => vec(entry(), 0..8).prop_map(Submit),
        2 => (0..ORDINALS, vec(entry(), 1..3)).prop_map(|(at, entries)| SubmitAt(at, entries)),
        1 => Just(Seal),
        14 => claim().prop_map(Claim),
        2 => (0..12_usize, time()).prop_map(|(claim, lease)| Renew(claim, lease)),
        2 => (0..4_usize).prop_map(Release),
        14 => (0..4_usize, settled()).prop_map(|(claim, settled)| Settle(claim, settled)),
        2 => (0..12_usize, 0..STAGES, vec((0..ORDINALS, outcome()), 0..4))
            .prop_map(|(claim, stage, settled)| SettleUnclaimed(claim, stage, settled)),
        1 => any::<bool>().prop_map(Pause),
        // Rare, because they end the work on a batch.
        1 => prop_oneof![9 => Just(Progress), 1 => Just(Cancel), 1 => Just(Remove)],
        3 => vec((0..STAGES, 0..ORDINALS), 0..6).prop_map(Retry),
        2 => time().prop_map(ClaimCompletion),
        2 => Just(FinishCompletion),
        1 => Just(ReleaseCompletion),
        4 => Just(Progress),
        2 => Just(Failures),
        8 => upkeep_op().prop_map(Upkeep),
    ]
}

fn plan() -> impl Strategy<Value = BatchPlan> {
    let stages = select(vec![
        BatchPlan::chain(&["extract"]),
        BatchPlan::chain(&["extract", "chunk", "entities"]),
        BatchPlan::new().stage("a", &[]).stage("b", &[]).stage("c", &[0]).stage("d", &[1, 2]),
        BatchPlan::new(),
    ]);
    let told = (any::<bool>(), select(vec![0, 150, 10_000]));
    let often = (1..4_u8, 1..4_u8);
    (stages, often, select(vec![None, Some(20)]), told).prop_map(
        |(plan, (attempts, lost), max, (has_outbox, event_bytes))| {
            let mut plan = plan.max_attempts(attempts).max_lost(lost).event_bytes(event_bytes);
            (plan.max_bytes, plan.outbox) = (max, has_outbox);
            plan
        },
    )
}

fn time() -> impl Strategy<Value = Duration> {
    select(TIMES.to_vec()).prop_map(Duration::from_millis)
}

fn claim() -> impl Strategy<Value = ClaimRequest> {
    (0..STAGES, 0..6_usize, time())
        .prop_map(|(stage, max, lease)| ClaimRequest::new(stage, max, lease))
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let error = || select(vec!["no answer", ""]).prop_map(str::to_owned);
    prop_oneof![
        6 => Just(Outcome::Done),
        2 => (error(), time()).prop_map(|(error, after)| Outcome::Retry { error, after }),
        2 => error().prop_map(|error| Outcome::Dead { error }),
        1 => Just(Outcome::HandedBack),
    ]
}

/// Runs `program` on both backends, which must be empty, and compares each answer.
///
/// # Panics
/// If an answer differs, with the program up to that step.
pub async fn run_batch_differential(
    model: &dyn Harness,
    subject: &dyn Harness,
    program: Vec<BatchStep>,
) {
    in_step::<BatchStep, OneSide<'_>>(model, subject, &program).await;
}

/// A claim: stage, token and documents.
type Known = (usize, FencingToken, Vec<u32>);

/// One backend, with the claims it has returned.
struct OneSide<'a> {
    harness: &'a dyn Harness,
    database: Database,
    /// Claims of all batches, latest first: a program mostly uses its last claims.
    claims: Vec<Known>,
    completion: FencingToken,
}

impl<'a> Side<'a, BatchStep> for OneSide<'a> {
    async fn open(harness: &'a dyn Harness) -> Self {
        let contract = Contract::new("batch", DatabaseKind::Durable).with_index(1);
        let database = harness.open(contract).await;
        let completion = FencingToken::from_number(1);
        Self { harness, database, claims: Vec::new(), completion }
    }

    async fn run(&mut self, step: &BatchStep) -> String {
        match step {
            BatchStep::Advance(millis) => {
                self.harness.advance(Duration::from_millis(*millis)).await;
                String::new()
            }
            BatchStep::In(batch, op) => self.answer(BATCHES[*batch], op).await,
        }
    }
}

impl OneSide<'_> {
    async fn answer(&mut self, batch: &str, op: &BatchOp) -> String {
        let store = self.database.batch().clone();
        match op {
            BatchOp::Create(plan) => {
                let made = text(store.create(batch, plan).await);
                made + &text(store.plan(batch).await)
            }
            BatchOp::Submit(entries) => text(store.submit(batch, entries.clone()).await),
            BatchOp::SubmitAt(first, entries) => {
                text(store.submit_at(batch, *first, entries.clone()).await)
            }
            BatchOp::Seal => text(store.seal(batch).await),
            BatchOp::Claim(request) => {
                let claimed = store.claim(batch, request.clone()).await;
                if let Ok(Some(claim)) = &claimed {
                    let ordinals = claim.documents.iter().map(|one| one.ordinal).collect();
                    self.claims.insert(0, (request.stage, claim.token, ordinals));
                }
                text(claimed)
            }
            BatchOp::Renew(claim, lease) => {
                text(store.renew(batch, self.claim(*claim).1, *lease).await)
            }
            BatchOp::Release(claim) => text(store.release(batch, self.claim(*claim).1).await),
            BatchOp::ReleaseCompletion => text(store.release(batch, self.completion).await),
            BatchOp::Settle(claim, settled) => {
                let (stage, token, documents) = self.claim(*claim);
                let settled = settled.iter().filter_map(|(place, outcome)| {
                    Some((*documents.get(*place)?, outcome.clone()))
                });
                let settlement = Settlement::new(stage, token, settled.collect()).note("a note");
                text(store.settle(batch, settlement).await)
            }
            BatchOp::SettleUnclaimed(claim, stage, settled) => {
                let token = self.claim(*claim).1;
                text(store.settle(batch, Settlement::new(*stage, token, settled.clone())).await)
            }
            BatchOp::Pause(paused) => text(store.pause(batch, *paused).await),
            BatchOp::Cancel => text(store.cancel(batch).await),
            BatchOp::Retry(dead) => text(store.retry(batch, dead.clone()).await),
            BatchOp::ClaimCompletion(lease) => {
                let token = store.claim_completion(batch, *lease).await;
                if let Ok(Some(token)) = &token {
                    self.completion = *token;
                }
                text(token)
            }
            BatchOp::FinishCompletion => {
                text(store.finish_completion(batch, self.completion).await)
            }
            BatchOp::Progress => text(store.progress(batch).await),
            BatchOp::Failures => text(failures(store.as_ref(), batch).await),
            BatchOp::Remove => text(store.remove(batch).await),
            BatchOp::Upkeep(op) => upkeep_answer(&self.database, batch, op).await,
        }
    }

    /// A claim the program has seen, or one that does not exist.
    fn claim(&self, place: usize) -> Known {
        let unknown = || (0, FencingToken::from_number(1), Vec::new());
        self.claims.get(place).cloned().unwrap_or_else(unknown)
    }
}

/// Sorted, since the order of failures is not part of the contract.
async fn failures(store: &dyn BatchStore, batch: &str) -> Result<Vec<BatchFailure>> {
    let mut failures: Vec<BatchFailure> = store.failures(batch).try_collect().await?;
    failures.sort();
    Ok(failures)
}
