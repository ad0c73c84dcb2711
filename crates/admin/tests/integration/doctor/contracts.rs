//! Keys against the contracts of their databases, by a bounded sample that leaves no trace.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use compartment_admin::doctor::{Code, DoctorOptions, Severity, examine};
use compartment_core::{
    Contract, DatabaseKind, DatabaseMap, DatabaseMapBuilder, Instance, Placement, Preset,
    TtlByEnvironment,
};
use compartment_testkit::{Reply, TestRedis, run_test};

use super::{codes, deployed, examined, found, pipeline, set};

fn with_template(server: &TestRedis) -> DatabaseMap {
    DatabaseMapBuilder::preset(Preset::Pipeline)
        .instance("primary", Instance::new(&server.url()).unwrap())
        .key("page", "page:{id}", "cache", TtlByEnvironment::default())
        .unwrap()
        .build()
        .unwrap()
}

/// Sets `count` keys `page:N`, with a TTL or without.
async fn fill(server: &TestRedis, index: u32, count: usize, ttl: bool) {
    const FILL: &str = "redis.call('SELECT', ARGV[1])
        for i = 1, ARGV[2] do
            redis.call('SET', 'page:' .. i, 'value')
            if ARGV[3] == 'true' then redis.call('EXPIRE', 'page:' .. i, 1000) end
        end";
    let (index, count, ttl) = (index.to_string(), count.to_string(), ttl.to_string());
    let filled = server.command(&["EVAL", FILL, "0", &index, &count, &ttl]).await;
    assert!(!filled.is_error(), "{filled:?}");
}

#[test]
#[ignore = "needs redis-server"]
fn keys_without_a_ttl_are_counted_up_from_a_bounded_sample() {
    run_test(async {
        let server = TestRedis::start().await;
        let map = pipeline(&server.url());
        fill(&server, 2, 3_000, false).await;
        fill(&server, 3, 10, true).await;
        fill(&server, 4, 10, false).await;
        let examination = examined(&map).await;
        let finding = found(&examination, Code::KeyWithoutTtl);
        assert_eq!(finding.databases, ["cache"]);
        assert_eq!((finding.key_count, finding.keys.len()), (Some(3_000), 3));
        assert!(finding.bytes.is_some_and(|bytes| bytes > 3_000 * 30), "{finding:?}");
        assert!(finding.cure.contains("expire --database cache --at-most 172800s"), "{finding:?}");
        assert_eq!(examination.keys_looked_at, 1_020);

        let mut options = DoctorOptions::default();
        options.sample = 50;
        let quick = examine(&deployed(&map).await, &options).await;
        assert_eq!(quick.keys_looked_at, 70);
        assert_eq!(found(&quick, Code::KeyWithoutTtl).key_count, Some(3_000));

        fill(&server, 2, 3_000, true).await;
        server.command_in(3, &["SET", "lock:1", "x"]).await;
        let examination = examined(&map).await;
        let finding = found(&examination, Code::KeyWithoutTtl);
        assert_eq!(
            (finding.databases.join(","), finding.key_count),
            ("rate_limit".into(), Some(1))
        );
        assert_eq!(finding.keys, ["lock:1"]);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn durable_keys_with_a_ttl_matter_where_such_keys_are_evicted() {
    run_test(async {
        let server = TestRedis::builder().config("maxmemory", "1gb").start().await;
        let map = pipeline(&server.url());
        fill(&server, 4, 10, true).await;
        assert!(!codes(&examined(&map).await).contains(&Code::DurableKeyEvictable));
        set(&server, "maxmemory-policy", "volatile-ttl").await;
        let examination = examined(&map).await;
        let finding = found(&examination, Code::DurableKeyEvictable);
        assert_eq!((finding.databases.join(","), finding.key_count), ("batch".into(), Some(10)));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn keys_of_a_template_are_found_in_other_databases_named_or_not() {
    run_test(async {
        let server = TestRedis::start().await;
        let map = with_template(&server);
        fill(&server, 2, 5, true).await;
        assert!(!codes(&examined(&map).await).contains(&Code::KeyInWrongDatabase));
        fill(&server, 4, 7, false).await;
        fill(&server, 9, 3, false).await;
        let examination = examined(&map).await;
        let wrong = examination.findings.iter().filter(|one| one.code == Code::KeyInWrongDatabase);
        let wrong: Vec<_> = wrong.map(|one| (one.databases.join(","), one.key_count)).collect();
        assert_eq!(wrong, [("batch,cache".into(), Some(7)), ("index 9,cache".into(), Some(3))]);
        assert_eq!(found(&examination, Code::UnnamedKeys).key_count, Some(3));
        assert!(found(&examination, Code::KeyInWrongDatabase).cure.contains("--to cache"));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn behind_prefixes_only_the_keys_of_each_prefix_count() {
    run_test(async {
        let server = TestRedis::builder().databases(1).start().await;
        let map = with_template(&server);
        for (key, ttl) in [("cache:page:1", "100"), ("cache:page:2", ""), ("batch:page:3", "")] {
            server.command(&["SET", key, "x"]).await;
            if !ttl.is_empty() {
                server.command(&["EXPIRE", key, ttl]).await;
            }
        }
        server.command(&["SET", "stray", "x"]).await;
        let examination = examined(&map).await;
        let finding = found(&examination, Code::KeyWithoutTtl);
        assert_eq!((finding.key_count, finding.keys.join(",")), (Some(1), "page:2".into()));
        assert_eq!(found(&examination, Code::KeyInWrongDatabase).databases, ["batch", "cache"]);
        assert_eq!(found(&examination, Code::UnnamedKeys).keys, ["stray"]);
        assert!(!codes(&examination).contains(&Code::TooFewDatabases));
        let named = map.database("cache").unwrap();
        assert_eq!(named.placement, Placement::Index { instance: "primary".into(), index: 2 });
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_database_that_moves_has_its_keys_in_the_previous_place() {
    run_test(async {
        let server = TestRedis::start().await;
        let old = Placement::Index { instance: "primary".into(), index: 9 };
        let map = DatabaseMap::builder()
            .instance("primary", Instance::new(&server.url()).unwrap())
            .database(
                Contract::new("pages", DatabaseKind::Durable)
                    .with_index(1)
                    .previous(compartment_core::Previous::all(old)),
            )
            .key("page", "page:{id}", "pages", TtlByEnvironment::default())
            .unwrap();
        fill(&server, 9, 3, false).await;
        let found = codes(&examined(&map.build().unwrap()).await);
        assert!(!found.contains(&Code::KeyInWrongDatabase), "{found:?}");
        assert!(!found.contains(&Code::UnnamedKeys), "{found:?}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn large_and_hot_keys_are_found_and_no_idle_time_is_touched() {
    run_test(async {
        let server = TestRedis::start().await;
        let map = pipeline(&server.url());
        server.command_in(4, &["SETRANGE", "huge", "17000000", "x"]).await;
        server.command_in(4, &["SET", "small", "x"]).await;
        let Reply::Bytes(payload) = server.command_in(4, &["DUMP", "small"]).await else {
            unreachable!("a key has a payload")
        };
        let restore = async |name: &[u8], option: &[u8], value: &[u8]| {
            let words = [b"RESTORE", name, b"0", &payload, option, value];
            let answer = server.command_in(4, &words).await;
            assert!(!answer.is_error(), "{answer:?}");
        };
        restore(b"idle", b"IDLETIME", b"5000").await;
        let examination = examined(&map).await;
        let finding = found(&examination, Code::BigKey);
        assert_eq!((finding.keys.join(","), finding.severity), ("huge".into(), Severity::Notice));
        assert!(finding.bytes.is_some_and(|bytes| bytes >= 17_000_000));
        assert!(!codes(&examination).contains(&Code::HotKey));
        let idle = server.command_in(4, &["OBJECT", "IDLETIME", "idle"]).await.integer();
        assert!(idle.is_some_and(|seconds| seconds >= 5_000), "{idle:?}");

        set(&server, "maxmemory-policy", "allkeys-lfu").await;
        restore(b"hot", b"FREQ", b"230").await;
        restore(b"cold", b"FREQ", b"20").await;
        let examination = examined(&map).await;
        assert_eq!(found(&examination, Code::HotKey).keys, ["hot"]);
        let freq = server.command_in(4, &["OBJECT", "FREQ", "hot"]).await.integer();
        assert!(freq.is_some_and(|uses| uses >= 229), "{freq:?}");
    });
}
