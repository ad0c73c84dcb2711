//! Servers that hang, are busy, or reject large values: every caller gets its answer in time.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::{Duration, Instant};

use compartment_core::backend::Backend;
use compartment_core::{Contract, Database, DatabaseKind, ErrorKind, Expiry, KeyValueStoreExt};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::{TestRedis, run_test};

use crate::harness::{self, config};

const CONNECT: Duration = Duration::from_millis(300);
const RESPONSE: Duration = Duration::from_millis(400);
const RETRIES: u32 = 2;
/// Three attempts, pauses of 25 and 50 ms between them, and slack for a busy machine.
const LIMIT: Duration = Duration::from_millis(3 * 700 + 75 + 900);

async fn open(config: RedisConfig, index: u32) -> Database {
    let backend = RedisBackend::connect(config, &[0, index]).await.unwrap();
    let contract = Contract::new("batch", DatabaseKind::Durable).with_index(index);
    backend.open(contract).await.unwrap()
}

fn bounded(url: &str) -> RedisConfig {
    let mut config = config(url);
    (config.connect_timeout, config.response_timeout) = (CONNECT, RESPONSE);
    config.retries = RETRIES;
    config
}

/// How long the first and the last of `callers` waited for their errors.
async fn waits(database: &Database, callers: usize, is_read: bool) -> (Duration, Duration) {
    let began = Instant::now();
    let tasks = (0..callers).map(|n| {
        let store = database.key_value().clone();
        tokio::spawn(async move {
            let key = format!("k{n}");
            let failed = if is_read {
                store.get(&key).await.is_err()
            } else {
                store.put(&key, "x").await.is_err()
            };
            assert!(failed, "nobody answered");
            began.elapsed()
        })
    });
    let mut waits = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        waits.push(task.await.unwrap());
    }
    (waits.iter().min().copied().unwrap(), waits.iter().max().copied().unwrap())
}

#[test]
#[ignore = "needs redis-server"]
fn two_thousand_callers_of_a_stopped_server_wait_no_longer_than_one() {
    run_test(async {
        let server = TestRedis::start().await;
        for is_read in [false, true] {
            let database = open(bounded(&server.url()), 0).await;
            database.key_value().put("a", "1").await.unwrap();
            server.pause();
            for callers in [1, 10, 2_000] {
                let (_, last) = waits(&database, callers, is_read).await;
                assert!(last < LIMIT, "{callers} callers, reads {is_read}: {last:?}");
            }
            server.resume();
            compartment_testkit::eventually("it answers again", || async {
                database.key_value().get("a").await.is_ok()
            })
            .await;
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_is_busy_with_a_script_is_not_ready_and_answers_afterwards() {
    run_test(async {
        let server = TestRedis::builder().config("busy-reply-threshold", "1").start().await;
        let mut config = config(&server.url());
        config.retries = 10;
        let database = open(config, 3).await;
        let mut impatient = harness::config(&server.url());
        impatient.retries = 0;
        let other = open(impatient, 3).await;
        let script = {
            let mut connection = server.connect().await;
            tokio::spawn(async move {
                let busy = "local t = redis.call('TIME')[1] + 2
                    while tonumber(redis.call('TIME')[1]) < tonumber(t) do end return 1";
                connection.send(&["EVAL", busy, "0"]).await
            })
        };
        tokio::time::sleep(Duration::from_millis(200)).await;
        let error = other.key_value().get("a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotReady, "{error}");
        // A connection opened now has to select an index.
        let mut patient = harness::config(&server.url());
        patient.retries = 10;
        let opened = RedisBackend::connect(patient, &[0, 3]);
        let selecting = async {
            let contract = Contract::new("x", DatabaseKind::Durable).with_index(3);
            opened.await?.open(contract).await.map(drop)
        };
        let (written, selected) = tokio::join!(database.key_value().put("a", "1"), selecting);
        written.unwrap();
        selected.unwrap();
        script.await.unwrap().unwrap();
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_value_larger_than_the_server_takes_says_so_and_harms_nobody() {
    run_test(async {
        let server = TestRedis::builder().config("proto-max-bulk-len", "1mb").start().await;
        let database = open(config(&server.url()), 0).await;
        let store = database.key_value();
        store.put("a", vec![b'x'; 1 << 20]).await.unwrap();
        let reader = {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..500 {
                    store.get("small").await.unwrap();
                }
            })
        };
        let error = store.put("b", vec![b'x'; (1 << 20) + 1]).await.unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidArgument, Some("b")));
        assert!(error.to_string().contains("proto-max-bulk-len"), "{error}");
        let fields = vec![("f".to_owned(), vec![b'x'; 2 << 20].into())];
        let error = database.hash().set_fields("h", fields, Expiry::Never).await.unwrap_err();
        assert!(error.to_string().contains("1048576"), "{error}");
        reader.await.unwrap();
        assert_eq!(store.get("b").await.unwrap(), None);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_still_loads_its_file_is_waited_for() {
    run_test(async {
        let mut server = TestRedis::builder()
            .config("key-load-delay", "500")
            .config("loading-process-events-interval-bytes", "1024")
            .start()
            .await;
        // Two seconds of loading, at half a millisecond per key.
        let fill = "for i = 1, 4000 do redis.call('SET', 'key ' .. i, i) end";
        server.command(&["EVAL", fill, "0"]).await;
        server.command(&["SAVE"]).await;
        let url = server.url();
        server.kill();
        let connecting = async |retries| {
            loop {
                let mut config = config(&url);
                config.retries = retries;
                match RedisBackend::connect(config, &[0, 3]).await {
                    // Its port is not open yet.
                    Err(error) if error.kind() == ErrorKind::Unavailable => {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    connected => return connected,
                }
            }
        };
        let ((), impatient, patient) =
            tokio::join!(server.restart(), connecting(0), connecting(10));
        assert_eq!(impatient.unwrap_err().kind(), ErrorKind::NotReady);
        let contract = Contract::new("x", DatabaseKind::Durable);
        let database = patient.unwrap().open(contract).await.unwrap();
        assert_eq!(database.key_value().get("key 4000").await.unwrap(), Some("4000".into()));
    });
}
