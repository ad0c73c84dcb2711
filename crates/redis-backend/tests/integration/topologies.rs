//! The stores on a cluster, behind Sentinel, with TLS, and as an ACL user.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_core::backend::Backend;
use compartment_core::{
    Contract, DatabaseKind, ErrorKind, KeyValueStoreExt, LockAttempt, Placement, RateLimit,
    TlsFiles,
};
use compartment_redis::{RedisBackend, Topology};
use compartment_testkit::{FaultProxy, NotRedis, TestRedis, run_test};

use crate::harness::{RedisHarness, Servers, config, connect};

mod cluster {
    use super::*;

    compartment_testkit::conformance_suite!(
        #[ignore = "needs redis-server"]
        => RedisHarness::cluster().await
    );
}

fn durable(name: &str, index: u32) -> Contract {
    Contract::new(name, DatabaseKind::Durable).with_index(index)
}

/// Uses every store, with a connection each.
async fn try_every_store(backend: &RedisBackend) {
    let database = backend.open(durable("things", 1)).await.unwrap();
    database.key_value().put("a", "1").await.unwrap();
    assert_eq!(database.key_value().keys("*").await.unwrap(), ["a"]);
    database
        .hash()
        .set_fields("h", vec![("f".into(), "v".into())], Default::default())
        .await
        .unwrap();
    assert_eq!(database.counter().increment("n", 2, Default::default()).await.unwrap(), 2);
    let lease = Duration::from_secs(5);
    let attempt = database.lock().try_acquire("l", "me", lease).await.unwrap();
    assert!(matches!(attempt, LockAttempt::Acquired(_)), "{attempt:?}");
    let limit = RateLimit::new(1, lease);
    assert!(database.rate_limit().acquire("r", limit, 1).await.unwrap().is_allowed);
    assert_eq!(database.usage().usage().await.unwrap().keys, 5);
}

#[test]
#[ignore = "needs redis-server"]
fn a_cluster_places_databases_by_prefix_unless_it_has_indexes() {
    run_test(async {
        let harness = RedisHarness::cluster().await;
        assert_eq!(harness.backend.server().topology, Topology::Cluster);
        let database = harness.backend.open(durable("batch", 4)).await.unwrap();
        let instance = "primary".to_owned();
        let wanted = match harness.backend.server().databases {
            Some(1) => Placement::Prefix { instance, index: 0, prefix: "batch:".into() },
            // Valkey 9 with numbered databases.
            _ => Placement::Index { instance, index: 4 },
        };
        assert_eq!(database.contract().placement, wanted);
        if matches!(wanted, Placement::Index { .. }) {
            return;
        }
        for n in 0..500 {
            database.key_value().put(&format!("k{n}"), "v").await.unwrap();
        }
        assert_eq!(database.key_value().keys("*").await.unwrap().len(), 500);
        assert_eq!(database.usage().usage().await.unwrap().keys, 500);
        let Servers::Cluster(servers) = &harness.servers else { unreachable!() };
        for master in 0..3 {
            let size = servers.command(master, &["DBSIZE"]).await.integer().unwrap();
            assert!(size > 50, "the keys are not spread: {size} on master {master}");
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_url_of_one_server_that_points_at_a_cluster_says_so() {
    run_test(async {
        let harness = RedisHarness::cluster().await;
        let Servers::Cluster(servers) = &harness.servers else { unreachable!() };
        let url = format!("redis://127.0.0.1:{}", servers.ports()[0]);
        let error = connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("redis+cluster://"), "{error}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn sentinels_master_is_used_and_its_successor_found() {
    run_test(async {
        let harness = RedisHarness::sentinel().await;
        assert_eq!(harness.backend.server().topology, Topology::Sentinel);
        try_every_store(&harness.backend).await;
        let database = harness.backend.open(durable("after", 2)).await.unwrap();
        database.key_value().put("before", "1").await.unwrap();
        let Servers::Sentinel(servers) = &harness.servers else { unreachable!() };
        servers.fail_over().await;
        // The old master is a replica now, where a write must not be lost.
        compartment_testkit::eventually("a write reaches the new master", || async {
            database.key_value().put("after", "2").await.is_ok()
        })
        .await;
        assert_eq!(servers.command(&["SELECT", "2"]).await.text(), "OK");
        assert_eq!(database.key_value().get("after").await.unwrap(), Some("2".into()));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn tls_is_spoken_with_the_authority_given_and_refused_without() {
    run_test(async {
        let server = TestRedis::builder().tls_with_client_certificates().start().await;
        let files = server.certificates().unwrap();
        let mut config = config(&server.url());
        let error = RedisBackend::connect(config.clone(), &[0]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(error.to_string().contains("ertificate"), "{error}");
        let mut tls = TlsFiles::default();
        tls.ca = Some(files.ca.clone());
        tls.certificate = Some(files.client_certificate.clone());
        tls.key = Some(files.client_key.clone());
        config.tls = tls;
        try_every_store(&RedisBackend::connect(config, &[0, 1]).await.unwrap()).await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn an_acl_user_may_do_what_it_may_and_no_more() {
    run_test(async {
        let server = TestRedis::builder()
            .acl_user("worker", "s3cret", "~* &* +@all -config -flushall")
            .acl_user("reader", "s3cret", "~* &* +@read +@connection +info +set +del")
            .start()
            .await;
        let url = server.url_with_user("worker", "s3cret");
        try_every_store(&connect(&url).await.unwrap()).await;
        let reader = connect(&server.url_with_user("reader", "s3cret")).await.unwrap();
        let database = reader.open(durable("things", 1)).await.unwrap();
        assert_eq!(database.key_value().get("a").await.unwrap(), Some("1".into()));
        let error = database.counter().increment("n", 1, Default::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
        assert_eq!((error.database(), error.key()), (Some("things"), Some("n")));
    });
}

/// Checks that a wrong server causes one clear error that never shows the password.
async fn refused(url: &str, kind: ErrorKind, says: &str) {
    let error = connect(url).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    let text = error.to_string();
    assert!(text.contains(says), "{text:?} lacks {says:?}");
    assert!(!text.contains('\n'), "{text:?} is more than one line");
    assert!(!format!("{text} {error:?}").contains("s3cret"), "{error:?}");
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_cannot_be_used_is_one_clear_error() {
    run_test(async {
        let closed = FaultProxy::start(1).await;
        closed.refuse().await;
        refused(&closed.url(), ErrorKind::Unavailable, "cannot be reached").await;

        let locked = TestRedis::builder().password("right").start().await;
        let port = locked.port();
        let wrong = format!("redis://:s3cret@127.0.0.1:{port}");
        refused(&wrong, ErrorKind::Authentication, "check user name and password").await;
        let without = format!("redis://127.0.0.1:{port}");
        refused(&without, ErrorKind::Authentication, "check user name and password").await;

        let http = NotRedis::start().await;
        let url = format!("redis://:s3cret@127.0.0.1:{}", http.port());
        refused(&url, ErrorKind::Protocol, "check address, port and TLS").await;

        let server = TestRedis::builder().databases(1).start().await;
        let backend = connect(&server.url()).await.unwrap();
        let placed = backend.open(durable("batch", 4)).await.unwrap();
        assert_eq!(placed.contract().placement.prefix(), "batch:");

        let server = TestRedis::builder().databases(4).start().await;
        let error = RedisBackend::connect(config(&server.url()), &[0, 4]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("has 4 databases"), "{error}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_ignores_select_is_found_out() {
    run_test(async {
        let server = TestRedis::start().await;
        let proxy = FaultProxy::start(server.port()).await;
        proxy.rewrite_select();
        refused(&proxy.url(), ErrorKind::NotIsolated, "ignores it").await;
        assert_eq!(server.command(&["DBSIZE"]).await.integer(), Some(0), "the canary was left");
        // Prefixes do not need SELECT.
        RedisBackend::connect(config(&proxy.url()), &[0]).await.unwrap();
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_database_has_connections_of_its_own_and_no_more_than_allowed() {
    run_test(async {
        let server = TestRedis::start().await;
        let mut config = config(&server.url());
        config.max_connections = 2;
        config.connections_per_database = 1;
        let backend = RedisBackend::connect(config, &[0, 1]).await.unwrap();
        let _first = backend.open(durable("a", 0)).await.unwrap();
        let second = backend.open(durable("b", 1)).await.unwrap();
        let error = backend.open(durable("c", 2)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("max_connections is 2"), "{error}");
        drop(second);
        backend.open(durable("c", 2)).await.unwrap();
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_slot_on_its_way_to_another_master_is_followed() {
    run_test(async {
        let harness = RedisHarness::cluster().await;
        let Servers::Cluster(servers) = &harness.servers else { unreachable!() };
        let database = harness.backend.open(durable("batch", 0)).await.unwrap();
        let (from, slot) = servers.home_of("batch:n").await;
        let to = (from + 1) % 3;
        let moving = servers.begin_move(from, to, slot).await;
        // The key has left this master, but the slot has not: ASK.
        for sum in 1..=5 {
            let counted = database.counter().increment("n", 1, Default::default()).await;
            assert_eq!(counted.unwrap(), sum);
        }
        assert_eq!(database.counter().count("n").await.unwrap(), Some(5));
        let many = vec![("n".to_owned(), 2), ("n".to_owned(), 3)];
        let sums = database.counter().increment_many(many, Default::default()).await.unwrap();
        assert_eq!(sums, [7, 10]);
        // A request with keys of several slots, one of them being moved.
        let store = database.key_value();
        store.put("a", "1").await.unwrap();
        let names = || ["a", "n", "none"].map(str::to_owned);
        let values = store.get_many(&names()).await.unwrap();
        assert_eq!(values, [Some("1".into()), Some("10".into()), None]);
        // The slot has moved: MOVED.
        moving.end().await;
        for sum in 11..=15 {
            let counted = database.counter().increment("n", 1, Default::default()).await;
            assert_eq!(counted.unwrap(), sum);
        }
        let values = store.get_many(&names()).await.unwrap();
        assert_eq!(values, [Some("1".into()), Some("15".into()), None]);
        assert_eq!(store.delete(&names()).await.unwrap(), 2);
        // Moves the slot back, for the tests that share this cluster.
        servers.begin_move(to, from, slot).await.end().await;
    });
}
