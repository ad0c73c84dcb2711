//! Tests on real servers: paused, killed, restarted empty, slow; and with many clients.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::{Duration, Instant};

use compartment_cache::{Cache, CacheOptions, Delivery};
use compartment_core::backend::Backend;
use compartment_core::{Contract, DatabaseKind, Instance};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::{FaultProxy, TestRedis, eventually, run_test};

use crate::harness::{Source, key, policy, read, until};

/// Stands for a process: a backend, its connections, and a cache.
async fn process(url: &str, options: CacheOptions) -> Cache {
    let mut config = RedisConfig::for_instance(&Instance::new(url).unwrap(), 1);
    config.connect_timeout = Duration::from_millis(300);
    config.response_timeout = Duration::from_millis(300);
    config.retries = 1;
    let backend = RedisBackend::connect(config, &[2]).await.unwrap();
    let contract = Contract::new("cache", DatabaseKind::Cache).with_index(2);
    Cache::open(&backend.open(contract).await.unwrap(), options).await.unwrap()
}

fn options() -> CacheOptions {
    CacheOptions::default()
        .policy(policy())
        .database_timeout(Duration::from_millis(200))
        .breaker(3, Duration::from_millis(300))
}

async fn value(cache: &Cache, id: &str) -> Option<String> {
    cache.get(&key(id)).await.unwrap().map(|value| (*value).clone())
}

#[test]
#[ignore = "needs redis-server"]
fn a_thousand_misses_in_four_processes_are_one_load() {
    run_test(async {
        let server = TestRedis::start().await;
        for round in 0..5 {
            let source = Source::closed();
            let mut tasks = Vec::new();
            for _ in 0..4 {
                let cache = process(&server.url(), CacheOptions::default().policy(policy())).await;
                tasks.extend((0..250).map(|_| {
                    let (cache, source) = (cache.clone(), source.clone());
                    tokio::spawn(async move { read(&cache, &format!("{round}"), &source).await })
                }));
            }
            until("a load has begun", || source.calls() == 1).await;
            let started = Instant::now();
            source.let_go(1);
            for task in tasks {
                assert_eq!(task.await.unwrap().unwrap(), "value 1");
            }
            assert!(started.elapsed() < Duration::from_secs(10), "woken, not by the lease's end");
            assert_eq!(source.calls(), 1);
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn an_invalidation_reaches_the_other_first_tiers() {
    run_test(async {
        let server = TestRedis::start().await;
        let first = process(&server.url(), options()).await;
        let second = process(&server.url(), options()).await;
        let source = Source::open();
        let document = first.of_document("d");
        for round in 1..=20 {
            read(&document, "a", &source).await.unwrap();
            let wanted = format!("value {round}");
            eventually("the other reads it", || async {
                value(&second, "a").await.as_ref() == Some(&wanted)
            })
            .await;
            assert_eq!(first.invalidate_document("d").await, Delivery::Delivered);
            assert_eq!(value(&first, "a").await, None);
            eventually("the other is told", || async { value(&second, "a").await.is_none() }).await;
        }
    });
}

/// Every read with a loader returns a value, none takes much longer than the database's time-out, and keys removed in
/// the meantime are not served after recovery.
async fn survives(cache: &Cache, source: &Source) {
    let longest = Duration::from_millis(1_500);
    for id in 0..200 {
        let started = Instant::now();
        assert!(read(cache, &format!("{id}"), source).await.is_ok(), "{id}");
        assert!(started.elapsed() < longest, "{id} took {:?}", started.elapsed());
    }
    let _ = cache.remove(&key("removed")).await.unwrap();
    assert_eq!(value(cache, "removed").await, None);
}

async fn recovers(cache: &Cache, source: &Source) {
    eventually("it recovers", || async {
        let _ = read(cache, "recovered", source).await;
        let metrics = cache.metrics();
        metrics.trusted && metrics.pending_removals == 0
    })
    .await;
    assert_eq!(value(cache, "removed").await, None);
}

#[test]
#[ignore = "needs redis-server"]
fn a_paused_server_fails_no_read_and_brings_nothing_back() {
    run_test(async {
        let server = TestRedis::start().await;
        let cache = process(&server.url(), options()).await;
        let other = process(&server.url(), options()).await;
        let source = Source::open();
        let _ = cache.set(&key("removed"), "old".to_owned()).await.unwrap();
        server.pause();
        survives(&cache, &source).await;
        server.resume();
        recovers(&cache, &source).await;
        eventually("the other does not serve it", || async {
            let _ = read(&other, "recovered", &source).await;
            other.metrics().trusted && value(&other, "removed").await.is_none()
        })
        .await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_killed_server_fails_no_read_and_is_used_again_when_it_is_back_empty() {
    run_test(async {
        let mut server = TestRedis::start().await;
        let cache = process(&server.url(), options()).await;
        let source = Source::open();
        let _ = cache.set(&key("removed"), "old".to_owned()).await.unwrap();
        server.kill();
        survives(&cache, &source).await;
        server.restart().await;
        recovers(&cache, &source).await;
        read(&cache, "new", &source).await.unwrap();
        let other = process(&server.url(), options()).await;
        assert!(value(&other, "new").await.is_some(), "kept in the database again");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_slow_server_is_left_alone_and_used_again() {
    run_test(async {
        let server = TestRedis::start().await;
        let proxy = FaultProxy::start(server.port()).await;
        let cache = process(&proxy.url(), options()).await;
        let source = Source::open();
        let _ = cache.set(&key("removed"), "old".to_owned()).await.unwrap();
        proxy.delay(Duration::from_millis(300));
        survives(&cache, &source).await;
        proxy.heal().await;
        recovers(&cache, &source).await;
    });
}
