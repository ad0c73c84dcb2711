//! Stores on a server that floods, nests or drips: an error within the time-outs, and work goes on with the next answer.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_core::backend::Backend;
use compartment_core::{Contract, Database, DatabaseKind, ErrorKind, SetOptions};
use compartment_redis::{RedisBackend, RedisConfig, Server};
use compartment_testkit::{Attack, HostileServer, TestRedis, run_test};

use crate::harness::config;

const LIMIT: Duration = Duration::from_millis(500);

fn short(url: &str) -> RedisConfig {
    let mut config = config(url);
    config.response_timeout = LIMIT;
    config.connect_timeout = LIMIT;
    config.retries = 1;
    config
}

async fn open(url: &str) -> Database {
    let backend = RedisBackend::connect(short(url), &[0]).await.unwrap();
    backend.open(Contract::new("state", DatabaseKind::Durable)).await.unwrap()
}

#[test]
#[ignore = "needs redis-server"]
fn an_answer_of_a_store_is_bounded() {
    run_test(async {
        let server = TestRedis::start().await;
        for (at, attack, kind) in [
            ("GET", Attack::flood("$2147483647\r\n", "a"), ErrorKind::Protocol),
            ("GET", Attack::flood("", "*1\r\n"), ErrorKind::Protocol),
            ("GET", Attack::flood("+", "a"), ErrorKind::Protocol),
            ("GET", Attack::Drip(b"$1000\r\n".to_vec()), ErrorKind::Timeout),
            ("EXISTS", Attack::flood("*1000000\r\n", ":1\r\n"), ErrorKind::Protocol),
            ("EXISTS", Attack::flood("", "|1\r\n+a\r\n+b\r\n"), ErrorKind::Protocol),
        ] {
            let hostile = HostileServer::start(server.port(), at, attack).await;
            let store = open(&hostile.url()).await;
            let store = store.key_value();
            store.set("a", "1".into(), SetOptions::default()).await.unwrap();
            let error = match at {
                "GET" => store.get("a").await.unwrap_err(),
                _ => store.exists("a").await.unwrap_err(),
            };
            assert_eq!(error.kind(), kind, "{error}");
            assert!(hostile.attacks() > 0);
            store.set("a", "2".into(), SetOptions::default()).await.unwrap();
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn nobody_is_answered_more_before_the_login_is_over_than_a_greeting() {
    run_test(async {
        let server = TestRedis::start().await;
        for (at, attack) in [
            ("", Attack::flood("+", "a")),
            ("", Attack::flood("$536870912\r\n", "a")),
            ("HELLO", Attack::flood("$1048577\r\n", "a")),
            ("HELLO", Attack::flood("%100000\r\n", "+a\r\n")),
        ] {
            let hostile = HostileServer::start(server.port(), at, attack).await;
            let error = Server::connect(short(&hostile.url())).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        }
    });
}
