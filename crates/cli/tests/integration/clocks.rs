//! Servers with different clocks: keys keep their remaining time to live in the target.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;

use compartment_testkit::{FaultProxy, TestRedis, run_test};

use crate::program::{self, Run, json, run};

const HOUR: i64 = 3_600_000;

fn done(folder: &Path, arguments: &[&str]) -> Run {
    let run = run(folder, arguments);
    assert_eq!(run.code, 0, "{arguments:?}: {} {}", run.out, run.err);
    run
}

/// A hundred keys each with half an hour, ten hours and no TTL.
async fn fill(server: &TestRedis) {
    const FILL: &str = "for i = 1, 100 do
        redis.call('SET', 'short:' .. i, i, 'EX', 1800)
        redis.call('HSET', 'long:' .. i, 'a', i)
        redis.call('EXPIRE', 'long:' .. i, 36000)
        redis.call('SET', 'ever:' .. i, i)
    end";
    let filled = server.command(&["EVAL", FILL, "0"]).await;
    assert!(!filled.is_error(), "{filled:?}");
}

async fn life(server: &TestRedis, key: &str) -> i64 {
    server.command(&["TTL", key]).await.integer().unwrap()
}

/// Checks that all keys exist with their TTLs, within a minute.
async fn lives_are_kept(server: &TestRedis) {
    assert_eq!(server.command(&["DBSIZE"]).await.integer(), Some(300));
    for i in [1, 50, 100] {
        let short = life(server, &format!("short:{i}")).await;
        assert!((1_740..=1_800).contains(&short), "{short}");
        let long = life(server, &format!("long:{i}")).await;
        assert!((35_940..=36_000).contains(&long), "{long}");
        assert_eq!(life(server, &format!("ever:{i}")).await, -1);
    }
}

#[test]
#[ignore = "needs redis-server"]
fn lives_are_kept_whichever_clock_is_ahead_there_and_back() {
    run_test(async {
        for (way, ahead) in [("dump", 2 * HOUR), ("dump", -2 * HOUR), ("typed", 2 * HOUR)] {
            let (one, other) = (TestRedis::start().await, TestRedis::start().await);
            let proxy = FaultProxy::start(other.port()).await;
            proxy.clock_ahead(ahead);
            fill(&one).await;
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (one.url(), proxy.url());
            let places = ["--from", &from, "--to", &to];
            let said = if ahead > 0 { "is 2 h ahead of that of" } else { "is 2 h behind that of" };
            let move_all = ["migrate", "--strategy", way, "--verify", "--journal", "j"];
            let dry = done(folder.path(), &[&move_all[..], &places, &["--dry-run"]].concat());
            assert!(dry.err.contains(said), "{}", dry.err);
            let moved = done(folder.path(), &[&move_all[..], &places].concat());
            assert!(moved.err.contains(said), "{}", moved.err);
            assert!(moved.out.contains("300 keys moved"), "{}", moved.out);
            lives_are_kept(&other).await;
            let back = done(folder.path(), &["migrate", "--undo", "j"]);
            assert!(back.out.contains("300 keys moved back"), "{}", back.out);
            lives_are_kept(&one).await;
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn verify_compares_by_the_time_that_is_left() {
    run_test(async {
        let (one, other) = (TestRedis::start().await, TestRedis::start().await);
        let proxy = FaultProxy::start(other.port()).await;
        proxy.clock_ahead(2 * HOUR);
        fill(&one).await;
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (one.url(), proxy.url());
        done(folder.path(), &["migrate", "--from", &from, "--to", &to, "--keep"]);
        let verify = ["verify", "--from", &from, "--to", &to, "--both-ways"];
        let same = done(folder.path(), &verify);
        assert!(same.out.contains("300 the same") && same.err.contains("2 h ahead"), "{same:?}");
        // By the servers' expiry times the difference would be two hours.
        other.command(&["EXPIRE", "long:1", "28800"]).await;
        let different = run(folder.path(), &[&verify[..], &["--json"]].concat());
        assert_eq!(different.code, 10, "{different:?}");
        assert_eq!(json(&different)["different"], 1);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_feed_carries_changes_by_the_time_that_is_left() {
    run_test(async {
        let one = TestRedis::builder().config("repl-diskless-sync-delay", "0").start().await;
        let other = TestRedis::start().await;
        let proxy = FaultProxy::start(other.port()).await;
        proxy.clock_ahead(2 * HOUR);
        fill(&one).await;
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (one.url(), proxy.url());
        let child = program::start(
            folder.path(),
            &["migrate", "--from", &from, "--to", &to, "--live", "--feed", "--quiet", "500ms"],
        );
        // Repeated, since the feed could end before the change arrives.
        compartment_testkit::eventually("a change is there", || async {
            one.command(&["SET", "short:1", "new", "EX", "1800"]).await;
            other.command(&["GET", "short:1"]).await.text() == "new"
        })
        .await;
        let run = program::finish(child);
        assert_eq!(run.code, 0, "{run:?}");
        lives_are_kept(&other).await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_does_not_tell_its_time_is_refused_and_nothing_moves() {
    run_test(async {
        let one = TestRedis::start().await;
        let other = TestRedis::builder().acl_user("bob", "pw", "~* +@all -time").start().await;
        fill(&one).await;
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (one.url(), other.url_with_user("bob", "pw"));
        for extra in [&["--dry-run"][..], &[]] {
            let places = ["migrate", "--from", &from, "--to", &to];
            let refused = run(folder.path(), &[&places[..], extra].concat());
            assert_eq!(refused.code, 12, "{refused:?}");
            assert!(refused.err.contains("does not tell its time"), "{}", refused.err);
            assert!(!refused.err.contains("pw@"), "{}", refused.err);
        }
        assert_eq!(one.command(&["DBSIZE"]).await.integer(), Some(300));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no journal");
        // Within one server there is one clock.
        let url = other.url_with_user("bob", "pw");
        other.command(&["SET", "a", "1", "EX", "1000"]).await;
        done(folder.path(), &["migrate", "--backend", &url, "--from", "0", "--to", "1"]);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_restore_says_how_far_the_clock_of_the_server_is_off() {
    run_test(async {
        let (one, other) = (TestRedis::start().await, TestRedis::start().await);
        let proxy = FaultProxy::start(other.port()).await;
        proxy.clock_ahead(2 * HOUR);
        fill(&one).await;
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (one.url(), proxy.url());
        done(folder.path(), &["backup", "-d", &from, "-o", "out.rdb"]);
        for extra in [&["--dry-run"][..], &["--verify"]] {
            let words = ["restore", "out.rdb", "-d", &to, "--json"];
            let restored = done(folder.path(), &[&words[..], extra].concat());
            assert!(restored.err.contains("is 2 h ahead of this machine's"), "{}", restored.err);
            let expected = if extra == ["--dry-run"] { 0 } else { 100 };
            assert_eq!(json(&restored)["expired"], expected, "{}", restored.out);
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn keys_that_end_while_under_way_count_as_expired() {
    run_test(async {
        // Keys of the source expire between read and removal.
        let (one, other) = (TestRedis::start().await, TestRedis::start().await);
        let proxy = FaultProxy::start(one.port()).await;
        // Keys expire as soon as they are read, as if they had been about to.
        proxy.answer_by(
            "PEXPIRETIME",
            "local at = redis.call('PEXPIRETIME', ARGV[1])
            if at > 0 and string.find(ARGV[1], 'ends') then redis.call('PEXPIRE', ARGV[1], 1) end
            return at",
        );
        for i in 0..50 {
            one.command(&["SET", &format!("ends:{i}"), "x", "EX", "1000"]).await;
            one.command(&["SET", &format!("stays:{i}"), "x"]).await;
        }
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (proxy.url(), other.url());
        let moved = done(folder.path(), &["migrate", "--from", &from, "--to", &to, "--json"]);
        let report = json(&moved);
        assert_eq!((&report["changed"], &report["damaged"]), (&0.into(), &0.into()), "{report}");
        let (moved, gone) = (report["moved"].as_u64().unwrap(), report["gone"].as_u64().unwrap());
        assert_eq!(moved + gone, 100, "{report}");
        assert!(gone > 0, "{report}");
        assert_eq!(one.command(&["DBSIZE"]).await.integer(), Some(0));
    });
}
