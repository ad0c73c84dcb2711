//! Claims on a server that hangs: claims without an answer are not held once it responds again.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use bytes::Bytes;
use compartment_core::backend::Backend;
use compartment_core::{
    BatchPlan, ClaimOptions, ClaimRequest, Contract, Database, DatabaseKind, ErrorKind, NewTask,
};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::{Reply, TestRedis, run_test};

use crate::harness::config;

const LEASE: Duration = Duration::from_secs(300);
const QUEUE: &str = "tasks";

/// A database whose requests soon time out, with documents and tasks.
async fn open(redis: &TestRedis) -> Database {
    // The work is made with the time it takes on a busy machine.
    make_work(&backend(config(&redis.url())).await).await;
    let mut hasty = config(&redis.url());
    hasty.response_timeout = Duration::from_millis(200);
    hasty.connect_timeout = Duration::from_millis(300);
    hasty.retries = 1;
    backend(hasty).await
}

async fn backend(config: RedisConfig) -> Database {
    let backend = RedisBackend::connect(config, &[0]).await.unwrap();
    backend.open(Contract::new("batch", DatabaseKind::Durable)).await.unwrap()
}

async fn make_work(database: &Database) {
    let store = database.batch();
    assert!(store.create("b", &BatchPlan::chain(&["extract"])).await.unwrap());
    store.submit("b", vec![Bytes::from_static(b"x"); 1_000]).await.unwrap();
    store.create("empty", &BatchPlan::chain(&["extract"])).await.unwrap();
    store.seal("empty").await.unwrap();
    let tasks = (0..1_000).map(|n| NewTask::new(n.to_string())).collect();
    database.queue().submit(QUEUE, tasks).await.unwrap();
    // Loads every script into the server.
    let first = store.claim("b", ClaimRequest::new(0, 1, LEASE)).await.unwrap().unwrap();
    assert!(store.release("b", first.token).await.unwrap());
    let first = database.queue().claim(QUEUE, ClaimOptions::new(1, LEASE)).await.unwrap();
    database.queue().release(QUEUE, &[first[0].claim]).await.unwrap();
}

/// Checks that nothing is claimed, and no attempt is counted that no worker made.
async fn expect_all_free(database: &Database) {
    database.unfinished().done().await;
    let progress = database.batch().progress("b").await.unwrap().unwrap();
    assert_eq!((progress.stages[0].claimed, progress.stages[0].ready), (0, 1_000));
    let counts = database.queue().counts(QUEUE).await.unwrap();
    assert_eq!((counts.claimed, counts.waiting), (0, 1_000));
    let token = database.batch().claim_completion("empty", LEASE).await.unwrap();
    assert!(database.batch().release("empty", token.unwrap()).await.unwrap());
    let all = database.batch().claim("b", ClaimRequest::new(0, 1_000, LEASE)).await.unwrap();
    let all = all.unwrap();
    assert!(all.documents.iter().all(|one| (one.attempt, one.lost) == (1, 0)));
    assert!(database.batch().release("b", all.token).await.unwrap());
}

#[test]
#[ignore = "needs redis-server"]
fn claims_that_are_dropped_while_the_server_hangs_hold_nothing() {
    run_test(async {
        let redis = TestRedis::start().await;
        let database = open(&redis).await;
        redis.pause();
        let mut claims = Vec::new();
        for _ in 0..200 {
            let database = database.clone();
            claims.push(tokio::spawn(async move {
                let request = ClaimRequest::new(0, 3, LEASE);
                let (batch, queue) = (database.batch(), database.queue());
                tokio::join!(
                    batch.claim("b", request),
                    batch.claim_completion("empty", LEASE),
                    queue.claim(QUEUE, ClaimOptions::new(3, LEASE)),
                )
            }));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        for claim in &claims {
            claim.abort();
        }
        for claim in claims {
            assert!(claim.await.unwrap_err().is_cancelled());
        }
        redis.resume();
        expect_all_free(&database).await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn claims_that_end_with_a_time_out_hold_nothing() {
    run_test(async {
        let redis = TestRedis::start().await;
        let database = open(&redis).await;
        redis.pause();
        for _ in 0..3 {
            let request = ClaimRequest::new(0, 3, LEASE);
            let error = database.batch().claim("b", request).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{error}");
            let claimed = database.queue().claim(QUEUE, ClaimOptions::new(3, LEASE)).await;
            assert!(claimed.is_err());
            assert!(database.batch().claim_completion("empty", LEASE).await.is_err());
        }
        redis.resume();
        expect_all_free(&database).await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_a_claimant_asked_for_ends_by_itself() {
    run_test(async {
        let redis = TestRedis::start().await;
        let database = backend(config(&redis.url())).await;
        make_work(&database).await;
        for _ in 0..300 {
            let claimed = database.queue().claim(QUEUE, ClaimOptions::new(1, LEASE)).await;
            database.queue().release(QUEUE, &[claimed.unwrap()[0].claim]).await.unwrap();
        }
        let keys = redis.command(&["KEYS", "*:asked:*"]).await.text();
        // One for each queue or batch, not one for each request.
        assert_eq!(keys.lines().count(), 2, "{keys}");
        for key in keys.lines() {
            let ends_in = redis.command(&["TTL", key]).await;
            assert!(matches!(ends_in, Reply::Integer(1..=86_400)), "{key}: {ends_in:?}");
            assert_eq!(redis.command(&["HLEN", key]).await, Reply::Integer(1), "{key}");
        }
    });
}
