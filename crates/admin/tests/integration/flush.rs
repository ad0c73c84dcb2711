//! Flushes that do what was said, and those that are refused.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use compartment_admin::{
    AdminError, FlushOptions, FlushWay, Limits, Place, Progress, Silent, flush, preview_flush,
};
use compartment_core::{
    Contract, DatabaseKind, DatabaseMap, DatabaseMapBuilder, Instance, Placement, Preset,
};
use compartment_redis::{RedisConfig, Server};
use compartment_testkit::{TestRedis, run_test};

use crate::installations::{self, tell, writer};

async fn named(server: &TestRedis, name: &str, index: u32, prefix: &str) -> Place {
    let instance = Instance::new(&server.url()).unwrap();
    let connected = Server::connect(RedisConfig::for_instance(&instance, 1)).await.unwrap();
    Place::new(name, connected, index).with_prefix(prefix)
}

fn map(server: &TestRedis) -> DatabaseMap {
    DatabaseMapBuilder::preset(Preset::Pipeline)
        .instance("primary", Instance::new(&server.url()).unwrap())
        .build()
        .unwrap()
}

async fn size(server: &TestRedis, index: u32) -> i64 {
    server.command_in(index, &["DBSIZE"]).await.integer().unwrap()
}

/// The reasons for which it is refused.
async fn refusal(place: &Place, map: &DatabaseMap, options: &FlushOptions) -> String {
    match flush(place, map, options, &Silent).await {
        Err(AdminError::Unsafe(reasons)) => reasons,
        other => unreachable!("{other:?}"),
    }
}

fn really(name: &str) -> FlushOptions {
    let mut options = FlushOptions::default();
    options.yes_really = Some(name.to_owned());
    options
}

#[test]
#[ignore = "needs redis-server"]
fn a_cache_is_flushed_and_its_neighbours_stay() {
    run_test(async {
        let server = TestRedis::start().await;
        for index in [0, 2] {
            tell(&mut writer(&server, index).await, &installations::own(10)).await;
        }
        let (map, place) = (map(&server), named(&server, "cache", 2, "").await);
        let options = FlushOptions::default();
        let preview = preview_flush(&place, &map, &options, &Silent).await.unwrap();
        assert_eq!((preview.keys, preview.way), (30, FlushWay::FlushDb));
        assert!(preview.patterns.contains(&("doc:{uuid}:text".to_owned(), 10)));
        assert_eq!(size(&server, 2).await, 30);
        let report = flush(&place, &map, &options, &Silent).await.unwrap();
        assert_eq!(report.removed, 30);
        assert_eq!((size(&server, 0).await, size(&server, 2).await), (30, 0));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn patterns_and_limits_remove_key_by_key() {
    run_test(async {
        let server = TestRedis::start().await;
        tell(&mut writer(&server, 2).await, &installations::own(10)).await;
        let (map, place) = (map(&server), named(&server, "cache", 2, "").await);
        let mut options = FlushOptions::default();
        options.patterns = vec!["doc:*:state".to_owned(), "rate:*".to_owned()];
        let report = flush(&place, &map, &options, &Silent).await.unwrap();
        assert_eq!((report.removed, report.way), (20, FlushWay::Unlink));
        assert_eq!(size(&server, 2).await, 10);
        let mut options = FlushOptions::default();
        options.limits = Limits::default().operations_per_second(Some(10_000));
        let report = flush(&place, &map, &options, &Silent).await.unwrap();
        assert_eq!((report.removed, report.way), (10, FlushWay::Unlink));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_cannot_be_made_again_needs_its_name() {
    run_test(async {
        let server = TestRedis::start().await;
        let map = map(&server);
        for (name, index) in [("batch", 4), ("rate_limit", 3), ("index 9", 9)] {
            tell(&mut writer(&server, index).await, &installations::own(2)).await;
            let place = named(&server, name, index, "").await;
            for wrong in [FlushOptions::default(), really("cache")] {
                let said = refusal(&place, &map, &wrong).await;
                assert!(said.contains(&format!("--yes-really {name:?}")), "{said}");
            }
            assert_eq!(size(&server, index).await, 6);
            assert_eq!(flush(&place, &map, &really(name), &Silent).await.unwrap().removed, 6);
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_shared_index_is_never_flushed_whole() {
    run_test(async {
        let server = TestRedis::start().await;
        tell(&mut writer(&server, 0).await, &installations::own(5)).await;
        let contract = |name: &str, kind| {
            let mut contract = Contract::new(name, kind).with_index(0);
            contract.is_shared = true;
            contract
        };
        let map = DatabaseMap::builder()
            .instance("primary", Instance::new(&server.url()).unwrap())
            .database(contract("cache", DatabaseKind::Cache))
            .database(contract("broker", DatabaseKind::Durable))
            .build()
            .unwrap();
        let place = named(&server, "cache", 0, "").await;
        for options in [FlushOptions::default(), really("cache")] {
            let said = refusal(&place, &map, &options).await;
            assert!(said.contains("shared with broker"), "{said}");
        }
        let mut options = FlushOptions::default();
        options.patterns = vec!["rate:*".to_owned()];
        assert!(refusal(&place, &map, &options).await.contains("shared with broker"));
        options.yes_really = Some("cache".to_owned());
        assert_eq!(flush(&place, &map, &options, &Silent).await.unwrap().removed, 5);
        assert_eq!(size(&server, 0).await, 10);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_prefix_loses_its_own_keys_only() {
    run_test(async {
        let server = TestRedis::start().await;
        let mut connection = writer(&server, 0).await;
        for n in 0..7 {
            let lines = [format!("SET c:{n} x"), format!("SET b:{n} x"), format!("SET o{n} x")];
            tell(&mut connection, &lines).await;
        }
        let contract = |name: &str, kind, prefix: &str| {
            let (instance, prefix) = ("primary".to_owned(), prefix.to_owned());
            let placement = Placement::Prefix { instance, index: 0, prefix };
            Contract::new(name, kind).placement(placement)
        };
        let map = DatabaseMap::builder()
            .instance("primary", Instance::new(&server.url()).unwrap())
            .database(contract("cache", DatabaseKind::Cache, "c:"))
            .database(contract("broker", DatabaseKind::Durable, "b:"))
            .build()
            .unwrap();
        let place = named(&server, "cache", 0, "c:").await;
        let report = flush(&place, &map, &FlushOptions::default(), &Silent).await.unwrap();
        assert_eq!((report.removed, report.way), (7, FlushWay::Unlink));
        assert_eq!(size(&server, 0).await, 14);
        // The whole index is both databases' and more.
        let whole = named(&server, "index 0", 0, "").await;
        let said = refusal(&whole, &map, &really("index 0")).await;
        assert!(said.contains("shared with broker, cache"), "{said}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn waiting_workers_stop_a_flush() {
    run_test(async {
        let server = TestRedis::start().await;
        let mut worker = writer(&server, 2).await;
        tell(&mut worker, &["CLIENT SETNAME w1".to_owned()]).await;
        let waiting = tokio::spawn(async move { worker.send(&["BLPOP", "q", "0"]).await });
        compartment_testkit::eventually("a blocked client", async || {
            server.command(&["INFO", "clients"]).await.text().contains("blocked_clients:1")
        })
        .await;
        let place = named(&server, "cache", 2, "").await;
        let said = refusal(&place, &map(&server), &FlushOptions::default()).await;
        waiting.abort();
        assert!(said.contains("\"w1\" are blocked on keys"), "{said}");
    });
}

/// Writes a key at the moment when the counted ones begin to be removed.
struct WritesMeanwhile(u16);

impl Progress for WritesMeanwhile {
    fn begin(&self, what: &str, _: Option<u64>) {
        use std::io::{Read, Write};

        if what != "remove the keys" {
            return;
        }
        let mut server = std::net::TcpStream::connect(("127.0.0.1", self.0)).unwrap();
        server.write_all(b"SELECT 2\r\nSET page:new value\r\n").unwrap();
        let mut answers = [0; 10];
        server.read_exact(&mut answers).unwrap();
        assert_eq!(&answers, b"+OK\r\n+OK\r\n");
    }

    fn advance(&self, _: u64) {}

    fn note(&self, _: &str) {}
}

#[test]
#[ignore = "needs redis-server"]
fn a_flush_of_counted_keys_spares_those_that_came_since() {
    run_test(async {
        let server = TestRedis::start().await;
        let (map, place) = (map(&server), named(&server, "cache", 2, "").await);
        for key in ["page:1", "page:2", "log"] {
            server.command_in(2, &["SET", key, "value"]).await;
        }
        let mut options = FlushOptions::default();
        options.except = vec![b"log".to_vec()];
        options.note_names = Some(1);
        let preview = preview_flush(&place, &map, &options, &Silent).await.unwrap();
        assert!(preview.names.is_none(), "there are more than the maximum");
        options.note_names = Some(2);
        let preview = preview_flush(&place, &map, &options, &Silent).await.unwrap();
        options.only = preview.names.map(std::sync::Arc::new);
        let meanwhile = WritesMeanwhile(server.port());
        let report = flush(&place, &map, &options, &meanwhile).await.unwrap();
        assert_eq!((report.removed, report.way), (2, FlushWay::Unlink));
        let mut left = server.command_in(2, &["KEYS", "*"]).await.text();
        left = left.split('\n').rev().collect::<Vec<_>>().join(" ");
        assert!(["log page:new", "page:new log"].contains(&left.as_str()), "{left}");
        let moved = flush(&place, &map, &options, &Silent).await;
        assert!(matches!(moved, Err(AdminError::Moved(_))), "{moved:?}");
        assert_eq!(size(&server, 2).await, 2);
    });
}
