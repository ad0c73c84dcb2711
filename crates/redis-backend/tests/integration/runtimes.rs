//! A database opened once and used from many short-lived runtimes: no read waits forever.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use compartment_core::backend::Backend;
use compartment_core::{Contract, Database, DatabaseKind, ErrorKind, Instance, KeyValueStoreExt};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::{TestRedis, run_test};
use tokio::runtime::{Builder, Runtime};

/// Concurrent runtimes, as in a test binary that runs its tests in threads.
const RUNTIMES: usize = 50;
const ROUNDS: usize = 5;
const READS: usize = 40;
/// Time limit of a read; a longer one hangs.
const PATIENCE: Duration = Duration::from_secs(20);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn config(server: &TestRedis) -> RedisConfig {
    let mut config = RedisConfig::for_instance(&Instance::new(&server.url()).unwrap(), 1);
    config.connect_timeout = Duration::from_millis(300);
    config.response_timeout = Duration::from_millis(300);
    config.retries = 1;
    config
}

async fn open(server: &TestRedis) -> Database {
    let backend = RedisBackend::connect(config(server), &[2]).await.unwrap();
    let contract = Contract::new("state", DatabaseKind::Durable).with_index(2);
    backend.open(contract).await.unwrap()
}

async fn fill(database: &Database) {
    for id in 0..READS {
        database.key_value().put(&format!("{id}"), format!("value {id}")).await.unwrap();
    }
}

async fn read_all(database: Arc<Database>) {
    let reads = (0..READS).map(|id| {
        let database = Arc::clone(&database);
        tokio::spawn(async move {
            let value = database.key_value().get(&format!("{id}")).await.unwrap();
            assert_eq!(value.unwrap(), format!("value {id}"));
        })
    });
    for read in reads.collect::<Vec<_>>() {
        read.await.unwrap();
    }
}

/// Starts reads on a runtime that ends after this many of its turns.
fn read_and_leave(database: &Arc<Database>, turns: usize) {
    let runtime = runtime();
    for id in 0..READS {
        let database = Arc::clone(database);
        runtime.spawn(async move { database.key_value().get(&format!("{id}")).await.map(drop) });
    }
    runtime.block_on(async {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn fifty_runtimes_share_a_database_and_none_hangs() {
    run_test(async {
        let server = TestRedis::start().await;
        let database = Arc::new(open(&server).await);
        fill(&database).await;
        for round in 0..ROUNDS {
            let threads = (0..RUNTIMES).map(|at| {
                let database = Arc::clone(&database);
                std::thread::spawn(move || {
                    if at % 3 == 0 {
                        // Its reads are dropped midway, including those that read for others.
                        read_and_leave(&database, at % 7);
                        return;
                    }
                    runtime().block_on(async {
                        tokio::time::timeout(PATIENCE, read_all(database)).await.unwrap();
                    });
                })
            });
            let threads: Vec<_> = threads.collect();
            let passed = tokio::task::spawn_blocking(move || {
                threads.into_iter().filter_map(|thread| thread.join().ok()).count()
            });
            assert_eq!(passed.await.unwrap(), RUNTIMES, "round {round}");
            tokio::time::timeout(PATIENCE, read_all(Arc::clone(&database))).await.unwrap();
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_runtime_that_stands_still_holds_no_read_of_another_for_ever() {
    run_test(async {
        let server = TestRedis::start().await;
        let database = Arc::new(open(&server).await);
        fill(&database).await;
        // Polled once and kept: the requests neither complete nor are they dropped.
        let still = tokio::task::spawn_blocking({
            let database = Arc::clone(&database);
            move || {
                let runtime = runtime();
                for id in 0..READS {
                    let database = Arc::clone(&database);
                    runtime.spawn(async move {
                        database.key_value().get(&format!("{id}")).await.map(drop)
                    });
                }
                runtime.block_on(tokio::task::yield_now());
                runtime
            }
        });
        let still = still.await.unwrap();
        tokio::time::timeout(PATIENCE, read_all(Arc::clone(&database))).await.unwrap();
        // The places are free again, so that reads do not wait.
        let begun = Instant::now();
        tokio::time::timeout(PATIENCE, read_all(Arc::clone(&database))).await.unwrap();
        assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
        tokio::task::spawn_blocking(move || drop(still)).await.unwrap();
    });
}

/// Every caller gets its answer within the time limit of one request, however many there are.
#[test]
#[ignore = "needs redis-server"]
fn callers_of_a_server_that_hangs_share_one_failure() {
    run_test(async {
        let server = TestRedis::start().await;
        let database = open(&server).await;
        fill(&database).await;
        server.pause();
        // (retries + 1) x (connect + response time-out) + a pause.
        let bound = Duration::from_millis(2 * (300 + 300) + 50);
        let slack = Duration::from_millis(1_500);
        for count in [1, 2_000] {
            let begun = Instant::now();
            let reads = (0..count).map(|id| {
                let database = database.clone();
                tokio::spawn(
                    async move { database.key_value().get(&format!("{}", id % READS)).await },
                )
            });
            for read in reads.collect::<Vec<_>>() {
                let error = read.await.unwrap().unwrap_err();
                let kind = error.kind();
                assert!(
                    matches!(
                        kind,
                        ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Interrupted
                    ),
                    "{error}"
                );
            }
            assert!(begun.elapsed() < bound + slack, "{count}: {:?}", begun.elapsed());
        }
        server.resume();
    });
}

/// A key of another type fails alone, without affecting the keys that are read with it.
#[test]
#[ignore = "needs redis-server"]
fn a_wrong_type_among_merged_reads_is_its_own() {
    run_test(async {
        let server = TestRedis::start().await;
        let database = Arc::new(open(&server).await);
        fill(&database).await;
        server.command_in(2, &["HSET", "hash", "field", "value"]).await;
        let reads = (0..400).map(|at| {
            let database = Arc::clone(&database);
            tokio::spawn(async move {
                let name = match at % 4 {
                    0 => "hash".to_owned(),
                    1 => "none".to_owned(),
                    _ => format!("{}", at % READS),
                };
                (at, database.key_value().get(&name).await)
            })
        });
        for read in reads.collect::<Vec<_>>() {
            let (at, answer) = read.await.unwrap();
            match at % 4 {
                0 => {
                    let error = answer.unwrap_err();
                    assert_eq!((error.kind(), error.key()), (ErrorKind::WrongType, Some("hash")));
                }
                1 => assert_eq!(answer.unwrap(), None),
                _ => assert_eq!(answer.unwrap().unwrap(), format!("value {}", at % READS)),
            }
        }
    });
}
