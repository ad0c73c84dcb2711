//! The sweeper completes and removes batches that nobody else takes care of.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::backend::Backend;
use compartment_core::{
    BatchPlan, BatchStatus, ClaimRequest, Clock, Contract, Database, DatabaseKind, Error,
    ErrorKind, Instance, ManualClock, Outcome, Result, Settlement,
};
use compartment_memory::{MemoryBackend, MemoryConfig};
use compartment_pipeline::{
    BatchRecord, BatchRegistry, RemovalWitness, Sweeper, SweeperOptions, TaskNote,
};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::{RespConnection, TestRedis, run_test};

const DAY: Duration = Duration::from_secs(86_400);
const LEASE: Duration = Duration::from_secs(60);

async fn in_memory() -> (Database, ManualClock) {
    let clock = ManualClock::default();
    let mut config = MemoryConfig::default();
    config.clock = Arc::new(clock.clone());
    let contract = Contract::new("batch", DatabaseKind::Durable).with_index(4);
    (MemoryBackend::new(config).open(contract).await.unwrap(), clock)
}

fn sweeper(batch: &Database, clock: &ManualClock, options: SweeperOptions) -> Sweeper {
    Sweeper::new(batch.clone(), options).clock(Arc::new(clock.clone()))
}

/// A registered, sealed batch with one stage and this many documents.
async fn submitted(batch: &Database, name: &str, documents: usize, plan: BatchPlan) {
    batch.batch().create(name, &plan).await.unwrap();
    let record = BatchRecord::new(name, "papers", ManualClock::default().now());
    BatchRegistry::new(batch.clone()).add(&record).await.unwrap();
    if documents > 0 {
        let entries = vec![Bytes::from_static(b"document of 24 bytes ...."); documents];
        batch.batch().submit(name, entries).await.unwrap();
    }
    batch.batch().seal(name).await.unwrap();
}

async fn finish(batch: &Database, name: &str) {
    let request = ClaimRequest::new(0, 1_000, LEASE);
    while let Some(claim) = batch.batch().claim(name, request.clone()).await.unwrap() {
        let outcomes = claim.documents.iter().map(|one| (one.ordinal, Outcome::Done)).collect();
        let since = ManualClock::default().now();
        let note = TaskNote { worker: "w".into(), since, rows: Vec::new() }.to_bytes().unwrap();
        let settlement = Settlement::new(0, claim.token, outcomes).note(note);
        batch.batch().settle(name, settlement).await.unwrap();
    }
    complete(batch, name).await;
}

/// Finishes the completion, if it is due.
async fn complete(batch: &Database, name: &str) {
    if let Some(token) = batch.batch().claim_completion(name, LEASE).await.unwrap() {
        assert!(batch.batch().finish_completion(name, token).await.unwrap());
    }
}

async fn names(batch: &Database) -> Vec<String> {
    let listed = BatchRegistry::new(batch.clone()).list().await.unwrap();
    listed.into_iter().map(|record| record.name).collect()
}

#[tokio::test]
async fn finished_batches_go_when_they_are_old_and_open_ones_stay() {
    let (batch, clock) = in_memory().await;
    let one = || BatchPlan::chain(&["extract"]);
    submitted(&batch, "completed", 3, one()).await;
    finish(&batch, "completed").await;
    submitted(&batch, "cancelled", 3, one()).await;
    batch.batch().cancel("cancelled").await.unwrap();
    submitted(&batch, "unsettled", 3, one()).await;
    submitted(&batch, "waits for the ledger", 3, one().outbox(true)).await;
    finish(&batch, "waits for the ledger").await;
    let sweeper = sweeper(&batch, &clock, SweeperOptions::default());
    for _ in 0..6 {
        assert_eq!(sweeper.sweep_once().await.unwrap().removed, Vec::<String>::new());
        clock.advance(DAY);
    }
    clock.advance(DAY);
    let mut swept = sweeper.sweep_once().await.unwrap();
    swept.removed.sort();
    assert_eq!(swept.removed, ["cancelled", "completed"]);
    assert_eq!(names(&batch).await, ["unsettled", "waits for the ledger"]);
    assert!(batch.batch().progress("completed").await.unwrap().is_none());
    assert!(swept.failed.is_empty());
}

#[tokio::test]
async fn a_batch_that_is_tried_again_is_over_anew() {
    let (batch, clock) = in_memory().await;
    submitted(&batch, "papers", 1, BatchPlan::chain(&["extract"])).await;
    let claim = batch.batch().claim("papers", ClaimRequest::new(0, 1, LEASE)).await.unwrap();
    let dead = vec![(0, Outcome::Dead { error: "blank".into() })];
    batch.batch().settle("papers", Settlement::new(0, claim.unwrap().token, dead)).await.unwrap();
    let sweeper = sweeper(&batch, &clock, SweeperOptions::default());
    sweeper.sweep_once().await.unwrap();
    clock.advance(DAY * 6);
    batch.batch().retry("papers", vec![(0, 0)]).await.unwrap();
    sweeper.sweep_once().await.unwrap();
    finish(&batch, "papers").await;
    sweeper.sweep_once().await.unwrap();
    clock.advance(DAY * 6);
    assert!(sweeper.sweep_once().await.unwrap().removed.is_empty());
    clock.advance(DAY);
    assert_eq!(sweeper.sweep_once().await.unwrap().removed, ["papers"]);
}

#[tokio::test]
async fn the_oldest_finished_batches_go_for_want_of_room() {
    let (batch, clock) = in_memory().await;
    let options = SweeperOptions::default().finished_bytes(15_000);
    let sweeper = sweeper(&batch, &clock, options);
    for name in ["first", "second", "third"] {
        submitted(&batch, name, 250, BatchPlan::chain(&["extract"])).await;
        finish(&batch, name).await;
        assert!(sweeper.sweep_once().await.unwrap().removed.is_empty());
        clock.advance(Duration::from_secs(60));
    }
    submitted(&batch, "unfinished", 1_000, BatchPlan::chain(&["extract"])).await;
    // None is old enough yet.
    assert!(sweeper.sweep_once().await.unwrap().removed.is_empty());
    clock.advance(DAY);
    assert_eq!(sweeper.sweep_once().await.unwrap().removed, ["first"]);
    assert!(sweeper.sweep_once().await.unwrap().removed.is_empty());
    assert_eq!(names(&batch).await.len(), 3);
}

#[tokio::test]
async fn a_batch_that_is_listed_and_not_there_is_forgotten_after_a_while() {
    let (batch, clock) = in_memory().await;
    let sweeper = sweeper(&batch, &clock, SweeperOptions::default());
    let record = BatchRecord::new("ghost", "papers", clock.now());
    BatchRegistry::new(batch.clone()).add(&record).await.unwrap();
    assert!(sweeper.sweep_once().await.unwrap().forgotten.is_empty());
    clock.advance(Duration::from_secs(599));
    assert!(sweeper.sweep_once().await.unwrap().forgotten.is_empty());
    clock.advance(Duration::from_secs(1));
    assert_eq!(sweeper.sweep_once().await.unwrap().forgotten, ["ghost"]);
    assert!(names(&batch).await.is_empty());
}

#[tokio::test]
async fn a_batch_whose_last_worker_vanished_ends() {
    let (batch, clock) = in_memory().await;
    let plan = BatchPlan::chain(&["extract"]).max_attempts(1).max_lost(1);
    submitted(&batch, "papers", 2, plan).await;
    let sweeper = sweeper(&batch, &clock, SweeperOptions::default());
    drop(batch.batch().claim("papers", ClaimRequest::new(0, 2, LEASE)).await.unwrap().unwrap());
    assert!(sweeper.sweep_once().await.unwrap().taken_up.is_empty());
    clock.advance(LEASE * 2);
    sweeper.sweep_once().await.unwrap();
    let progress = batch.batch().progress("papers").await.unwrap().unwrap();
    assert_eq!((progress.status, progress.dead), (BatchStatus::Completed, 2));
}

#[tokio::test]
async fn what_a_vanished_worker_had_waits_again_and_its_loss_is_counted() {
    let (batch, clock) = in_memory().await;
    submitted(&batch, "papers", 2, BatchPlan::chain(&["extract"])).await;
    let sweeper = sweeper(&batch, &clock, SweeperOptions::default());
    drop(batch.batch().claim("papers", ClaimRequest::new(0, 2, LEASE)).await.unwrap().unwrap());
    clock.advance(LEASE * 2);
    assert_eq!(sweeper.sweep_once().await.unwrap().taken_up, ["papers"]);
    for _ in 0..2 {
        let claim = batch.batch().claim("papers", ClaimRequest::new(0, 2, LEASE)).await.unwrap();
        let claim = claim.unwrap();
        let counts = claim.documents.iter().map(|one| (one.attempt, one.lost));
        assert_eq!(counts.collect::<Vec<_>>(), [(1, 1)]);
    }
}

/// Records the batches it is told about, and may refuse.
#[derive(Debug, Default)]
struct Witness(Mutex<Vec<String>>);

#[async_trait]
impl RemovalWitness for Witness {
    async fn before_removal(&self, batch: &BatchRecord) -> Result<()> {
        self.0.lock().unwrap().push(batch.name.clone());
        if batch.name == "kept" {
            return Err(Error::new(ErrorKind::Unavailable, "note removal", "away"));
        }
        Ok(())
    }
}

#[tokio::test]
async fn nothing_goes_before_its_witness_knows() {
    let (batch, clock) = in_memory().await;
    for name in ["gone", "kept"] {
        submitted(&batch, name, 0, BatchPlan::chain(&["extract"])).await;
        complete(&batch, name).await;
    }
    let witness = Arc::new(Witness::default());
    let sweeper = sweeper(&batch, &clock, SweeperOptions::default()).witness(witness.clone());
    sweeper.sweep_once().await.unwrap();
    clock.advance(DAY * 8);
    let swept = sweeper.sweep_once().await.unwrap();
    assert_eq!(swept.removed, ["gone"]);
    assert!(swept.failed["kept"].contains("away"));
    assert_eq!(*witness.0.lock().unwrap(), ["gone", "kept"]);
    assert_eq!(names(&batch).await, ["kept"]);
}

#[test]
#[ignore = "needs redis-server"]
fn a_missed_completion_is_made_due() {
    run_test(async {
        let redis = TestRedis::start().await;
        let config = RedisConfig::for_instance(&Instance::new(&redis.url()).unwrap(), 1);
        let backend = RedisBackend::connect(config, &[4]).await.unwrap();
        let contract = Contract::new("batch", DatabaseKind::Durable).with_index(4);
        let batch = backend.open(contract).await.unwrap();
        submitted(&batch, "papers", 3, BatchPlan::chain(&["extract"])).await;
        finish(&batch, "papers").await;
        let mut connection = RespConnection::open(redis.port()).await.unwrap();
        connection.send(&["SELECT", "4"]).await.unwrap();
        // The state of a server that lost its last write.
        connection.send(&["HSET", "{batch:papers}", "status", "sealed"]).await.unwrap();
        connection.send(&["HDEL", "{batch:papers}", "completion"]).await.unwrap();
        let progress = batch.batch().progress("papers").await.unwrap().unwrap();
        assert_eq!(progress.status, BatchStatus::Sealed);
        let sweeper = Sweeper::new(batch.clone(), SweeperOptions::default());
        assert_eq!(sweeper.sweep_once().await.unwrap().completions, ["papers"]);
        let progress = batch.batch().progress("papers").await.unwrap().unwrap();
        assert_eq!(progress.status, BatchStatus::Completed);
        assert!(batch.batch().claim_completion("papers", LEASE).await.unwrap().is_some());
        assert!(sweeper.sweep_once().await.unwrap().completions.is_empty());
    });
}

#[tokio::test]
async fn a_batch_whose_completion_is_due_or_claimed_stays() {
    let (batch, clock) = in_memory().await;
    submitted(&batch, "papers", 0, BatchPlan::chain(&["extract"])).await;
    let sweeper = sweeper(&batch, &clock, SweeperOptions::default());
    clock.advance(DAY * 30);
    assert!(sweeper.sweep_once().await.unwrap().removed.is_empty(), "it is due");
    let token = batch.batch().claim_completion("papers", DAY * 40).await.unwrap().unwrap();
    clock.advance(DAY * 30);
    assert!(sweeper.sweep_once().await.unwrap().removed.is_empty(), "somebody is at it");
    assert!(batch.batch().finish_completion("papers", token).await.unwrap());
    clock.advance(DAY * 7 - LEASE);
    assert!(sweeper.sweep_once().await.unwrap().removed.is_empty());
    clock.advance(LEASE);
    assert_eq!(sweeper.sweep_once().await.unwrap().removed, ["papers"]);
}

#[tokio::test]
async fn a_name_that_is_used_again_is_kept_as_long_as_any() {
    let (batch, clock) = in_memory().await;
    let sweeper = sweeper(&batch, &clock, SweeperOptions::default());
    submitted(&batch, "papers", 0, BatchPlan::chain(&["extract"])).await;
    complete(&batch, "papers").await;
    sweeper.sweep_once().await.unwrap();
    // The batch is removed without the sweeper noticing.
    clock.advance(DAY * 6);
    assert!(batch.batch().remove("papers").await.unwrap());
    submitted(&batch, "papers", 0, BatchPlan::chain(&["extract"])).await;
    complete(&batch, "papers").await;
    clock.advance(DAY * 2);
    assert!(sweeper.sweep_once().await.unwrap().removed.is_empty());
    clock.advance(DAY * 5);
    assert_eq!(sweeper.sweep_once().await.unwrap().removed, ["papers"]);
}

#[tokio::test]
async fn a_worker_whose_clock_is_a_week_ahead_removes_nothing_early() {
    let (batch, clock) = in_memory().await;
    for name in ["completed", "cancelled"] {
        submitted(&batch, name, 0, BatchPlan::chain(&["extract"])).await;
    }
    complete(&batch, "completed").await;
    batch.batch().cancel("cancelled").await.unwrap();
    let ahead = ManualClock::default();
    ahead.advance(DAY * 365);
    let options = SweeperOptions::default().finished_bytes(0);
    let sweeper = Sweeper::new(batch.clone(), options).clock(Arc::new(ahead.clone()));
    for _ in 0..3 {
        assert!(sweeper.sweep_once().await.unwrap().removed.is_empty());
        ahead.advance(DAY * 8);
    }
    complete(&batch, "cancelled").await;
    clock.advance(DAY * 7);
    assert_eq!(sweeper.sweep_once().await.unwrap().removed.len(), 2);
}

/// A database in which a batch is retried just before its removal.
#[derive(Debug)]
struct RetriedInBetween(Database, Mutex<Vec<String>>);

#[async_trait]
impl RemovalWitness for RetriedInBetween {
    async fn before_removal(&self, batch: &BatchRecord) -> Result<()> {
        self.0.batch().retry(&batch.name, vec![(0, 0)]).await.map(drop)
    }

    async fn not_removed(&self, batch: &BatchRecord) -> Result<()> {
        self.1.lock().unwrap().push(batch.name.clone());
        Ok(())
    }
}

#[tokio::test]
async fn a_batch_that_is_tried_again_in_the_last_moment_stays() {
    let (batch, clock) = in_memory().await;
    submitted(&batch, "papers", 1, BatchPlan::chain(&["extract"])).await;
    let claim = batch.batch().claim("papers", ClaimRequest::new(0, 1, LEASE)).await.unwrap();
    let dead = vec![(0, Outcome::Dead { error: "blank".into() })];
    batch.batch().settle("papers", Settlement::new(0, claim.unwrap().token, dead)).await.unwrap();
    complete(&batch, "papers").await;
    clock.advance(DAY * 8);
    let witness = Arc::new(RetriedInBetween(batch.clone(), Mutex::default()));
    let sweeper = sweeper(&batch, &clock, SweeperOptions::default()).witness(witness.clone());
    assert!(sweeper.sweep_once().await.unwrap().removed.is_empty());
    assert_eq!(*witness.1.lock().unwrap(), ["papers"]);
    assert_eq!(names(&batch).await, ["papers"]);
    let progress = batch.batch().progress("papers").await.unwrap().unwrap();
    assert_eq!((progress.status, progress.dead), (BatchStatus::Sealed, 0));
}
