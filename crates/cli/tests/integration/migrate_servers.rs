//! Migrations during changes of servers: resharding of a cluster, failover, a feed by replication.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use compartment_testkit::{Reply, TestCluster, TestRedis, TestSentinel, eventually, run_test};

use crate::program::{self, Run, finish, run, start};

const KEYS: usize = 4_000;

async fn fill(server: &TestRedis) {
    const FILL: &str = "for i = 1, tonumber(ARGV[1]) do
        redis.call('SET', 'page:' .. i, 'value-' .. i, 'PXAT', 4102444800123)
    end";
    let filled = server.command(&["EVAL", FILL, "0", &KEYS.to_string()]).await;
    assert!(!filled.is_error(), "{filled:?}");
}

fn done(child: Child) -> Run {
    let run = finish(child);
    assert_eq!(run.code, 0, "{} {}", run.out, run.err);
    run
}

/// Repeats the command until it succeeds: an unavailable server is not a reason to give up.
async fn until_done(folder: &Path, first: Child, arguments: &[&str]) {
    let mut result = finish(first);
    for _ in 0..100 {
        if result.code == 0 {
            return;
        }
        assert!([5, 8].contains(&result.code), "{}: {}", result.code, result.err);
        tokio::time::sleep(Duration::from_millis(100)).await;
        result = run(folder, arguments);
    }
    panic!("it never comes to its end: {}", result.err);
}

async fn cluster_size(cluster: &TestCluster) -> i64 {
    let mut sum = 0;
    for master in 0..3 {
        sum += cluster.command(master, &["DBSIZE"]).await.integer().unwrap();
    }
    sum
}

#[test]
#[ignore = "needs redis-server"]
fn into_a_cluster_that_reshards_and_out_of_it() {
    run_test(async {
        let server = TestRedis::start().await;
        let cluster = TestCluster::start().await;
        fill(&server).await;
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (format!("{}/0", server.url()), cluster.url());
        let arguments = ["migrate", "--from", &here, "--to", &there, "--limit-ops", "8000"];
        let child = start(folder.path(), &arguments);
        eventually("keys arrive", || async { cluster_size(&cluster).await > 50 }).await;
        cluster.move_slots(0, 1, 0..=299).await;
        until_done(folder.path(), child, &arguments).await;
        assert_eq!(cluster_size(&cluster).await, KEYS as i64);
        assert_eq!(server.command(&["DBSIZE"]).await, Reply::Integer(0));

        let back = format!("{}/3", server.url());
        let arguments = ["migrate", "--from", &there, "--to", &back, "--limit-ops", "8000"];
        let child = start(folder.path(), &arguments);
        eventually("keys arrive", || async {
            server.command_in(3, &["DBSIZE"]).await.integer().unwrap() > 50
        })
        .await;
        cluster.move_slots(0, 1, 300..=499).await;
        until_done(folder.path(), child, &arguments).await;
        assert_eq!(server.command_in(3, &["DBSIZE"]).await, Reply::Integer(KEYS as i64));
        assert_eq!(cluster_size(&cluster).await, 0);
        assert_eq!(server.command_in(3, &["GET", "page:77"]).await.text(), "value-77");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_failover_is_told_and_the_same_command_goes_on_at_the_new_master() {
    run_test(async {
        let servers = TestSentinel::start().await;
        const FILL: &str = "for i = 1, 4000 do redis.call('SET', 'page:' .. i, 'value-' .. i) end";
        assert!(!servers.command(&["EVAL", FILL, "0"]).await.is_error());
        let folder = tempfile::tempdir().unwrap();
        let url = servers.url();
        let arguments =
            ["migrate", "--backend", &url, "--from", "0", "--to", "3", "--limit-ops", "4000"];
        let child = start(folder.path(), &arguments);
        tokio::time::sleep(Duration::from_millis(400)).await;
        servers.fail_over().await;
        until_done(folder.path(), child, &arguments).await;
        // The new master may lack the last writes of the old one: those keys are in the source again, and another run
        // moves them.
        until_done(folder.path(), start(folder.path(), &arguments), &arguments).await;
        let keyspace = servers.command(&["INFO", "keyspace"]).await.text();
        assert!(keyspace.contains("db3:keys=4000") && !keyspace.contains("db0:"), "{keyspace}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_feed_keeps_another_server_in_step_with_writers_who_know_nothing_of_it() {
    run_test(async {
        let (one, other) = (TestRedis::start().await, TestRedis::start().await);
        fill(&one).await;
        one.command_in(5, &["SET", "of-another-database", "1"]).await;
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (format!("{}/0", one.url()), format!("{}/2", other.url()));
        let arguments =
            ["migrate", "--from", &here, "--to", &there, "--live", "--feed", "--quiet", "1s"];
        let child = start(folder.path(), &arguments);
        let mut c = one.connect().await;
        for i in 0..1_500 {
            let (key, number) = (format!("page:{}", i * 7 % KEYS + 1), i.to_string());
            let list = format!("list:{}", i % 10);
            for command in [
                &["SET", &key, &number, "PXAT", "4102444800999"][..],
                &["RPUSH", &list, &number],
                &["XADD", "events", "*", "n", &number],
                &["DEL", &format!("page:{}", i * 11 % KEYS + 1)],
                &["ZADD", "scores", &number, &key],
                &[
                    "EVAL",
                    "redis.call('INCR', KEYS[1]) redis.call('SETEX', 'by-script', 900, ARGV[1])",
                    "1",
                    "count",
                    &number,
                ],
                &["RENAME", &list, &format!("{list}:renamed")],
                &["ZUNIONSTORE", "union", "1", "scores"],
            ] {
                assert!(!c.send(command).await.unwrap().is_error());
            }
        }
        c.send(&["SORT", "list:9:renamed", "STORE", "sorted"]).await.unwrap();
        c.send(&["COPY", "scores", "copied"]).await.unwrap();
        c.send(&["COPY", "scores", "elsewhere", "DB", "7"]).await.unwrap();
        let run = done(child);
        assert!(run.out.contains("nothing has written to the source"), "{} {}", run.out, run.err);
        let verify = ["verify", "--from", &here, "--to", &there, "--both-ways"];
        let same = program::run(folder.path(), &verify);
        assert_eq!(same.code, 0, "{} {}", same.out, same.err);
        assert_eq!(
            other.command_in(2, &["EXISTS", "of-another-database", "elsewhere"]).await,
            Reply::Integer(0)
        );
        assert!(other.command_in(2, &["GET", "count"]).await.text() == "1500");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn who_still_writes_to_the_old_place_is_named() {
    run_test(async {
        let server = TestRedis::start().await;
        fill(&server).await;
        let folder = tempfile::tempdir().unwrap();
        let url = server.url();
        let arguments = [
            "migrate",
            "--backend",
            &url,
            "--from",
            "0",
            "--to",
            "4",
            "--live",
            "--quiet",
            "300ms",
            "--at-most",
            "2s",
        ];
        let mut c = server.connect().await;
        c.send(&["CLIENT", "SETNAME", "nightly-import"]).await.unwrap();
        let writer = tokio::spawn(async move {
            for i in 0.. {
                c.send(&["SET", &format!("late:{i}"), "x"]).await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let child = start(folder.path(), &arguments);
        let run = tokio::task::spawn_blocking(move || finish(child)).await.unwrap();
        assert_eq!(run.code, 11, "{} {}", run.out, run.err);
        assert!(run.err.contains("name nightly-import"), "{}", run.err);
        assert!(run.out.contains("programs still write to the source"), "{}", run.out);
        writer.abort();
        let _ = writer.await;
        let run = program::run(folder.path(), &arguments);
        assert_eq!(run.code, 0, "{} {}", run.out, run.err);
        assert_eq!(server.command(&["DBSIZE"]).await, Reply::Integer(0));
    });
}
