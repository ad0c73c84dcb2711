//! Calls dropped before the answer: locks and permits they requested do not stay taken.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use compartment_core::backend::Backend;
use compartment_core::{
    Clock, Contract, Database, DatabaseKind, ErrorKind, LockOptions, LockStoreExt, ManualClock,
    RateLimit, RateLimitStoreExt, SystemClock,
};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::{TestRedis, eventually, give_up_after, run_test};

use crate::harness::config;

const LEASE: Duration = Duration::from_secs(300);

fn impatient(url: &str) -> RedisConfig {
    let mut config = config(url);
    config.response_timeout = Duration::from_millis(200);
    config.connect_timeout = Duration::from_millis(300);
    config.retries = 1;
    config
}

async fn open(config: RedisConfig) -> Database {
    let backend = RedisBackend::connect(config, &[0]).await.unwrap();
    backend.open(Contract::new("locks", DatabaseKind::Coordination)).await.unwrap()
}

async fn held(database: &Database, keys: usize) -> usize {
    let mut held = 0;
    for n in 0..keys {
        held += usize::from(database.lock().holder(&format!("k{n}")).await.unwrap().is_some());
    }
    held
}

#[test]
#[ignore = "needs redis-server"]
fn a_lock_that_is_given_up_within_400_microseconds_is_held_by_nobody() {
    run_test(async {
        let server = TestRedis::start().await;
        let database = open(config(&server.url())).await;
        let mut given_up = 0;
        for n in 0..200 {
            let options = LockOptions::default().lease(LEASE);
            let lock = database.lock().clone();
            let key = format!("k{n}");
            let attempt = async move { lock.lock(&key, options).await };
            match give_up_after(Duration::from_micros(n * 2), attempt).await {
                Some(guard) => drop(guard.unwrap().unwrap()),
                None => given_up += 1,
            }
        }
        assert!(given_up > 10, "{given_up} were given up");
        database.unfinished().done().await;
        assert_eq!(held(&database, 200).await, 0);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_a_stopped_server_executes_late_takes_nothing() {
    run_test(async {
        let server = TestRedis::start().await;
        let database = open(impatient(&server.url())).await;
        let limit = RateLimit::new(100, LEASE);
        assert!(database.rate_limit().acquire("limit", limit, 10).await.unwrap().is_allowed);
        server.pause();
        let asked = (0..20).map(|n| {
            let database = database.clone();
            tokio::spawn(async move {
                let (key, lock) = (format!("k{n}"), database.lock());
                let locked = lock.try_acquire(&key, "me", LEASE).await.unwrap_err().kind();
                let taken = database.rate_limit().acquire("limit", limit, 3).await.unwrap_err();
                (locked, taken.kind())
            })
        });
        for answer in asked.collect::<Vec<_>>() {
            let (locked, _) = answer.await.unwrap();
            assert!(matches!(locked, ErrorKind::Timeout | ErrorKind::Unavailable), "{locked:?}");
        }
        assert!(database.unfinished().count() > 0);
        server.resume();
        database.unfinished().done().await;
        // Late requests may still arrive on another connection.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(held(&database, 20).await, 0);
        assert_eq!(database.rate_limit().acquire("limit", limit, 0).await.unwrap().remaining, 90);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_lease_is_lost_and_a_wait_is_over_in_time_though_the_wall_clock_is_set_back() {
    run_test(async {
        let server = TestRedis::start().await;
        let database = open(config(&server.url())).await;
        let clock = ManualClock::starting_at(SystemClock.now());
        let options = || {
            let clock: Arc<dyn Clock> = Arc::new(clock.clone());
            LockOptions::default().lease(Duration::from_millis(1_500)).clock(clock)
        };
        let guard = database.lock().lock("a", options()).await.unwrap().unwrap();
        server.pause();
        clock.set(compartment_core::Timestamp::from_millis(clock.now().as_millis() - 3_600_000));
        let waiter = {
            let (lock, options) = (database.lock().clone(), options().wait(Duration::from_secs(1)));
            tokio::spawn(async move { lock.lock("b", options).await.map(drop) })
        };
        tokio::time::sleep(Duration::from_millis(20)).await;
        clock.advance(Duration::from_millis(1_100));
        let error = waiter.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(guard.is_held());
        clock.advance(Duration::from_millis(400));
        guard.lost().await;
        assert!(!guard.is_held());
        server.resume();
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_guard_dropped_outside_of_any_runtime_frees_its_lock() {
    let (server, database, guard) = run_test(async {
        let server = TestRedis::start().await;
        let database = open(config(&server.url())).await;
        let options = LockOptions::default().lease(LEASE);
        let guard = database.lock().lock("a", options).await.unwrap().unwrap();
        (server, database, guard)
    });
    // The lease is not renewed any more.
    assert!(!guard.is_held());
    drop(guard);
    run_test(async {
        eventually("it is free", || async { database.lock().holder("a").await.unwrap().is_none() })
            .await;
    });
    drop(server);
}

#[test]
#[ignore = "needs redis-server"]
fn a_release_that_is_dropped_frees_the_lock_all_the_same() {
    run_test(async {
        let server = TestRedis::start().await;
        let database = open(config(&server.url())).await;
        for n in 0..50 {
            let options = LockOptions::default().lease(LEASE);
            let guard = database.lock().lock("a", options).await.unwrap().unwrap();
            let _ = give_up_after(Duration::from_micros(n * 2), guard.release()).await;
            database.unfinished().done().await;
            assert!(database.lock().holder("a").await.unwrap().is_none(), "round {n}");
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_wait_for_permits_ends_in_time_though_the_server_does_not_answer() {
    run_test(async {
        let server = TestRedis::start().await;
        let database = open(config(&server.url())).await;
        server.pause();
        let started = Instant::now();
        let limit = RateLimit::new(5, LEASE);
        let wait = Duration::from_millis(300);
        let store = database.rate_limit();
        let error = store.acquire_within("a", limit, 1, &SystemClock, wait).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        server.resume();
        database.unfinished().done().await;
        assert_eq!(store.acquire("a", limit, 0).await.unwrap().remaining, 5);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_is_given_up_is_handed_back_though_the_databases_are_dropped_at_once() {
    run_test(async {
        let server = TestRedis::start().await;
        let watcher = open(config(&server.url())).await;
        for n in 0..20 {
            let database = open(config(&server.url())).await;
            let options = || LockOptions::default().lease(LEASE);
            let guard = database.lock().lock("a", options()).await.unwrap().unwrap();
            let limit = RateLimit::new(100, LEASE);
            let lock = database.lock().clone();
            let dropped = give_up_after(Duration::from_micros(n * 5), lock.lock("b", options()));
            drop(dropped.await);
            let acquire = database.rate_limit().acquire("limit", limit, 5);
            let kept = give_up_after(Duration::from_micros(n * 5), acquire).await.is_some();
            drop((lock, guard, database));
            eventually("nothing is held", || async {
                let left = watcher.rate_limit().acquire("limit", limit, 0).await.unwrap().remaining;
                let held = watcher.lock().holder("a").await.unwrap().is_some()
                    || watcher.lock().holder("b").await.unwrap().is_some();
                !held && left == if kept { 95 } else { 100 }
            })
            .await;
            watcher.key_value().delete(&["limit".to_owned()]).await.unwrap();
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_is_taken_back_from_a_key_of_another_use_harms_it_not() {
    run_test(async {
        let server = TestRedis::start().await;
        let database = open(config(&server.url())).await;
        server.command(&["HSET", "registry", "a", "1"]).await;
        server.command(&["ZADD", "ranks", "5", "anna"]).await;
        server.command(&["SET", "text", "x"]).await;
        let limit = RateLimit::new(5, LEASE);
        for n in 0..60 {
            let patience = Duration::from_micros(n * 3);
            for key in ["registry", "ranks", "text"] {
                let locked = database.lock().try_acquire(key, "me", LEASE);
                drop(give_up_after(patience, locked).await);
                drop(give_up_after(patience, database.rate_limit().acquire(key, limit, 1)).await);
            }
        }
        database.unfinished().done().await;
        let all = server.command(&["HGETALL", "registry"]).await;
        assert_eq!(all.array().len(), 2, "{all:?}");
        assert_eq!(server.command(&["ZCARD", "ranks"]).await.integer(), Some(1));
        for key in ["registry", "ranks", "text"] {
            assert_eq!(server.command(&["PTTL", key]).await.integer(), Some(-1), "{key}");
        }
        let error = database.lock().try_acquire("registry", "me", LEASE).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongType);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_lock_is_freed_once_a_full_server_has_room_again() {
    run_test(async {
        let server = TestRedis::start().await;
        let database = open(config(&server.url())).await;
        let options = LockOptions::default().lease(LEASE);
        let guard = database.lock().lock("a", options).await.unwrap().unwrap();
        server.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
        drop(guard);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(database.lock().holder("a").await.unwrap().is_some());
        server.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
        eventually("it is free", || async { database.lock().holder("a").await.unwrap().is_none() })
            .await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn closing_waits_for_what_is_on_its_way_and_says_what_is_not_done() {
    use compartment_core::{DatabaseMap, Databases, Instance};
    run_test(async {
        let server = TestRedis::start().await;
        let backend = RedisBackend::connect(impatient(&server.url()), &[0]).await.unwrap();
        let backends = [("primary".to_owned(), Arc::new(backend) as Arc<dyn Backend>)];
        let map = DatabaseMap::builder()
            .instance("primary", Instance::new(&server.url()).unwrap())
            .database(Contract::new("locks", DatabaseKind::Coordination))
            .build()
            .unwrap();
        let databases = Databases::open(map, &backends.into()).await.unwrap();
        let locks = databases.get("locks").unwrap();
        let options = || LockOptions::default().lease(LEASE);
        drop(locks.lock().lock("a", options()).await.unwrap().unwrap());
        databases.close(Duration::from_secs(5)).await.unwrap();
        assert!(locks.lock().holder("a").await.unwrap().is_none());
        let guard = locks.lock().lock("a", options()).await.unwrap().unwrap();
        server.pause();
        drop(guard);
        let error = databases.close(Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.to_string().contains("locks (1)"), "{error}");
        server.resume();
        databases.close(Duration::from_secs(10)).await.unwrap();
        assert!(locks.lock().holder("a").await.unwrap().is_none());
    });
}
