//! The figures of deployments on real servers.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_admin::Deployment;
use compartment_admin::stats::{DatabaseStats, Past, Stats, StatsOptions, stats};
use compartment_core::{Contract, DatabaseKind, DatabaseMap, Instance, Placement};
use compartment_testkit::{Reply, TestCluster, TestRedis, run_test};

use crate::data::{connection, tell};

fn contract(name: &str, index: u32, prefix: &str) -> Contract {
    let instance = "primary".to_owned();
    let placement = match prefix {
        "" => Placement::Index { instance, index },
        prefix => Placement::Prefix { instance, index, prefix: prefix.to_owned() },
    };
    Contract::new(name, DatabaseKind::Durable).placement(placement)
}

async fn deployment(url: &str, databases: &[Contract]) -> Deployment {
    let mut map = DatabaseMap::builder().instance("primary", Instance::new(url).unwrap());
    for database in databases {
        map = map.database(database.clone());
    }
    Deployment::connect(&map.build().unwrap(), Duration::from_secs(10)).await
}

async fn look(deployment: &Deployment, past: Option<&Past>) -> (Stats, Past) {
    let mut options = StatsOptions::default();
    options.is_fresh = true;
    options.may_walk = true;
    stats(deployment, past, options).await
}

fn database<'a>(stats: &'a Stats, name: &str) -> &'a DatabaseStats {
    stats.databases.iter().find(|one| one.name == name).unwrap()
}

/// The sum of `MEMORY USAGE` over every key that begins with `prefix`.
async fn exact(server: &TestRedis, index: u32, prefix: &str) -> u64 {
    let script = "
        local sum = 0
        for _, name in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
          sum = sum + redis.call('MEMORY', 'USAGE', name, 'SAMPLES', 0)
        end
        return sum";
    let sum = server.command_in(index, &["EVAL", script, "0", prefix]).await;
    u64::try_from(sum.integer().unwrap()).unwrap()
}

fn is_held(found: &DatabaseStats, exact: u64) -> bool {
    let bytes = found.content.as_ref().unwrap().bytes.unwrap();
    // Twice the interval: a test of chance that fails once in a hundred thousand runs.
    let (below, above) = (bytes.bytes - bytes.low, bytes.high - bytes.bytes);
    (bytes.bytes.saturating_sub(2 * below)..=bytes.bytes + 2 * above).contains(&exact)
}

const FILL: &str = "
    for i = 1, tonumber(ARGV[2]) do
      redis.call('SET', ARGV[1] .. 'page:' .. i, string.rep('x', 20 + i % 500), 'EX', 1000)
      redis.call('HSET', ARGV[1] .. 'user:' .. i, 'a', i, 'b', string.rep('y', i % 60))
    end
    for i = 1, tonumber(ARGV[3]) do
      redis.call('SETRANGE', ARGV[1] .. 'file:' .. i, 5000000, 'x')
    end";

async fn fill(server: &TestRedis, index: u32, prefix: &str, pairs: u32, big: u32) {
    let (pairs, big) = (pairs.to_string(), big.to_string());
    let filled = server.command_in(index, &["EVAL", FILL, "0", prefix, &pairs, &big]).await;
    assert!(!filled.is_error(), "{filled:?}");
}

#[test]
#[ignore = "needs redis-server"]
fn the_bytes_of_each_database_are_within_their_interval() {
    run_test(async {
        let server = TestRedis::start().await;
        fill(&server, 0, "", 20_000, 0).await;
        fill(&server, 1, "", 10_000, 4).await;
        fill(&server, 2, "", 100, 0).await;
        let deployment = deployment(
            &server.url(),
            &[contract("pages", 0, ""), contract("files", 1, ""), contract("few", 2, "")],
        )
        .await;
        let (first, past) = look(&deployment, None).await;
        let (second, _) = look(&deployment, Some(&past)).await;
        for found in [&first, &second] {
            for (name, index) in [("pages", 0), ("files", 1), ("few", 2)] {
                let one = database(found, name);
                let exact = exact(&server, index, "").await;
                let bytes = one.content.as_ref().unwrap().bytes.unwrap();
                assert!(is_held(one, exact), "{name}: {bytes:?} {exact}");
                assert!(bytes.bytes.abs_diff(exact) < exact / 10, "{name}: {bytes:?} {exact}");
            }
        }
        let files = database(&second, "files").content.as_ref().unwrap();
        assert_eq!((files.keys, files.keys_are_exact), (20_004, true));
        assert_eq!(files.with_ttl, Some(10_000));
        assert!(files.average_ttl_ms.unwrap() > 900_000);
        assert_eq!(files.biggest.len(), 4, "{:?}", files.biggest);
        assert_eq!(files.patterns[0].pattern, "file:{int}");
        let few = database(&first, "few").content.as_ref().unwrap().bytes.unwrap();
        assert_eq!((few.low, few.high, few.measured), (few.bytes, few.bytes, 200));
        let growth = database(&second, "pages").growth.unwrap();
        assert_eq!(growth.keys, 0);
        assert!(database(&first, "pages").growth.is_none());
    });
}

#[test]
#[ignore = "needs redis-server"]
fn databases_behind_prefixes_share_an_index_and_the_rest_is_unnamed() {
    run_test(async {
        let server = TestRedis::start().await;
        fill(&server, 0, "shop:", 3_000, 2).await;
        fill(&server, 0, "blog:", 500, 0).await;
        fill(&server, 0, "old:", 200, 0).await;
        fill(&server, 7, "", 10, 0).await;
        let databases = [contract("shop", 0, "shop:"), contract("blog", 0, "blog:")];
        let (found, _) = look(&deployment(&server.url(), &databases).await, None).await;
        for (name, prefix, keys) in [("shop", "shop:", 6_002_u64), ("blog", "blog:", 1_000)] {
            let one = database(&found, name);
            assert!(is_held(one, exact(&server, 0, prefix).await), "{name}: {one:?}");
            let found = one.content.as_ref().unwrap();
            assert!(found.keys.abs_diff(keys) <= keys / 10, "{name}: {}", found.keys);
            assert!(found.patterns.iter().any(|one| one.pattern == "page:{int}"), "{found:?}");
        }
        let unnamed = &found.instances[0].unnamed;
        let keys: Vec<(u32, u64)> =
            unnamed.iter().map(|one| (one.index, one.content.keys)).collect();
        assert_eq!(keys.len(), 2, "{keys:?}");
        assert!(keys[0].0 == 0 && keys[0].1.abs_diff(400) <= 100, "{keys:?}");
        assert_eq!(keys[1], (7, 20));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn canaries_of_two_maps_are_no_unnamed_database_and_are_told_apart() {
    run_test(async {
        let server = TestRedis::start().await;
        let mut other = connection(&server, 5).await;
        tell(&mut other, "SET compartment:canary:1234:18a2b3c4d5e6f708 5 PX 100000").await;
        tell(&mut other, "SET compartment:canary:99:18a2b3c4d5e6f709 5 PX 100000").await;
        let deployment = deployment(&server.url(), &[contract("pages", 0, "")]).await;
        let (found, past) = look(&deployment, None).await;
        let instance = &found.instances[0];
        assert!(instance.unnamed.is_empty(), "{:?}", instance.unnamed);
        let mut processes: Vec<u32> = instance.probes.iter().map(|one| one.process).collect();
        processes.sort_unstable();
        assert_eq!(processes, [99, 1_234]);
        tell(&mut other, "SET a-key 1").await;
        let (found, _) = look(&deployment, Some(&past)).await;
        assert_eq!(found.instances[0].unnamed[0].index, 5);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn rates_and_growth_are_since_the_last_look_and_an_estimate_is_kept() {
    run_test(async {
        let server = TestRedis::builder().config("slowlog-log-slower-than", "0").start().await;
        fill(&server, 0, "", 500, 0).await;
        let deployment = deployment(&server.url(), &[contract("pages", 0, "")]).await;
        let (first, past) = stats(&deployment, None, StatsOptions::default()).await;
        let node = &first.instances[0].nodes[0];
        assert!(node.work.commands_per_second.is_some() && node.memory.used.is_some());
        assert!(node.work.evicted_per_second.is_none(), "it is the first look");
        assert!(node.slow_log.as_ref().unwrap().entries > 0);
        let mut writer = connection(&server, 0).await;
        for n in 0..50 {
            tell(&mut writer, &format!("SET more:{n} x")).await;
        }
        let (second, past) = stats(&deployment, Some(&past), StatsOptions::default()).await;
        assert_eq!(database(&second, "pages").growth.unwrap().keys, 50);
        assert!(second.instances[0].nodes[0].work.evicted_per_second.is_some());
        // The bytes are those of the first look: no key was measured again.
        let bytes = |stats: &Stats| {
            let mut bytes = database(stats, "pages").content.as_ref().unwrap().bytes.unwrap();
            bytes.age_seconds = 0;
            bytes
        };
        assert_eq!(bytes(&second), bytes(&first));
        let mut options = StatsOptions::default();
        options.is_fresh = true;
        let (third, _) = stats(&deployment, Some(&past), options).await;
        assert!(bytes(&third).bytes > bytes(&first).bytes);
        assert!(database(&third, "pages").growth.unwrap().bytes.unwrap() > 0);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn no_key_is_used_and_nothing_is_written_by_a_look() {
    run_test(async {
        let server = TestRedis::builder().config("maxmemory-policy", "allkeys-lfu").start().await;
        fill(&server, 0, "", 2_000, 1).await;
        let uses = async || {
            let names = ["page:1", "user:9", "file:1"];
            let mut found = Vec::new();
            for name in names {
                found.push(server.command(&["OBJECT", "FREQ", name]).await.integer().unwrap());
            }
            let info = server.command(&["INFO", "persistence"]).await.text();
            let changes = info.lines().find(|line| line.starts_with("rdb_changes")).unwrap();
            (found, changes.to_owned())
        };
        let before = uses().await;
        let deployment = deployment(&server.url(), &[contract("pages", 0, "")]).await;
        let (_, past) = look(&deployment, None).await;
        look(&deployment, Some(&past)).await;
        assert_eq!(uses().await, before);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_a_server_hides_is_missing_and_said() {
    run_test(async {
        let server = TestRedis::builder()
            .acl_user("managed", "pw", "~* &* +@all -memory -info -client|list -slowlog -latency")
            .start()
            .await;
        fill(&server, 0, "", 50, 0).await;
        fill(&server, 3, "", 50, 0).await;
        let url = server.url_with_user("managed", "pw");
        let (found, _) = look(&deployment(&url, &[contract("pages", 0, "")]).await, None).await;
        let content = database(&found, "pages").content.as_ref().unwrap();
        assert_eq!((content.keys, content.bytes), (100, None));
        assert!(found.instances[0].problem.is_none(), "{:?}", found.instances[0].problem);
        for what in ["INFO", "CLIENT LIST", "MEMORY USAGE"] {
            assert!(found.missing.iter().any(|line| line.contains(what)), "{:?}", found.missing);
        }
        let node = &found.instances[0].nodes[0];
        assert!(node.slow_log.is_none() && node.memory.used.is_none());
    });
}

#[test]
#[ignore = "needs redis-server"]
fn each_master_of_a_cluster_is_asked() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let databases = [contract("pages", 0, "")];
        let deployment = deployment(&cluster.url(), &databases).await;
        let place = &deployment.servers().next().unwrap().1.databases[0].place;
        let mut connection = place.open("fill").await.unwrap();
        for n in 0..300 {
            let mut set = redis::cmd("SET");
            set.arg(place.on_server(format!("page:{n}").as_bytes()).as_ref()).arg("x".repeat(100));
            connection.ask::<()>("fill", &set).await.unwrap();
        }
        let (found, _) = look(&deployment, None).await;
        assert_eq!(found.instances[0].nodes.len(), 3);
        let content = database(&found, "pages").content.as_ref().unwrap();
        assert_eq!((content.keys, content.bytes.unwrap().measured), (300, 300));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_is_away_is_part_of_the_answer() {
    run_test(async {
        let mut server = TestRedis::start().await;
        let deployment = deployment(&server.url(), &[contract("pages", 0, "")]).await;
        server.kill();
        let (found, _) = look(&deployment, None).await;
        assert!(found.instances[0].problem.is_some());
        assert!(database(&found, "pages").content.is_none());
        server.restart().await;
        let (found, _) = look(&deployment, None).await;
        assert_eq!(server.command(&["DBSIZE"]).await, Reply::Integer(0));
        assert_eq!(database(&found, "pages").content.as_ref().unwrap().keys, 0);
    });
}
