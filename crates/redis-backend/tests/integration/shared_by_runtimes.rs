//! One static database used by many runtimes, as in a test binary where each `#[tokio::test]` has one.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use compartment_core::backend::Backend;
use compartment_core::{
    Contract, Database, DatabaseKind, Expiry, KeyValueStoreExt, LockOptions, LockStoreExt,
};
use compartment_redis::RedisBackend;
use compartment_testkit::TestRedis;

use crate::harness::config;

/// Runs a test like `#[tokio::test]`, on a new thread.
fn run<T: Send + 'static>(
    test: impl Future<Output = T> + Send + 'static,
) -> std::thread::JoinHandle<T> {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await.unwrap() })
    })
}

fn opened() -> (TestRedis, Database) {
    run(async {
        let server = TestRedis::start().await;
        let backend = RedisBackend::connect(config(&server.url()), &[0]).await.unwrap();
        let contract = Contract::new("batch", DatabaseKind::Durable);
        let database = backend.open(contract).await.unwrap();
        database.key_value().put("a", "1").await.unwrap();
        (server, database)
    })
    .join()
    .unwrap()
}

#[test]
#[ignore = "needs redis-server"]
fn fifty_tests_share_a_database_and_every_write_is_certain() {
    for round in 0..5 {
        let (server, database) = opened();
        let added = Arc::new(AtomicI64::new(0));
        let tests = (0..50).map(|n| {
            let (database, added) = (database.clone(), Arc::clone(&added));
            run(async move {
                let reads = (0..20).map(|_| database.key_value().get("a"));
                for value in futures_util::future::join_all(reads).await {
                    assert_eq!(value.unwrap(), Some("1".into()));
                }
                // Not repeated if it may have been executed, so an error would show here.
                database.counter().increment("n", 1, Expiry::Never).await.unwrap();
                added.fetch_add(1, Ordering::Relaxed);
                let key = format!("lock {n}");
                let options = LockOptions::default();
                let guard = database.lock().lock(&key, options).await.unwrap().unwrap();
                assert!(guard.release().await.unwrap());
                // Some end while requests are in progress.
                if n % 3 == 0 {
                    for _ in 0..10 {
                        let store = database.key_value().clone();
                        tokio::spawn(async move { store.get("a").await });
                    }
                    tokio::task::yield_now().await;
                }
            })
        });
        let tests: Vec<_> = tests.collect();
        let passed = tests.into_iter().filter_map(|test| test.join().ok()).count();
        assert_eq!(passed, 50, "in round {round}");
        let counted = run({
            let database = database.clone();
            async move { database.counter().count("n").await.unwrap() }
        });
        assert_eq!(counted.join().unwrap(), Some(50));
        drop(server);
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_runtime_that_stands_still_keeps_nobody_waiting() {
    let (server, database) = opened();
    // This runtime starts reads, and is then neither driven nor dropped.
    let still = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = database.key_value().clone();
    still.block_on(async {
        for _ in 0..10 {
            let store = store.clone();
            tokio::spawn(async move { store.get("a").await });
        }
        tokio::task::yield_now().await;
    });
    let reader = run(async move {
        for _ in 0..10 {
            assert_eq!(database.key_value().get("a").await.unwrap(), Some("1".into()));
        }
    });
    reader.join().unwrap();
    drop(still);
    drop(server);
}
