//! Eviction, memory and connections: faults of a server's settings.

use compartment_admin::doctor::{Code, Severity};
use compartment_core::{Contract, DatabaseKind, DatabaseMap, DatabaseMapBuilder, Instance, Preset};
use compartment_testkit::{FaultProxy, RespConnection, TestRedis, run_test};

use super::{codes, examined, found, pipeline, set, severity};

#[test]
#[ignore = "needs redis-server"]
fn a_policy_is_held_against_the_kinds() {
    run_test(async {
        let server = TestRedis::start().await;
        let map = pipeline(&server.url());
        server.command_in(4, &["SET", "batch:1", "state"]).await;
        let before = examined(&map).await;
        assert_eq!(severity(&before, Code::NoMaxmemory), Severity::Warning);
        assert!(!codes(&before).contains(&Code::DurableEvictable), "{before:#?}");

        set(&server, "maxmemory-policy", "allkeys-lru").await;
        assert_eq!(severity(&examined(&map).await, Code::DurableEvictable), Severity::Warning);
        set(&server, "maxmemory", "1gb").await;
        let takes_all = examined(&map).await;
        let finding = found(&takes_all, Code::DurableEvictable);
        assert_eq!(finding.severity, Severity::Critical);
        assert_eq!(finding.databases, ["broker", "results", "batch", "metrics"]);
        assert!(finding.key_count == Some(1) && finding.bytes.is_some_and(|bytes| bytes > 0));
        assert!(finding.why.contains("batch (1 key, about "), "{}", finding.why);
        assert!(finding.cure.contains("--policy noeviction --apply"), "{}", finding.cure);
        assert_eq!(severity(&takes_all, Code::CoordinationEvictable), Severity::Critical);
        assert!(!codes(&takes_all).contains(&Code::NoMaxmemory));

        set(&server, "maxmemory-policy", "volatile-lru").await;
        let volatile = examined(&map).await;
        assert!(!codes(&volatile).contains(&Code::DurableEvictable), "{volatile:#?}");
        let finding = found(&volatile, Code::CoordinationEvictable);
        assert_eq!((finding.severity, finding.databases.len()), (Severity::Warning, 1));

        set(&server, "maxmemory-policy", "noeviction").await;
        let never = codes(&examined(&map).await);
        assert!(!never.contains(&Code::CoordinationEvictable), "{never:?}");
        assert!(!never.contains(&Code::CacheUnbounded), "the cache has a budget: {never:?}");
    });
}

/// `BLESS` and its field of `INFO`, as the documentation of Redis 8.12 has them.
const BLESS: &str = "redis.call('SELECT', 15)
    if ARGV[1] == 'SET' then return redis.call('SADD', 'blessed', ARGV[2]) end
    return redis.call('SISMEMBER', 'blessed', ARGV[2]) == 1 and { 'NO-EVICT' } or {}";
const INFO: &str = "return redis.call('INFO', unpack(ARGV)) .. 'blessed_keys:0\\r\\n'";

#[test]
#[ignore = "needs redis-server"]
fn keys_that_a_server_is_told_to_keep_are_no_finding() {
    run_test(async {
        let server = TestRedis::builder()
            .config("maxmemory", "1gb")
            .config("maxmemory-policy", "allkeys-lru")
            .start()
            .await;
        server.command_in(4, &["MSET", "batch:1", "state", "batch:2", "state"]).await;
        let plain = examined(&pipeline(&server.url())).await;
        assert!(!found(&plain, Code::DurableEvictable).cure.contains("BLESS"));

        let proxy = FaultProxy::start(server.port()).await;
        proxy.answer_by("BLESS", BLESS);
        proxy.answer_by("INFO", INFO);
        let map = pipeline(&proxy.url());
        let examination = examined(&map).await;
        let finding = found(&examination, Code::DurableEvictable);
        assert!(finding.cure.contains("BLESS SET <KEY> NO-EVICT"), "{}", finding.cure);
        let mut client = RespConnection::open(proxy.port()).await.unwrap();
        for (key, expected) in [("batch:1", true), ("batch:2", false)] {
            let kept = client.send(&["BLESS", "SET", key, "NO-EVICT"]).await.unwrap();
            assert_eq!(kept.integer(), Some(1));
            let examination = examined(&map).await;
            let databases = &found(&examination, Code::DurableEvictable).databases;
            assert_eq!(databases.contains(&"batch".to_owned()), expected, "{databases:?}");
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_cache_without_a_budget_fills_a_server_that_never_evicts() {
    run_test(async {
        let server = TestRedis::builder().config("maxmemory", "1gb").start().await;
        let map = DatabaseMap::builder()
            .instance("primary", Instance::new(&server.url()).unwrap())
            .database(Contract::new("pages", DatabaseKind::Cache).with_index(1))
            .database(Contract::new("jobs", DatabaseKind::Durable).with_index(2))
            .build()
            .unwrap();
        let examination = examined(&map).await;
        let finding = found(&examination, Code::CacheUnbounded);
        assert_eq!(
            (finding.databases.join(","), finding.severity),
            ("pages".into(), Severity::Warning)
        );
        assert!(finding.cure.contains("volatile-lru"), "{}", finding.cure);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_limit_is_held_against_the_machine_the_budgets_and_the_map() {
    run_test(async {
        let server = TestRedis::start().await;
        let map = pipeline(&server.url());
        set(&server, "maxmemory", "109951162777600").await;
        assert_eq!(severity(&examined(&map).await, Code::MaxmemoryAboveMemory), Severity::Critical);

        set(&server, "maxmemory", "100mb").await;
        let small = examined(&map).await;
        let bytes = found(&small, Code::BudgetsAboveLimit).bytes;
        assert!(bytes.is_some_and(|bytes| bytes >= 512 << 20), "{bytes:?}");
        assert!(!codes(&small).contains(&Code::MaxmemoryAboveMemory));
        assert!(!codes(&small).contains(&Code::MemoryNearlyFull), "{small:#?}");

        let memory = server.command(&["INFO", "memory"]).await.text();
        let used = memory.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
        set(&server, "maxmemory", used).await;
        found(&examined(&map).await, Code::MemoryNearlyFull);

        let mut expected = Instance::new(&server.url()).unwrap();
        expected.expected_eviction_policy = Some("volatile-lru".into());
        expected.expected_max_memory = Some(1 << 30);
        let map = DatabaseMapBuilder::preset(Preset::Pipeline).instance("primary", expected);
        let examination = examined(&map.build().unwrap()).await;
        let finding = found(&examination, Code::SettingsDiffer);
        assert!(finding.what.contains("noeviction") && finding.what.contains("1073741824"));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn connections_are_held_against_the_servers_limits() {
    run_test(async {
        let server = TestRedis::builder().config("maxclients", "60").start().await;
        let map = pipeline(&server.url());
        let few = codes(&examined(&map).await);
        let of_settings = [
            Code::ConnectionsNearlyUsed,
            Code::PoolAboveMaxclients,
            Code::IdleConnectionsClosed,
            Code::DeadClientsKept,
            Code::ResponseTimeoutShort,
            Code::PubsubBufferUnlimited,
        ];
        assert!(!of_settings.iter().any(|code| few.contains(code)), "{few:?}");

        let mut open = Vec::new();
        for _ in 0..48 {
            open.push(server.connect().await);
        }
        found(&examined(&map).await, Code::ConnectionsNearlyUsed);
        drop(open);

        set(&server, "maxclients", "45").await;
        set(&server, "timeout", "30").await;
        set(&server, "client-output-buffer-limit", "pubsub 0 0 0").await;
        let mut hasty = Instance::new(&server.url()).unwrap();
        hasty.response_timeout = std::time::Duration::from_millis(300);
        let map = DatabaseMapBuilder::preset(Preset::Pipeline).instance("primary", hasty);
        let map = map.build().unwrap();
        let examination = examined(&map).await;
        for code in [
            Code::PoolAboveMaxclients,
            Code::IdleConnectionsClosed,
            Code::ResponseTimeoutShort,
            Code::PubsubBufferUnlimited,
        ] {
            assert_eq!(found(&examination, code).databases.len(), 6);
        }
        assert!(!codes(&examination).contains(&Code::DeadClientsKept));
        set(&server, "timeout", "0").await;
        set(&server, "tcp-keepalive", "0").await;
        let examination = examined(&map).await;
        found(&examination, Code::DeadClientsKept);
        assert!(!codes(&examination).contains(&Code::IdleConnectionsClosed));
    });
}
