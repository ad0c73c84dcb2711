//! Following real servers as a replica does: the copy, and the writes that come after it.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::collections::BTreeMap;

use compartment_admin::rdb::{Item, RdbReader};
use compartment_admin::replication::{Replica, Wanted};
use compartment_core::{ErrorKind, Instance, TlsFiles};
use compartment_redis::{RedisConfig, Server};
use compartment_testkit::{Reply, TestRedis, TestRedisBuilder, TestSentinel, eventually, run_test};

fn config(url: &str) -> RedisConfig {
    RedisConfig::for_instance(&Instance::new(url).unwrap(), 1)
}

async fn server(url: &str) -> Server {
    Server::connect(config(url)).await.unwrap()
}

fn builder() -> TestRedisBuilder {
    TestRedis::builder().config("repl-diskless-sync-delay", "0")
}

/// The keys of the copy, by database and name.
async fn copy(replica: &mut Replica) -> BTreeMap<(u64, Vec<u8>), u8> {
    let mut bytes = Vec::new();
    while let Some(piece) = replica.next_piece().await.unwrap() {
        bytes.extend_from_slice(&piece);
    }
    let items = RdbReader::new(bytes.as_slice()).unwrap();
    items
        .filter_map(|item| match item.unwrap() {
            Item::Key(key) => Some(((key.database, key.name), key.value_type)),
            _ => None,
        })
        .collect()
}

async fn fill(redis: &TestRedis) {
    redis.command_in(3, &["SET", "a", &"x".repeat(300_000)]).await;
    redis.command_in(11, &["RPUSH", "b", "1", "2"]).await;
}

#[test]
#[ignore = "needs redis-server"]
fn the_copy_comes_in_both_forms_and_the_writes_after_it() {
    run_test(async {
        for diskless in ["yes", "no"] {
            let redis = builder().config("repl-diskless-sync", diskless).start().await;
            fill(&redis).await;
            let server = server(&redis.url()).await;
            let mut replica = Replica::start(&server, Wanted::CopyAndFeed).await.unwrap();
            redis.command_in(3, &["SET", "a", "later"]).await;
            let found = copy(&mut replica).await;
            assert_eq!(found.len(), 2, "{found:?}");
            assert!(found.contains_key(&(11, b"b".to_vec())));
            let mut feed = replica.into_feed().await.unwrap();
            redis.command_in(11, &["LPOP", "b"]).await;
            redis.command_in(0, &["SET", "c", "\r\n", "PX", "100000"]).await;
            let mut next = async || {
                let command = feed.next().await.unwrap();
                (command.database, String::from_utf8(command.arguments.concat()).unwrap())
            };
            assert_eq!(next().await, (3, "SETalater".into()));
            assert_eq!(next().await, (11, "LPOPb".into()));
            let (database, text) = next().await;
            // Before 7.0 the time left is sent as it is.
            assert!(database == 0 && text.starts_with("SETc\r\nPX"), "{text}");
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_server_is_told_how_far_the_feed_was_read() {
    run_test(async {
        let redis = builder().start().await;
        let server = server(&redis.url()).await;
        let replica = Replica::start(&server, Wanted::CopyAndFeed).await.unwrap();
        let mut feed = replica.into_feed().await.unwrap();
        let mut writer = redis.connect().await;
        writer.send(&["SET", "a", "1"]).await.unwrap();
        assert_eq!(&feed.next().await.unwrap().arguments[1][..], b"a");
        // WAIT asks the replicas; the feed hears it while it waits for the next write.
        let reading = tokio::spawn(async move { feed.next().await });
        let reached = writer.send(&["WAIT", "1", "20000"]).await.unwrap();
        assert_eq!(reached, Reply::Integer(1));
        writer.send(&["SET", "b", "1"]).await.unwrap();
        let command = reading.await.unwrap().unwrap();
        let info = redis.command(&["INFO", "replication"]).await.text();
        assert!(info.contains(&format!("master_repl_offset:{}\r\n", command.offset)), "{info}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_copy_alone_ends_by_itself() {
    run_test(async {
        let redis = builder().start().await;
        fill(&redis).await;
        let mut replica = Replica::start(&server(&redis.url()).await, Wanted::Copy).await.unwrap();
        assert_eq!(copy(&mut replica).await.len(), 2);
        drop(replica);
        eventually("the server has forgotten the replica", || async {
            redis.command(&["INFO", "replication"]).await.text().contains("connected_slaves:0")
        })
        .await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn passwords_tls_and_sentinel_are_no_hindrance() {
    run_test(async {
        let redis = builder().password("p@w%/").tls_with_client_certificates().start().await;
        fill(&redis).await;
        let files = redis.certificates().unwrap();
        let mut tls = TlsFiles::default();
        tls.ca = Some(files.ca.clone());
        tls.certificate = Some(files.client_certificate.clone());
        tls.key = Some(files.client_key.clone());
        let mut config = config(&redis.url().replace("p@w%/", "p%40w%25%2F"));
        config.tls = tls;
        let server = Server::connect(config).await.unwrap();
        let mut replica = Replica::start(&server, Wanted::Copy).await.unwrap();
        assert_eq!(copy(&mut replica).await.len(), 2);

        let group = TestSentinel::start().await;
        group.command(&["SET", "a", "1"]).await;
        let server = self::server(&group.url()).await;
        let mut replica = Replica::start(&server, Wanted::Copy).await.unwrap();
        assert_eq!(copy(&mut replica).await.len(), 1);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_refuses_is_told_of_with_the_way_out() {
    run_test(async {
        let redis = builder()
            .acl_user("reader", "pw", "~* +@all -psync")
            .config("rename-command", "SYNC \"\"")
            .start()
            .await;
        let limited = server(&redis.url_with_user("reader", "pw")).await;
        let error = Replica::start(&limited, Wanted::Copy).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Permission);
        assert!(error.to_string().contains("--via scan"), "{error}");
        let managed = TestRedis::builder().config("rename-command", "PSYNC \"\"").start().await;
        let error = Replica::start(&server(&managed.url()).await, Wanted::Copy).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("--via scan"), "{error}");
    });
}
