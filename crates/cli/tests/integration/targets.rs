//! Targets that may lose keys, and sources that lack keys.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;

use compartment_testkit::{FaultProxy, TestRedis, eventually, run_test};

use crate::program::{self, Run, json, run};

const KEYS: i64 = 2_000;

fn ends(folder: &Path, arguments: &[&str], code: i32, says: &str) -> Run {
    let run = run(folder, arguments);
    assert_eq!(run.code, code, "{arguments:?}: {} {}", run.out, run.err);
    assert!(run.err.contains(says), "{says:?} in {}", run.err);
    run
}

/// Keys of a kilobyte each, all with a TTL.
async fn fill(server: &TestRedis) {
    const FILL: &str = "for i = 1, tonumber(ARGV[1]) do
        redis.call('SET', 'page:' .. i, string.rep('x', 1000) .. i, 'EX', 100000)
    end";
    let filled = server.command(&["EVAL", FILL, "0", &KEYS.to_string()]).await;
    assert!(!filled.is_error(), "{filled:?}");
}

async fn size(server: &TestRedis) -> i64 {
    server.command(&["DBSIZE"]).await.integer().unwrap()
}

/// The number of keys that are on neither server.
async fn lost(one: &TestRedis, other: &TestRedis) -> usize {
    let mut lost = 0;
    for i in 1..=KEYS {
        let name = format!("page:{i}");
        let here = one.command(&["EXISTS", &name]).await.integer().unwrap();
        let there = other.command(&["EXISTS", &name]).await.integer().unwrap();
        lost += usize::from(here + there == 0);
    }
    lost
}

async fn small(policy: &str) -> TestRedis {
    let builder = TestRedis::builder().config("maxmemory", "2500kb");
    builder.config("maxmemory-policy", policy).start().await
}

#[test]
#[ignore = "needs redis-server"]
fn a_target_that_would_evict_the_keys_is_refused_before_any_moves() {
    run_test(async {
        let one = TestRedis::start().await;
        fill(&one).await;
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let from = one.url();
        ends(here, &["backup", "-d", &from, "-o", "out.rdb"], 0, "");
        for policy in ["allkeys-lru", "volatile-ttl"] {
            let other = small(policy).await;
            let to = other.url();
            for extra in [&["--dry-run"][..], &[], &["--verify"]] {
                let words = ["migrate", "--from", &from, "--to", &to];
                let refused = ends(here, &[&words[..], extra].concat(), 12, "the keys take about");
                assert!(refused.err.contains(policy), "{}", refused.err);
                assert!(refused.err.contains("--accept-eviction"), "{}", refused.err);
                ends(here, &["restore", "out.rdb", "-d", &to], 12, "the keys take about");
            }
            assert_eq!((size(&one).await, size(&other).await), (KEYS, 0));
        }
        // A target that refuses writes loses nothing: the work stops with an error.
        let other = small("noeviction").await;
        let words = ["migrate", "--from", &from, "--to", &other.url(), "--journal", "j"];
        let full = ends(here, &words, 8, "at its limit it refuses writes");
        assert!(full.err.contains("out of memory"), "{}", full.err);
        assert_eq!(lost(&one, &other).await, 0);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn evictions_meanwhile_stop_the_work_and_lose_no_key() {
    run_test(async {
        let (one, other) = (TestRedis::start().await, small("allkeys-lru").await);
        fill(&one).await;
        let folder = tempfile::tempdir().unwrap();
        // The sample underestimates the memory, as it does if a few keys are large.
        let proxy = FaultProxy::start(one.port()).await;
        proxy.answer_by("MEMORY", "return 60");
        let (from, to) = (proxy.url(), other.url());
        let words = ["migrate", "--from", &from, "--to", &to, "--journal", "j"];
        let stopped = ends(folder.path(), &words, 12, "evict");
        assert!(stopped.err.contains("--undo j"), "{}", stopped.err);
        assert!(size(&other).await > 0 && size(&one).await > 0);
        assert_eq!(lost(&one, &other).await, 0);
        // With more memory, the next run moves the rest.
        other.command(&["CONFIG", "SET", "maxmemory", "100mb"]).await;
        ends(folder.path(), &words, 0, "resuming");
        assert_eq!((size(&one).await, size(&other).await), (0, KEYS));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_restore_stops_before_the_server_evicts_and_the_same_command_goes_on() {
    run_test(async {
        let (one, other) = (TestRedis::start().await, TestRedis::start().await);
        fill(&one).await;
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        ends(here, &["backup", "-d", &one.url(), "-o", "out.rdb"], 0, "");
        // The reported memory is outdated, because another program fills the server in the meantime.
        let proxy = FaultProxy::start(other.port()).await;
        proxy.answer_by(
            "INFO",
            "local n = redis.call('DBSIZE')
            return 'used_memory:' .. n * 1100 .. '\\r\\nmaxmemory:99000000\\r\\n' ..
                'maxmemory_policy:allkeys-lru\\r\\nredis_version:7.0.15\\r\\nevicted_keys:' ..
                (n > 0 and 3 or 0) .. '\\r\\n'",
        );
        let words = ["restore", "out.rdb", "-d", &proxy.url()];
        ends(here, &words, 12, "has evicted 3 keys meanwhile");
        assert!(size(&other).await < KEYS);
        let accepted = [&words[..], &["--accept-eviction", "--json"]].concat();
        let report = json(&ends(here, &accepted, 0, ""));
        assert_eq!(size(&other).await, KEYS, "{report}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn replicas_are_no_targets() {
    run_test(async {
        let one = TestRedis::start().await;
        let master = TestRedis::start().await;
        fill(&one).await;
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        ends(here, &["backup", "-d", &one.url(), "-o", "out.rdb"], 0, "");
        for (read_only, code, says) in [("yes", 8, "is a replica"), ("no", 12, "accepts writes")] {
            let replica = TestRedis::builder().config("replica-read-only", read_only).start().await;
            let port = master.port().to_string();
            replica.command(&["REPLICAOF", "127.0.0.1", &port]).await;
            let to = replica.url();
            for extra in [&["--dry-run"][..], &[]] {
                let words = ["migrate", "--from", &one.url(), "--to", &to];
                ends(here, &[&words[..], extra].concat(), code, says);
                let words = ["restore", "out.rdb", "-d", &to];
                ends(here, &[&words[..], extra].concat(), code, says);
            }
        }
        assert_eq!(size(&one).await, KEYS);
        assert_eq!(std::fs::read_dir(here).unwrap().count(), 1, "no journal");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_replica_without_its_master_is_not_read() {
    run_test(async {
        let mut master = TestRedis::builder().config("repl-diskless-sync-delay", "0").start().await;
        let replica = TestRedis::start().await;
        let other = TestRedis::start().await;
        fill(&master).await;
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let (of_master, url) = (master.url(), replica.url());
        ends(here, &["backup", "-d", &of_master, "-o", "out.rdb"], 0, "");
        let good = std::fs::read(here.join("out.rdb")).unwrap();
        // The replica never had a link, so it has no keys of its master.
        replica.command(&["REPLICAOF", "127.0.0.1", "1"]).await;
        let refused = |says: &str| {
            for words in [
                &["backup", "-d", &url, "-o", "out.rdb"][..],
                &["backup", "-d", &url, "-o", "out.rdb", "--via", "replication"],
                &["verify", "--from", &url, "--to", &other.url()],
                &["verify", "--from", &other.url(), "--to", &url],
                &["migrate", "--from", &url, "--to", &other.url(), "--keep"],
            ] {
                ends(here, words, 12, says);
            }
            assert_eq!(std::fs::read(here.join("out.rdb")).unwrap(), good);
        };
        refused("never had a link");
        // A replica in sync can be read.
        replica.command(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]).await;
        eventually("the replica is in step", || async {
            let info = replica.command(&["INFO", "replication"]).await.text();
            info.contains("master_link_status:up")
        })
        .await;
        ends(here, &["backup", "-d", &url, "-o", "two.rdb"], 0, "");
        ends(here, &["verify", "--rdb", "two.rdb", "--to", &of_master, "--both-ways"], 0, "");
        let moved = ["migrate", "--from", &url, "--to", &other.url()];
        ends(here, &moved, 8, "keys can be removed only on its master");
        // A replica without its master is refused, unless the user insists.
        master.kill();
        eventually("the replica knows", || async {
            let info = replica.command(&["INFO", "replication"]).await.text();
            info.contains("master_link_status:down")
        })
        .await;
        refused("without its master");
        let words = ["backup", "-d", &url, "-o", "last.rdb", "--stale-replica", "--json"];
        assert_eq!(json(&ends(here, &words, 0, ""))["keys"], KEYS);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_arrives_otherwise_is_seen_before_it_is_removed() {
    run_test(async {
        let (one, other) = (TestRedis::start().await, TestRedis::start().await);
        fill(&one).await;
        let proxy = FaultProxy::start(other.port()).await;
        // A target that answers OK but drops some keys.
        proxy.answer_by(
            "RESTORE",
            "if string.find(ARGV[1], '7') then return redis.status_reply('OK') end
            return redis.pcall('RESTORE', unpack(ARGV))",
        );
        let folder = tempfile::tempdir().unwrap();
        let words = ["migrate", "--from", &one.url(), "--to", &proxy.url(), "--verify"];
        let run = run(folder.path(), &words);
        assert_eq!(run.code, 10, "{run:?}");
        assert!(run.out.contains("it is not in the target"), "{}", run.out);
        assert_eq!(lost(&one, &other).await, 0);
        // A server that does so for copies within it.
        let server = TestRedis::start().await;
        fill(&server).await;
        let proxy = FaultProxy::start(server.port()).await;
        proxy.answer_by(
            "COPY",
            "if string.find(ARGV[1], '7') then return 1 end
            return redis.pcall('COPY', unpack(ARGV))",
        );
        let url = proxy.url();
        let words = ["migrate", "--backend", &url, "--from", "0", "--to", "3", "--verify"];
        let run =
            program::run(folder.path(), &[&words[..], &["--strategy", "copy", "--json"]].concat());
        assert_eq!(run.code, 10, "{run:?}");
        let there = server.command_in(3, &["DBSIZE"]).await.integer().unwrap();
        assert_eq!(size(&server).await + there, KEYS);
        assert_eq!(json(&run)["damaged"].as_i64(), Some(size(&server).await));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_target_that_saves_nothing_is_said() {
    run_test(async {
        let one = TestRedis::builder().config("appendonly", "yes").start().await;
        let other = TestRedis::start().await;
        one.command(&["SET", "a", "1"]).await;
        let folder = tempfile::tempdir().unwrap();
        let words = ["migrate", "--from", &one.url(), "--to", &other.url()];
        ends(folder.path(), &[&words[..], &["--dry-run"]].concat(), 0, "does not persist");
        ends(folder.path(), &words, 0, "does not persist");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_plan_and_the_check_of_a_configuration_say_what_speaks_against_a_server() {
    run_test(async {
        let one = TestRedis::builder().config("appendonly", "yes").start().await;
        let other = small("allkeys-lru").await;
        fill(&one).await;
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let map = format!(
            "[instances.primary]\nurl = \"{}\"\n[instances.small]\nurl = \"{}\"\n[databases]\n\
             main = {{ index = 0, kind = \"durable\" }}\n\
             pages = {{ index = 2, kind = \"durable\", instance = \"small\" }}\n\
             cache = {{ index = 3, kind = \"cache\", default_ttl = \"1h\", instance = \"small\" }}\n\
             [keys.page]\ntemplate = \"page:{{n}}\"\ndatabase = \"pages\"\n",
            one.url(),
            other.url()
        );
        std::fs::write(here.join("compartment.toml"), map).unwrap();
        let checked = ends(here, &["config", "check"], 0, "pages (");
        assert!(checked.err.contains("evicts keys once its memory is full"), "{}", checked.err);
        assert!(checked.err.contains("does not persist"), "{}", checked.err);
        assert!(!checked.err.contains("cache (") && !checked.err.contains("main ("), "{checked:?}");
        let planned = ends(here, &["plan", "-o", "plan.toml"], 0, "the keys take about");
        assert!(planned.err.contains("keys written there would be lost"), "{}", planned.err);
        ends(here, &["migrate", "--plan", "plan.toml", "--dry-run"], 12, "the keys take about");
        ends(here, &["migrate", "--plan", "plan.toml"], 12, "the keys take about");
        assert_eq!((size(&one).await, size(&other).await), (KEYS, 0));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn keys_that_stay_as_well_need_their_room_twice_on_one_server() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        for way in ["auto", "copy", "dump", "typed"] {
            let server = TestRedis::builder()
                .config("maxmemory", "4500kb")
                .config("maxmemory-policy", "allkeys-lru")
                .start()
                .await;
            fill(&server).await;
            let url = server.url();
            let words = [
                "migrate",
                "--backend",
                &url,
                "--from",
                "0",
                "--to",
                "3",
                "--keep",
                "--strategy",
                way,
            ];
            ends(folder.path(), &words, 12, "--accept-eviction");
            assert_eq!(size(&server).await, KEYS, "{way}");
        }
    });
}
