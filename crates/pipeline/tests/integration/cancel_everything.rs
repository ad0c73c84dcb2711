//! Ten thousand operations on queues, batches and submissions, dropped at random moments.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::collections::HashSet;
use std::time::Duration;

use compartment_core::backend::Backend;
use compartment_core::{
    AfterFailure, BatchClaim, BatchStatus, ClaimOptions, ClaimRequest, ClaimedTask, Contract,
    Database, DatabaseKind, Instance, NewTask, Outcome, Settlement,
};
use compartment_memory::MemoryBackend;
use compartment_pipeline::{BatchOptions, Document, Patience, Pipeline, StageOptions, Submission};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::{TestRedis, give_up_after, run_test};

use crate::stages;

const OPERATIONS: u32 = 10_000;
const SEED: u64 = 0x5eed_0011;
const LEASE: Duration = Duration::from_secs(600);
const QUEUE: &str = "tasks";
const STAGES: usize = 2;

/// Random numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// The answers a program has received, and therefore has to handle.
struct Told {
    database: Database,
    dice: Dice,
    submission: Submission,
    pushed: u32,
    claims: Vec<(usize, BatchClaim)>,
    submitted: u32,
    tasks: Vec<ClaimedTask>,
    completed: HashSet<String>,
    dropped: u32,
}

fn pipeline() -> Pipeline {
    let mut builder = Pipeline::builder("words");
    let text = |document: &Document, ()| Ok(document.text()?.to_owned());
    let (stage, _) = stages::made("split", |text: &String| Ok(text.len() as u64));
    let split = builder.stage(stage, StageOptions::default(), (), text);
    let (stage, _) = stages::made("length", |length: &u64| Ok(*length));
    builder.stage(stage, StageOptions::default(), split, |_, length| Ok(*length));
    builder.build().unwrap()
}

impl Told {
    async fn new(database: Database) -> Self {
        let (how, wait) = (BatchOptions::default(), Patience::waiting(Duration::from_secs(30)));
        let begun = Submission::begin(&database, "b", &pipeline(), &how, wait).await;
        Self {
            database,
            dice: Dice(SEED),
            submission: begun.unwrap(),
            pushed: 0,
            claims: Vec::new(),
            submitted: 0,
            tasks: Vec::new(),
            completed: HashSet::new(),
            dropped: 0,
        }
    }

    /// Time limit of the next operation: up to about two round trips.
    fn patience(&mut self) -> Duration {
        Duration::from_micros(self.dice.below(400))
    }

    fn note<T>(&mut self, answer: Option<T>) -> Option<T> {
        self.dropped += u32::from(answer.is_none());
        answer
    }

    async fn step(&mut self) {
        let limit = self.patience();
        match self.dice.below(12) {
            0 | 1 => {
                let entry = format!("document {}", self.pushed);
                self.pushed += 1;
                let pushed = give_up_after(limit, self.submission.push(entry)).await;
                self.note(pushed).transpose_ok();
            }
            2 => {
                let flushed = give_up_after(limit, self.submission.flush()).await;
                self.note(flushed).transpose_ok();
            }
            3 | 4 => {
                let stage = self.dice.below(STAGES as u64) as usize;
                let request = ClaimRequest::new(stage, 1 + self.dice.below(20) as usize, LEASE);
                let store = self.database.batch().clone();
                let claimed = give_up_after(limit, store.claim("b", request)).await;
                let claimed = self.note(claimed).and_then(Result::unwrap);
                self.claims.extend(claimed.map(|claim| (stage, claim)));
            }
            5 | 6 => self.settle(limit).await,
            7 => {
                let tasks = 1 + self.dice.below(5) as u32;
                let numbers = self.submitted..self.submitted + tasks;
                self.submitted += tasks;
                let all = numbers
                    .map(|n| NewTask::new(format!("task {n}")).deduplication_key(format!("{n}")));
                let (all, store): (Vec<NewTask>, _) =
                    (all.collect(), self.database.queue().clone());
                let submitted = give_up_after(limit, store.submit(QUEUE, all.clone())).await;
                if self.note(submitted).is_none() {
                    // The deduplication keys make it harmless.
                    store.submit(QUEUE, all).await.unwrap();
                }
            }
            8 | 9 => {
                let options = ClaimOptions::new(1 + self.dice.below(8) as u32, LEASE);
                let store = self.database.queue().clone();
                let claimed = give_up_after(limit, store.claim(QUEUE, options)).await;
                let claimed = self.note(claimed).map_or(Vec::new(), Result::unwrap);
                self.tasks.extend(claimed);
            }
            10 => self.end_a_task(limit).await,
            _ => {
                let (batch, queue) = (self.database.batch().clone(), self.database.queue().clone());
                let looked = give_up_after(limit, batch.progress("b")).await;
                self.note(looked);
                if let Some((_, claim)) = self.claims.first() {
                    let renewed = give_up_after(limit, batch.renew("b", claim.token, LEASE)).await;
                    self.note(renewed);
                }
                let counted = give_up_after(limit, queue.counts(QUEUE)).await;
                self.note(counted);
            }
        }
    }

    /// Settles a claim, or hands it back; a dropped request is repeated.
    async fn settle(&mut self, limit: Duration) {
        if self.claims.is_empty() {
            return;
        }
        let index = self.dice.below(self.claims.len() as u64) as usize;
        let (stage, claim) = self.claims.swap_remove(index);
        let store = self.database.batch().clone();
        if self.dice.below(4) == 0 {
            let released = give_up_after(limit, store.release("b", claim.token)).await;
            if self.note(released).is_none() {
                store.release("b", claim.token).await.unwrap();
            }
            return;
        }
        let retried = self.dice.below(5) == 0;
        let outcome = |ordinal: u32| match ordinal % 2 {
            // Attempts are counted once, so a repeated request does not kill a document.
            0 if retried => Outcome::HandedBack,
            _ => Outcome::Done,
        };
        let outcomes = claim.documents.iter().map(|one| (one.ordinal, outcome(one.ordinal)));
        let settlement = Settlement::new(stage, claim.token, outcomes.collect());
        let settled = give_up_after(limit, store.settle("b", settlement.clone())).await;
        if self.note(settled).is_none() {
            store.settle("b", settlement).await.unwrap();
        }
    }

    /// Completes, fails or hands back a task; a dropped request is repeated.
    async fn end_a_task(&mut self, limit: Duration) {
        if self.tasks.is_empty() {
            return;
        }
        let index = self.dice.below(self.tasks.len() as u64) as usize;
        let task = self.tasks.swap_remove(index);
        let (store, claims) = (self.database.queue().clone(), [task.claim]);
        match self.dice.below(4) {
            0 => {
                let released = give_up_after(limit, store.release(QUEUE, &claims)).await;
                if self.note(released).is_none() {
                    store.release(QUEUE, &claims).await.unwrap();
                }
            }
            1 => {
                let then = AfterFailure::Retry(Duration::ZERO);
                let failed = give_up_after(limit, store.fail(QUEUE, task.claim, "x", then)).await;
                if self.note(failed).is_none() {
                    store.fail(QUEUE, task.claim, "x", then).await.unwrap();
                }
            }
            _ => self.complete(&task, Some(limit)).await,
        }
    }

    async fn complete(&mut self, task: &ClaimedTask, limit: Option<Duration>) {
        let (store, claims) = (self.database.queue().clone(), [task.claim]);
        let payload = String::from_utf8(task.payload.to_vec()).unwrap();
        assert!(self.completed.insert(payload), "{task:?} was handed out again (seed {SEED:#x})");
        let completed = match limit {
            Some(limit) => give_up_after(limit, store.complete(QUEUE, &claims)).await,
            None => Some(store.complete(QUEUE, &claims).await),
        };
        match self.note(completed) {
            Some(counted) => assert_eq!(counted.unwrap(), [true]),
            None => drop(store.complete(QUEUE, &claims).await.unwrap()),
        }
    }

    /// Checks that only known claims are held, and that everything else exists once.
    async fn check(mut self) {
        self.database.unfinished().done().await;
        assert_eq!(self.submission.seal().await.unwrap(), u64::from(self.pushed));
        let store = self.database.batch().clone();
        let progress = store.progress("b").await.unwrap().unwrap();
        assert_eq!(progress.total, u64::from(self.pushed));
        for stage in 0..STAGES {
            let mine = self.claims.iter().filter(|(of, _)| *of == stage);
            let held: usize = mine.map(|(_, claim)| claim.documents.len()).sum();
            assert_eq!(
                progress.stages[stage].claimed, held as u64,
                "stage {stage}, seed {SEED:#x}"
            );
        }
        let queue = self.database.queue().clone();
        let counts = queue.counts(QUEUE).await.unwrap();
        assert_eq!(counts.claimed, self.tasks.len() as u64, "seed {SEED:#x}");
        let open = u64::from(self.submitted) - self.completed.len() as u64;
        assert_eq!(counts.waiting + counts.delayed + counts.claimed, open);

        // Each document and task can be finished, once.
        while !self.claims.is_empty() {
            self.settle(Duration::from_secs(60)).await;
        }
        let mut seen = [HashSet::new(), HashSet::new()];
        for (stage, seen) in seen.iter_mut().enumerate() {
            while let Some(claim) =
                store.claim("b", ClaimRequest::new(stage, 1_000, LEASE)).await.unwrap()
            {
                let outcomes = claim.documents.iter().map(|one| (one.ordinal, Outcome::Done));
                let settlement = Settlement::new(stage, claim.token, outcomes.collect());
                let settled = store.settle("b", settlement).await.unwrap();
                assert_eq!(settled.counted, claim.documents.len() as u64);
                for one in &claim.documents {
                    assert_eq!((one.attempt, one.lost), (1, 0), "no attempt was made up");
                    assert_eq!(one.entry, format!("document {}", one.ordinal));
                    assert!(seen.insert(one.ordinal));
                }
            }
        }
        let progress = store.progress("b").await.unwrap().unwrap();
        assert_eq!((progress.status, progress.done), (BatchStatus::Completed, progress.total));
        assert!(self.database.batch_upkeep().audit("b").await.unwrap().is_clean());
        for task in std::mem::take(&mut self.tasks) {
            self.complete(&task, None).await;
        }
        loop {
            let rest = queue.claim(QUEUE, ClaimOptions::new(1_000, LEASE)).await.unwrap();
            if rest.is_empty() {
                break;
            }
            for task in rest {
                self.complete(&task, None).await;
            }
        }
        assert_eq!(self.completed.len(), self.submitted as usize);
    }
}

/// Unwraps an answer that arrived.
trait TransposeOk {
    fn transpose_ok(self);
}

impl TransposeOk for Option<compartment_core::Result<()>> {
    fn transpose_ok(self) {
        if let Some(answer) = self {
            answer.unwrap();
        }
    }
}

async fn cancel_everything(database: Database) -> u32 {
    let mut told = Told::new(database).await;
    for _ in 0..OPERATIONS {
        told.step().await;
    }
    let dropped = told.dropped;
    told.check().await;
    dropped
}

#[test]
fn cancel_everything_in_memory() {
    run_test(async {
        let contract = Contract::new("batch", DatabaseKind::Durable).with_index(4);
        // It answers at once, so no operation is dropped.
        let database = MemoryBackend::default().open(contract).await.unwrap();
        cancel_everything(database).await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn cancel_everything_on_redis() {
    run_test(async {
        let redis = TestRedis::start().await;
        let config = RedisConfig::for_instance(&Instance::new(&redis.url()).unwrap(), 1);
        let backend = RedisBackend::connect(config, &[4]).await.unwrap();
        let contract = Contract::new("batch", DatabaseKind::Durable).with_index(4);
        let dropped = cancel_everything(backend.open(contract).await.unwrap()).await;
        assert!(dropped > OPERATIONS / 10, "{dropped} were dropped");
    });
}
