//! A cache that is opened once and used from many short-lived runtimes.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::time::Duration;

use compartment_cache::{Cache, CacheOptions};
use compartment_core::backend::Backend;
use compartment_core::{Contract, Database, DatabaseKind, Instance};
use compartment_memory::MemoryBackend;
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::{TestRedis, eventually, run_test};
use tokio::runtime::{Builder, Runtime};

use crate::harness::{Source, key, policy, read};

/// Concurrent runtimes, as in a test binary that runs its tests in threads.
const RUNTIMES: usize = 50;
const ROUNDS: usize = 5;
const READS: usize = 40;
/// Time limit of a read; a longer one hangs.
const PATIENCE: Duration = Duration::from_secs(20);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn contract() -> Contract {
    Contract::new("cache", DatabaseKind::Cache).with_index(2)
}

async fn in_memory() -> Database {
    MemoryBackend::default().open(contract()).await.unwrap()
}

async fn on_redis(server: &TestRedis) -> Database {
    let config = RedisConfig::for_instance(&Instance::new(&server.url()).unwrap(), 1);
    RedisBackend::connect(config, &[2]).await.unwrap().open(contract()).await.unwrap()
}

/// No first tier, so that every read uses the database.
fn options() -> CacheOptions {
    CacheOptions::default().policy(policy().first_tier(false))
}

async fn fill(cache: &Cache) {
    for id in 0..READS {
        let _ = cache.set(&key(&id.to_string()), format!("value {id}")).await.unwrap();
    }
}

fn begin_reads(cache: &Cache) -> Vec<tokio::task::JoinHandle<()>> {
    (0..READS)
        .map(|id| {
            let cache = cache.clone();
            tokio::spawn(async move {
                // A miss from a slow database is acceptable here; a wait without end is not.
                let load = move || async move { Ok::<_, std::io::Error>(format!("value {id}")) };
                let value = cache.get_or_load(&key(&id.to_string()), load).await.unwrap();
                assert_eq!(*value, format!("value {id}"));
            })
        })
        .collect()
}

async fn read_all(cache: Cache) {
    for read in begin_reads(&cache) {
        read.await.unwrap();
    }
}

async fn fifty_runtimes(cache: Cache) {
    fill(&cache).await;
    for round in 0..ROUNDS {
        let threads = (0..RUNTIMES).map(|at| {
            let cache = cache.clone();
            std::thread::spawn(move || {
                runtime().block_on(async {
                    if at % 3 > 0 {
                        return tokio::time::timeout(PATIENCE, read_all(cache)).await.unwrap();
                    }
                    // The runtime ends during its reads, including those that read for others.
                    let _reads = begin_reads(&cache);
                    for _ in 0..at % 7 {
                        tokio::task::yield_now().await;
                    }
                });
            })
        });
        let threads: Vec<_> = threads.collect();
        let passed = tokio::task::spawn_blocking(move || {
            threads.into_iter().filter_map(|thread| thread.join().ok()).count()
        });
        assert_eq!(passed.await.unwrap(), RUNTIMES, "round {round}");
        tokio::time::timeout(PATIENCE, read_all(cache.clone())).await.unwrap();
    }
}

#[test]
fn fifty_runtimes_share_a_cache_in_memory_and_none_hangs() {
    run_test(async {
        fifty_runtimes(Cache::open(&in_memory().await, options()).await.unwrap()).await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn fifty_runtimes_share_a_cache_on_redis_and_none_hangs() {
    run_test(async {
        let server = TestRedis::start().await;
        fifty_runtimes(Cache::open(&on_redis(&server).await, options()).await.unwrap()).await;
    });
}

/// A load in a stalled runtime does not renew its lease, so others load after it has expired.
#[test]
fn a_runtime_that_stands_still_holds_no_load_and_no_read_for_ever() {
    run_test(async {
        let policy = policy().lease(Duration::from_millis(500));
        let options = CacheOptions::default().policy(policy);
        let cache = Cache::open(&in_memory().await, options).await.unwrap();
        let still = tokio::task::spawn_blocking({
            let cache = cache.clone();
            move || {
                let (runtime, source) = (runtime(), Source::closed());
                let loads = source.clone();
                runtime.spawn(async move { read(&cache, "a", &loads).await });
                runtime.block_on(async {
                    while source.calls() == 0 {
                        tokio::task::yield_now().await;
                    }
                });
                runtime
            }
        });
        let still = still.await.unwrap();
        let source = Source::open();
        let value = tokio::time::timeout(PATIENCE, read(&cache, "a", &source)).await.unwrap();
        assert_eq!(value.unwrap(), "value 1");
        assert_eq!(source.calls(), 1);
        tokio::task::spawn_blocking(move || drop(still)).await.unwrap();
    });
}

/// If the listening runtime has ended, another one listens; until then the first tier is not trusted.
#[test]
fn news_is_heard_although_the_runtime_that_opened_the_cache_has_ended() {
    let database = runtime().block_on(in_memory());
    let first = runtime();
    let options = || CacheOptions::default().policy(policy());
    let cache = first.block_on(async { Cache::open(&database, options()).await.unwrap() });
    assert!(cache.metrics().trusted);
    drop(first);
    assert!(!cache.metrics().trusted, "nobody listens");
    let cache = Arc::new(cache);
    runtime().block_on(async {
        let other = Cache::open(&database, options()).await.unwrap();
        let _ = other.set(&key("a"), "old".to_owned()).await.unwrap();
        eventually("it listens again", || async {
            let _ = cache.get(&key("a")).await.unwrap();
            cache.metrics().trusted
        })
        .await;
        let _ = other.remove(&key("a")).await.unwrap();
        eventually("it hears of the removal", || async {
            cache.get(&key("a")).await.unwrap().is_none()
        })
        .await;
    });
}
