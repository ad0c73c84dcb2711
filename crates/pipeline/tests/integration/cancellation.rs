//! Dropped calls and workers: nothing accepted is lost, and nothing stays claimed.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use compartment_core::backend::Backend;
use compartment_core::{
    BatchStatus, ClaimOptions, ClaimRequest, Contract, Database, DatabaseKind, ErrorKind, Instance,
    MAX_ENTRY, QueueStoreExt,
};
use compartment_pipeline::{
    BatchOptions, BatchRegistry, Patience, Pipeline, StageOptions, Submission, TaskData, Worker,
    WorkerOptions,
};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::{TestRedis, eventually, run_test};

use crate::stages::{databases, engine, made, options, patience, progress, submit};

const LEASE: Duration = Duration::from_secs(300);

fn pipeline() -> Pipeline {
    let mut builder = Pipeline::builder("words");
    let (stage, _) = made("split", |text: &String| Ok(text.len() as u64));
    builder
        .stage(stage, StageOptions::default(), (), |document, ()| Ok(document.text()?.to_owned()));
    builder.build().unwrap()
}

/// A database on a server, with short time-outs.
async fn on(redis: &TestRedis) -> Database {
    let mut config = RedisConfig::for_instance(&Instance::new(&redis.url()).unwrap(), 1);
    config.response_timeout = Duration::from_millis(200);
    let backend = RedisBackend::connect(config, &[4]).await.unwrap();
    backend.open(Contract::new("batch", DatabaseKind::Durable).with_index(4)).await.unwrap()
}

async fn begin(batch: &Database, patience: Patience) -> Submission {
    let options = BatchOptions::default();
    Submission::begin(batch, "b", &pipeline(), &options, patience).await.unwrap()
}

fn entry(number: usize) -> String {
    format!("document {number}")
}

/// Checks that every document exists once, in order.
async fn expect_documents(batch: &Database, documents: usize) {
    let progress = batch.batch().progress("b").await.unwrap().unwrap();
    assert_eq!(progress.total, documents as u64);
    let mut there = Vec::new();
    while there.len() < documents {
        let from = u32::try_from(there.len()).unwrap();
        there.extend(batch.batch_upkeep().entries("b", from, 1_000).await.unwrap());
    }
    for (number, found) in there.iter().enumerate() {
        assert_eq!(*found, entry(number), "number {number}");
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_dropped_flush_loses_nothing_and_adds_nothing_twice() {
    run_test(async {
        let redis = TestRedis::start().await;
        let batch = on(&redis).await;
        let mut submission = begin(&batch, patience()).await;
        for number in 0..999 {
            submission.push(entry(number)).await.unwrap();
        }
        redis.pause();
        // The dropped request has reached the server, and is executed when the server continues.
        let last = tokio::time::timeout(Duration::from_millis(50), submission.push(entry(999)));
        assert!(last.await.is_err());
        for _ in 0..5 {
            let again = tokio::time::timeout(Duration::from_millis(50), submission.flush());
            assert!(again.await.is_err());
        }
        let sealing = tokio::time::timeout(Duration::from_millis(50), submission.seal());
        assert!(sealing.await.is_err());
        assert_eq!(submission.pending(), 1_000);
        redis.resume();
        assert_eq!(submission.seal().await.unwrap(), 1_000);
        assert_eq!((submission.seal().await.unwrap(), submission.pending()), (1_000, 0));
        expect_documents(&batch, 1_000).await;
        let sealed = batch.batch().progress("b").await.unwrap().unwrap();
        assert_eq!(sealed.status, BatchStatus::Sealed);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_submission_that_a_server_fails_goes_on_with_the_next_call() {
    run_test(async {
        let redis = TestRedis::start().await;
        let batch = on(&redis).await;
        let mut submission = begin(&batch, Patience::waiting(Duration::ZERO)).await;
        for number in 0..10 {
            submission.push(entry(number)).await.unwrap();
        }
        redis.pause();
        assert!(submission.flush().await.is_err(), "nobody answers");
        assert!(submission.seal().await.is_err());
        redis.resume();
        for number in 10..2_500 {
            submission.push(entry(number)).await.unwrap();
        }
        assert_eq!(submission.seal().await.unwrap(), 2_500);
        expect_documents(&batch, 2_500).await;
    });
}

#[tokio::test]
async fn one_bad_entry_is_refused_and_the_rest_is_kept() {
    let databases = databases().await;
    let batch = databases.get("batch").unwrap();
    let mut submission = begin(batch, patience()).await;
    submission.push(entry(0)).await.unwrap();
    let error = submission.push(vec![b'x'; MAX_ENTRY + 1]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("at most 4096 bytes, but this one has 4097"), "{error}");
    for bytes in [0, 1_015, 1_016, MAX_ENTRY] {
        submission.push(vec![b'x'; bytes]).await.unwrap();
    }
    assert_eq!((submission.pending(), submission.seal().await.unwrap()), (5, 5));
    let long = "x".repeat(10_000);
    for name in ["", "two\nlines", long.as_str()] {
        let options = BatchOptions::default();
        let begun = Submission::begin(batch, name, &pipeline(), &options, patience()).await;
        assert_eq!(begun.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    assert_eq!(BatchRegistry::new(batch.clone()).list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_submission_adds_to_no_batch_but_its_own() {
    let databases = databases().await;
    let batch = databases.get("batch").unwrap();
    let mut late = begin(batch, patience()).await;
    late.push(entry(0)).await.unwrap();
    assert!(batch.batch().remove("b").await.unwrap());
    // The name is still listed; a new batch replaces its entry.
    tokio::time::sleep(Duration::from_millis(2)).await;
    let mut next = begin(batch, patience()).await;
    assert_eq!(late.flush().await.unwrap_err().kind(), ErrorKind::Unknown);
    assert_eq!(late.seal().await.unwrap_err().kind(), ErrorKind::Unknown);
    next.push(entry(0)).await.unwrap();
    // A late removal of the former batch does not remove the new one from the list for good.
    BatchRegistry::new(batch.clone()).remove("b").await.unwrap();
    assert_eq!(next.seal().await.unwrap(), 1);
    assert_eq!(BatchRegistry::new(batch.clone()).list().await.unwrap().len(), 1);
    expect_documents(batch, 1).await;
}

/// A stage that reports its start, and then waits for permission.
fn slow(begun: Arc<AtomicBool>, go: Arc<AtomicBool>) -> Pipeline {
    let mut builder = Pipeline::builder("words");
    let (stage, _) = made("split", move |text: &String| {
        begun.store(true, Ordering::SeqCst);
        while text.contains("slow") && !go.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(text.len() as u64)
    });
    builder
        .stage(stage, StageOptions::default(), (), |document, ()| Ok(document.text()?.to_owned()));
    builder.build().unwrap()
}

fn one_by_one() -> WorkerOptions {
    let mut options = options().concurrency(1);
    options.lease = LEASE;
    options
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_worker_hands_back_its_documents() {
    let databases = databases().await;
    let (begun, go) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let pipeline = slow(Arc::clone(&begun), Arc::clone(&go));
    let batch = databases.get("batch").unwrap();
    submit(batch, &pipeline, "b", &["slow a", "slow b", "slow c"]).await;
    let engines = vec![engine(&databases, &pipeline).await];
    let worker = Worker::new(batch, engines, one_by_one(), patience());
    let running = tokio::spawn(async move { worker.run(std::future::pending()).await });
    eventually("a document is worked on", || async { begun.load(Ordering::SeqCst) }).await;
    assert_eq!(progress(&databases, "b").await.stages[0].claimed, 1);
    running.abort();
    let _ = running.await;
    eventually("nothing is held", || async {
        progress(&databases, "b").await.stages[0].claimed == 0
    })
    .await;
    batch.unfinished().done().await;
    go.store(true, Ordering::SeqCst);
    let rest = batch.batch().claim("b", ClaimRequest::new(0, 9, LEASE)).await.unwrap().unwrap();
    assert_eq!(rest.documents.len(), 3);
    assert!(rest.documents.iter().all(|one| (one.attempt, one.lost) == (1, 0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_worker_hands_back_its_tasks() {
    let databases = databases().await;
    let (begun, go) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let pipeline = slow(Arc::clone(&begun), Arc::clone(&go));
    let batch = databases.get("batch").unwrap();
    for entry in ["slow a", "slow b"] {
        let (queue, task) = pipeline.task(&TaskData::new("split", entry)).unwrap();
        batch.queue().submit_one(&queue, task).await.unwrap();
    }
    let engines = vec![engine(&databases, &pipeline).await];
    let worker = Worker::new(batch, engines, one_by_one(), patience());
    let running = tokio::spawn(async move { worker.run(std::future::pending()).await });
    eventually("a task is worked on", || async { begun.load(Ordering::SeqCst) }).await;
    assert_eq!(batch.queue().counts("words.split").await.unwrap().claimed, 1);
    running.abort();
    let _ = running.await;
    eventually("nothing is held", || async {
        batch.queue().counts("words.split").await.unwrap().claimed == 0
    })
    .await;
    go.store(true, Ordering::SeqCst);
    let rest = batch.queue().claim("words.split", ClaimOptions::new(9, LEASE)).await.unwrap();
    assert_eq!(rest.len(), 2);
    assert!(rest.iter().all(|task| (task.attempt, task.lost) == (1, 0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_worker_hands_back_the_completion() {
    let databases = databases().await;
    let begun = Arc::<AtomicBool>::default();
    let mut builder = Pipeline::builder("words");
    let (stage, _) = made("split", |text: &String| Ok(text.len() as u64));
    builder
        .stage(stage, StageOptions::default(), (), |document, ()| Ok(document.text()?.to_owned()));
    let seen = Arc::clone(&begun);
    builder.at_completion(move |_| {
        seen.store(true, Ordering::SeqCst);
        std::future::pending()
    });
    let pipeline = builder.build().unwrap();
    let batch = databases.get("batch").unwrap();
    submit(batch, &pipeline, "b", &["a"]).await;
    let engines = vec![engine(&databases, &pipeline).await];
    let worker = Worker::new(batch, engines, one_by_one(), patience());
    let running = tokio::spawn(async move { worker.run(std::future::pending()).await });
    eventually("the completion is worked on", || async { begun.load(Ordering::SeqCst) }).await;
    assert_eq!(batch.batch().claim_completion("b", LEASE).await.unwrap(), None);
    running.abort();
    let _ = running.await;
    eventually("it is due again", || async {
        batch.batch().claim_completion("b", LEASE).await.unwrap().is_some()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_to_finish_what_is_not_there_ends_with_an_error() {
    let databases = databases().await;
    let (begun, go) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let pipeline = slow(Arc::clone(&begun), Arc::clone(&go));
    let batch = databases.get("batch").unwrap();
    let finish = async || {
        let engines = vec![engine(&databases, &pipeline).await];
        let options = one_by_one().until_finished("b");
        let worker = Worker::new(batch, engines, options, patience());
        let ended = worker.run(std::future::pending());
        tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap()
    };
    let error = finish().await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Unknown, Some("b")));
    assert!(error.to_string().contains("there is no batch \"b\" to finish"), "{error}");
    // A batch that is removed during work ends the worker too.
    submit(batch, &pipeline, "b", &["slow a"]).await;
    let removal = async {
        eventually("a document is worked on", || async { begun.load(Ordering::SeqCst) }).await;
        batch.batch().remove("b").await.unwrap();
        BatchRegistry::new(batch.clone()).remove("b").await.unwrap();
        go.store(true, Ordering::SeqCst);
    };
    let (ended, ()) = tokio::join!(finish(), removal);
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::Unknown);
}

#[tokio::test]
async fn options_that_cannot_be_are_refused_with_their_bounds() {
    let databases = databases().await;
    let batch = databases.get("batch").unwrap();
    let with = |change: fn(&mut WorkerOptions)| {
        let mut options = options();
        change(&mut options);
        options
    };
    for (options, bounds) in [
        (with(|options| options.concurrency = 0), "at least 1"),
        (with(|options| options.max_at_once = 0), "1 to 1000"),
        (with(|options| options.max_at_once = 1_001), "1 to 1000"),
        (with(|options| options.lease = Duration::ZERO), "at least 100ms"),
        (with(|options| options.lease = Duration::MAX), "a hundred years"),
        (with(|options| options.id = String::new()), "1 to 255"),
        (with(|options| options.until_finished = true), "needs the names"),
    ] {
        let worker = Worker::new(batch, Vec::new(), options, patience());
        let error = worker.run(std::future::ready(())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains(bounds), "{error}");
    }
    let max = with(|options| {
        (options.drain, options.lease) = (Duration::MAX, compartment_core::MAX_TTL);
        options.concurrency = 1;
    });
    let worker = Worker::new(batch, Vec::new(), max, patience());
    assert!(worker.run(std::future::ready(())).await.is_ok());
    let entries: Vec<Bytes> = Vec::new();
    assert!(batch.batch().submit("b", entries).await.is_err());
}
