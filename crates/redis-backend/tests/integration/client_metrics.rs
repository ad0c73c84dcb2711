//! The figures that processes publish about their databases, added up in the database `metrics`.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use compartment_core::backend::Backend;
use compartment_core::metrics::{ClientMetrics, ClientMetricsPublisher, PublisherOptions};
use compartment_core::{
    Clock, DatabaseMap, Databases, Expiry, LockOptions, LockStoreExt, ManualClock, Preset,
    SetOptions, Timestamp,
};
use compartment_testkit::{TestRedis, run_test};

use crate::harness::config;

const MINUTE: Duration = Duration::from_secs(60);
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// The databases of a process.
async fn process(server: &TestRedis) -> Databases {
    let map = DatabaseMap::preset(Preset::Pipeline, &server.url()).unwrap();
    let indexes: Vec<u32> = map.databases().iter().map(|one| one.placement.index()).collect();
    let mut config = config(&server.url());
    config.max_connections = 50;
    let backend = compartment_redis::RedisBackend::connect(config, &indexes).await.unwrap();
    let backend: Arc<dyn Backend> = Arc::new(backend);
    Databases::open(map, &BTreeMap::from([("primary".to_owned(), backend)])).await.unwrap()
}

fn publisher(databases: &Databases, clock: &ManualClock) -> ClientMetricsPublisher {
    let options = PublisherOptions::default().clock(Arc::new(clock.clone()));
    ClientMetricsPublisher::start(databases, options).unwrap()
}

async fn figures(databases: &Databases, name: &str, clock: &ManualClock) -> ClientMetrics {
    let metrics = databases.get("metrics").unwrap();
    ClientMetrics::read(metrics, name, 5 * MINUTE, clock.now()).await.unwrap()
}

async fn set(databases: &Databases, key: &str, bytes: usize) {
    let store = databases.get("cache").unwrap().key_value();
    let options = SetOptions::expiring(Expiry::After(MINUTE));
    store.set(key, vec![b'x'; bytes].into(), options).await.unwrap();
}

#[test]
#[ignore = "needs redis-server"]
fn requests_bytes_and_latencies_of_all_processes_are_added_up() {
    run_test(async {
        let server = TestRedis::start().await;
        let (one, other) = (process(&server).await, process(&server).await);
        let clock = ManualClock::starting_at(START);
        let (first, second) = (publisher(&one, &clock), publisher(&other, &clock));
        assert_eq!(figures(&one, "cache", &clock).await.since_ms, None);

        for at in 0..10 {
            set(&one, &format!("page:{at}"), 1_000).await;
        }
        let store = other.get("cache").unwrap().key_value();
        for at in 0..5 {
            assert!(store.get(&format!("page:{at}")).await.unwrap().is_some());
        }
        assert!(store.get("page:none").await.unwrap().is_none());
        first.publish().await.unwrap();
        second.publish().await.unwrap();
        // Nothing has happened since.
        first.publish().await.unwrap();

        let found = figures(&one, "cache", &clock).await;
        assert_eq!(found.since_ms, Some(START.as_millis()));
        let recent = &found.recent;
        assert_eq!((recent.hits, recent.misses, recent.writes), (5, 1, 10));
        assert_eq!((recent.requests, recent.failures), (16, 0));
        assert_eq!(recent.latencies.count(), 16);
        assert!(recent.latencies.mean().unwrap() > Duration::ZERO);
        assert!((10_000..12_000).contains(&recent.sent_bytes), "{recent:?}");
        assert!((5_000..5_200).contains(&recent.received_bytes), "{recent:?}");
        assert_eq!(found.total, found.recent);

        // Rates are over the time since counting began, and a window forgets.
        clock.advance(2 * MINUTE);
        let found = figures(&one, "cache", &clock).await;
        assert_eq!(found.window, 2 * MINUTE);
        assert!((found.per_second(found.recent.requests) - 16.0 / 120.0).abs() < 1e-9);
        clock.advance(10 * MINUTE);
        let found = figures(&one, "cache", &clock).await;
        assert_eq!((found.recent.requests, found.total.requests), (0, 16));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_process_says_how_many_of_its_connections_are_taken() {
    run_test(async {
        let server = TestRedis::start().await;
        let databases = process(&server).await;
        let clock = ManualClock::starting_at(START);
        let publisher = publisher(&databases, &clock);
        let taken = || async {
            publisher.publish().await.unwrap();
            let metrics = databases.get("metrics").unwrap();
            let processes = ClientMetrics::processes(metrics).await.unwrap();
            assert_eq!(processes.len(), 1);
            assert_eq!(processes[0].pid, std::process::id());
            processes[0].connections["primary"]
        };
        let before = taken().await;
        assert_eq!(before.max, 50);
        let subscription =
            databases.get("cache").unwrap().channel().subscribe("news").await.unwrap();
        assert_eq!(taken().await.taken, before.taken + 1);
        drop(subscription);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_lock_that_is_waited_for_in_vain_is_counted_and_one_that_is_only_tried_is_not() {
    run_test(async {
        let server = TestRedis::start().await;
        let databases = process(&server).await;
        let locks = databases.get("rate_limit").unwrap().lock();
        let held = locks.lock_or_fail("nightly", LockOptions::default()).await.unwrap();
        assert!(locks.lock("nightly", LockOptions::default()).await.unwrap().is_none());
        let counted = || databases.get("rate_limit").unwrap().traffic().snapshot().lock_timeouts;
        assert_eq!(counted(), 0);
        let patient = LockOptions::default().wait(Duration::from_millis(5));
        assert!(locks.lock("nightly", patient.clone()).await.unwrap().is_none());
        assert!(locks.lock_or_fail("nightly", patient).await.is_err());
        assert_eq!(counted(), 2);
        drop(held);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn requests_to_a_server_that_is_gone_count_as_failures() {
    run_test(async {
        let mut server = TestRedis::start().await;
        let databases = process(&server).await;
        set(&databases, "page:1", 10).await;
        server.kill();
        let store = databases.get("cache").unwrap().key_value();
        assert!(store.get("page:1").await.is_err());
        let counted = databases.get("cache").unwrap().traffic().snapshot();
        assert!(counted.failures >= 1, "{counted:?}");
        assert_eq!(counted.latencies.count(), 1, "only the answer of the write counts");
    });
}
