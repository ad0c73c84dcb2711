//! Random programs over queues; compares every answer of two backends, including ids and tokens.

use std::time::Duration;

use bytes::Bytes;
use compartment_core::{
    AfterFailure, Claim, ClaimOptions, Contract, Database, DatabaseKind, FencingToken, NewTask,
    TaskClass, TaskId,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::answer::text;
use super::in_step::{Side, in_step};
use crate::Harness;

/// Few names, so that tasks meet; one has the characters of a cluster's hash tags.
const QUEUES: [&str; 2] = ["extract", "}{:"];
const GROUPS: [&str; 5] = ["", "a", "b", "a\0:9", "группа 99"];
const PAYLOADS: [&[u8]; 3] = [b"", b"\0\xff\r\n", b"0003a00000000000000"];
const KEYS: [&str; 2] = ["doc:1", "{}"];
/// Steps of time in milliseconds. Leases and pauses use them too, so that they end at the same moments.
const TIMES: [u64; 7] = [0, 1, 999, 1_000, 30_000, 60_000, 600_000];

/// One operation of a program.
#[derive(Clone, Debug)]
pub enum QueueStep {
    /// An operation on one queue, given by its index.
    In(usize, QueueOp),
    /// Advances the clock by this many milliseconds.
    Advance(u64),
}

/// An operation on one queue. Claims and dead tasks are given by their index among those the program has seen.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is the store's operation of that name")]
pub enum QueueOp {
    Submit(Vec<NewTask>),
    Claim(ClaimOptions),
    Renew(Vec<usize>, Duration),
    Complete(Vec<usize>),
    Fail(usize, String, AfterFailure),
    Release(Vec<usize>),
    Dead(u64, u32),
    Replay(Vec<usize>),
    Discard(Vec<usize>),
    Purge,
    SetPaused(bool),
    Counts,
}

/// Generates programs of up to 150 operations.
pub fn queue_operations() -> impl Strategy<Value = Vec<QueueStep>> {
    let step = prop_oneof![
        8 => (0..QUEUES.len(), op()).prop_map(|(queue, op)| QueueStep::In(queue, op)),
        2 => select(TIMES.to_vec()).prop_map(QueueStep::Advance),
    ];
    vec(step, 1..150)
}

fn op() -> impl Strategy<Value = QueueOp> {
    let some = || vec(0..40_usize, 0..6);
    prop_oneof![
        10 => vec(task(), 0..8).prop_map(QueueOp::Submit),
        10 => claim().prop_map(QueueOp::Claim),
        2 => (some(), time()).prop_map(|(claims, lease)| QueueOp::Renew(claims, lease)),
        5 => some().prop_map(QueueOp::Complete),
        6 => (0..40_usize, select(vec!["no answer", ""]), after())
            .prop_map(|(claim, error, then)| QueueOp::Fail(claim, error.to_owned(), then)),
        2 => some().prop_map(QueueOp::Release),
        2 => (0..5_u64, 0..5_u32).prop_map(|(skip, max)| QueueOp::Dead(skip, max)),
        2 => some().prop_map(QueueOp::Replay),
        1 => some().prop_map(QueueOp::Discard),
        1 => Just(QueueOp::Purge),
        1 => any::<bool>().prop_map(QueueOp::SetPaused),
        3 => Just(QueueOp::Counts),
    ]
}

fn time() -> impl Strategy<Value = Duration> {
    select(TIMES.to_vec()).prop_map(Duration::from_millis)
}

fn after() -> impl Strategy<Value = AfterFailure> {
    prop_oneof![2 => time().prop_map(AfterFailure::Retry), 1 => Just(AfterFailure::Bury)]
}

fn task() -> impl Strategy<Value = NewTask> {
    let delay = prop_oneof![3 => Just(Duration::ZERO), 1 => time()];
    let key = prop_oneof![3 => Just(None), 1 => select(KEYS.to_vec()).prop_map(Some)];
    let class = select(TaskClass::ALL.to_vec());
    (select(PAYLOADS.to_vec()), class, select(GROUPS.to_vec()), delay, key).prop_map(
        |(payload, class, group, delay, key)| {
            let task = NewTask::new(Bytes::from_static(payload)).class(class).group(group);
            let task = task.delay(delay);
            match key {
                Some(key) => task.deduplication_key(key),
                None => task,
            }
        },
    )
}

fn claim() -> impl Strategy<Value = ClaimOptions> {
    (0..12_u32, time(), 1..4_u32).prop_map(|(max, lease, max_lost)| {
        let mut options = ClaimOptions::new(max, lease);
        options.max_lost = max_lost;
        options
    })
}

/// Runs `program` on both backends, which must be empty, and compares each answer.
///
/// # Panics
/// If an answer differs, with the program up to that step.
pub async fn run_queue_differential(
    model: &dyn Harness,
    subject: &dyn Harness,
    program: Vec<QueueStep>,
) {
    in_step::<QueueStep, OneSide<'_>>(model, subject, &program).await;
}

/// One backend, with the claims and dead tasks it has returned.
struct OneSide<'a> {
    harness: &'a dyn Harness,
    database: Database,
    /// Claims of all queues, latest first: a program mostly uses its last claims.
    claims: Vec<Claim>,
    dead: Vec<TaskId>,
}

impl<'a> Side<'a, QueueStep> for OneSide<'a> {
    async fn open(harness: &'a dyn Harness) -> Self {
        let contract = Contract::new("batch", DatabaseKind::Durable).with_index(1);
        let database = harness.open(contract).await;
        Self { harness, database, claims: Vec::new(), dead: Vec::new() }
    }

    async fn run(&mut self, step: &QueueStep) -> String {
        match step {
            QueueStep::Advance(millis) => {
                self.harness.advance(Duration::from_millis(*millis)).await;
                String::new()
            }
            QueueStep::In(queue, op) => self.answer(QUEUES[*queue], op).await,
        }
    }
}

impl OneSide<'_> {
    async fn answer(&mut self, queue: &str, op: &QueueOp) -> String {
        let store = self.database.queue().clone();
        match op {
            QueueOp::Submit(tasks) => text(store.submit(queue, tasks.clone()).await),
            QueueOp::Claim(options) => {
                let tasks = store.claim(queue, *options).await;
                for task in tasks.iter().flatten() {
                    self.claims.insert(0, task.claim);
                }
                text(tasks)
            }
            QueueOp::Renew(claims, lease) => {
                text(store.renew(queue, &self.claims(claims), *lease).await)
            }
            QueueOp::Complete(claims) => text(store.complete(queue, &self.claims(claims)).await),
            QueueOp::Fail(claim, error, then) => {
                text(store.fail(queue, self.claim(*claim), error, *then).await)
            }
            QueueOp::Release(claims) => text(store.release(queue, &self.claims(claims)).await),
            QueueOp::Dead(skip, max) => {
                let dead = store.dead(queue, *skip, *max).await;
                self.dead.extend(dead.iter().flatten().map(|task| task.id));
                text(dead)
            }
            QueueOp::Replay(tasks) => text(store.replay(queue, &self.tasks(tasks)).await),
            QueueOp::Discard(tasks) => text(store.discard(queue, &self.tasks(tasks)).await),
            QueueOp::Purge => text(store.purge(queue).await),
            QueueOp::SetPaused(is_paused) => text(store.set_paused(queue, *is_paused).await),
            QueueOp::Counts => text(store.counts(queue).await),
        }
    }

    /// A claim the program has seen, or one that does not exist.
    fn claim(&self, place: usize) -> Claim {
        let unknown = Claim::new(TaskId::from_number(1), FencingToken::from_number(1));
        self.claims.get(place).copied().unwrap_or(unknown)
    }

    fn claims(&self, places: &[usize]) -> Vec<Claim> {
        places.iter().map(|place| self.claim(*place)).collect()
    }

    fn tasks(&self, places: &[usize]) -> Vec<TaskId> {
        let unknown = TaskId::from_number(1);
        places.iter().map(|place| self.dead.get(*place).copied().unwrap_or(unknown)).collect()
    }
}
