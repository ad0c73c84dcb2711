//! Real servers that are killed, paused and disconnected, and the errors that callers get.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use compartment_core::backend::Backend;
use compartment_core::{
    Contract, Database, DatabaseKind, ErrorKind, Expiry, KeyValueStoreExt, SetOptions,
};
use compartment_redis::RedisBackend;
use compartment_testkit::{FaultProxy, TestRedis, eventually, run_test};

use crate::harness::config;

async fn open(url: &str, response_timeout: Duration) -> Database {
    let mut config = config(url);
    config.response_timeout = response_timeout;
    config.connect_timeout = Duration::from_millis(500);
    let backend = RedisBackend::connect(config, &[0]).await.unwrap();
    backend.open(Contract::new("batch", DatabaseKind::Durable)).await.unwrap()
}

#[test]
#[ignore = "needs redis-server"]
fn a_killed_server_is_an_error_at_once_and_back_after_its_restart() {
    run_test(async {
        let mut server = TestRedis::start().await;
        let database = open(&server.url(), Duration::from_secs(5)).await;
        database.key_value().put("a", "1").await.unwrap();
        server.kill();
        let started = Instant::now();
        let error = database.key_value().get("a").await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Interrupted), "{error}");
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        assert_eq!((error.database(), error.key()), (Some("batch"), Some("a")));
        server.restart().await;
        eventually("the database answers again", || async {
            database.key_value().put("a", "2").await.is_ok()
        })
        .await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_cut_connection_is_not_seen_by_readers() {
    run_test(async {
        let server = TestRedis::start().await;
        let proxy = FaultProxy::start(server.port()).await;
        let database = open(&proxy.url(), Duration::from_secs(5)).await;
        database.key_value().put("a", "1").await.unwrap();
        for _ in 0..20 {
            proxy.cut();
            assert_eq!(database.key_value().get("a").await.unwrap(), Some("1".into()));
            proxy.cut();
            // A plain set may be repeated: the second execution changes nothing.
            database.key_value().put("b", "2").await.unwrap();
        }
        assert!(database.traffic().snapshot().retries > 0);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn an_increment_is_never_repeated_when_it_may_have_been_executed() {
    run_test(async {
        let server = TestRedis::start().await;
        let proxy = FaultProxy::start(server.port()).await;
        let database = Arc::new(open(&proxy.url(), Duration::from_secs(5)).await);
        let cutting = async {
            for _ in 0..40 {
                tokio::time::sleep(Duration::from_millis(3)).await;
                proxy.cut();
            }
        };
        let adding = {
            let database = Arc::clone(&database);
            async move {
                let (mut acknowledged, mut unknown) = (0, 0);
                for _ in 0..2_000 {
                    match database.counter().increment("n", 1, Expiry::default()).await {
                        Ok(_) => acknowledged += 1,
                        Err(_) => unknown += 1,
                    }
                }
                (acknowledged, unknown)
            }
        };
        let ((acknowledged, unknown), ()) = tokio::join!(adding, cutting);
        let counted = database.counter().count("n").await.unwrap().unwrap();
        assert!(
            (acknowledged..=acknowledged + unknown).contains(&counted),
            "{counted} counted, {acknowledged} acknowledged, {unknown} unknown"
        );
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_paused_server_is_a_timeout_within_the_limit_and_fine_when_it_wakes() {
    run_test(async {
        let server = TestRedis::start().await;
        let mut config = config(&server.url());
        config.response_timeout = Duration::from_millis(200);
        config.connect_timeout = Duration::from_millis(200);
        config.retries = 1;
        let backend = RedisBackend::connect(config, &[0]).await.unwrap();
        let contract = Contract::new("batch", DatabaseKind::Durable);
        let database = backend.open(contract).await.unwrap();
        database.key_value().put("a", "1").await.unwrap();
        server.pause();
        let started = Instant::now();
        let options = SetOptions::default().if_absent();
        let error = database.key_value().set("b", "1".into(), options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        let error = database.key_value().get("a").await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{error}");
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
        server.resume();
        eventually("the database answers again", || async {
            database.key_value().get("a").await.ok() == Some(Some("1".into()))
        })
        .await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn readers_who_give_up_leave_the_others_their_turn() {
    run_test(async {
        let server = TestRedis::start().await;
        let database = open(&server.url(), Duration::from_secs(5)).await;
        for n in 0..50 {
            database.key_value().put(&format!("k{n}"), n.to_string()).await.unwrap();
        }
        for round in 0..50 {
            let reads = (0..400).map(|n| {
                let store = Arc::clone(database.key_value());
                tokio::spawn(async move { store.get(&format!("k{}", n % 50)).await })
            });
            let reads: Vec<_> = reads.collect();
            // Some are dropped before, some during, and some after sending.
            if round % 5 == 0 {
                tokio::task::yield_now().await;
            }
            for (n, read) in reads.into_iter().enumerate() {
                if n % 3 == round % 3 {
                    read.abort();
                } else {
                    let value = read.await.unwrap().unwrap();
                    assert_eq!(value, Some((n % 50).to_string().into()));
                }
            }
        }
        assert_eq!(database.key_value().get("k7").await.unwrap(), Some("7".into()));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_full_server_and_a_read_only_one_say_so() {
    run_test(async {
        let server = TestRedis::builder().config("maxmemory", "1500kb").start().await;
        let database = open(&server.url(), Duration::from_secs(5)).await;
        let mut outcome = Ok(());
        for n in 0..2_000 {
            outcome = database.key_value().put(&format!("k{n}"), vec![b'x'; 4_096]).await;
            if outcome.is_err() {
                break;
            }
        }
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
        server.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
        server.command(&["REPLICAOF", "127.0.0.1", "1"]).await;
        let error = database.key_value().put("a", "1").await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::ReadOnly | ErrorKind::NotReady), "{error}");
    });
}
