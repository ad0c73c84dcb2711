//! Undoing a feed: newer values in the target are kept, and keys deleted there stay deleted.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;

use compartment_testkit::{TestRedis, eventually, run_test};

use crate::program::{Run, finish, json, run, start};

fn ends(folder: &Path, arguments: &[&str], code: i32, says: &str) -> Run {
    let run = run(folder, arguments);
    assert_eq!(run.code, code, "{arguments:?}: {} {}", run.out, run.err);
    let all = format!("{}{}", run.out, run.err);
    assert!(all.contains(says), "{says:?} in {all}");
    run
}

async fn server() -> TestRedis {
    TestRedis::builder().config("repl-diskless-sync-delay", "0").start().await
}

async fn get(server: &TestRedis, index: u32, key: &str) -> String {
    server.command_in(index, &["GET", key]).await.text()
}

async fn size(server: &TestRedis, index: u32) -> i64 {
    server.command_in(index, &["DBSIZE"]).await.integer().unwrap()
}

/// Follows index 0 of `one` to index 2 of `other` until nothing is written any more; `late` is written in the
/// meantime.
async fn follow(folder: &Path, one: &TestRedis, other: &TestRedis, late: &str) -> Run {
    for i in 0..50 {
        one.command(&["SET", &format!("session:{i}"), &format!("old-{i}")]).await;
    }
    let (from, to) = (format!("{}/0", one.url()), format!("{}/2", other.url()));
    let words = ["migrate", "--from", &from, "--to", &to, "--live", "--feed"];
    let words = [&words[..], &["--quiet", "500ms", "--journal", "j"]].concat();
    let child = start(folder, &words);
    // Repeated, since the feed could end before the change arrives.
    eventually("a change is there", || async {
        one.command(&["SET", late, "late"]).await;
        get(other, 2, late).await == "late" && size(other, 2).await > 50
    })
    .await;
    let run = finish(child);
    assert_eq!(run.code, 0, "{run:?}");
    run
}

#[test]
#[ignore = "needs redis-server"]
fn what_was_written_or_deleted_in_the_new_place_since_counts() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        for target in [&other, &one] {
            let folder = tempfile::tempdir().unwrap();
            let followed = follow(folder.path(), &one, target, "session:late").await;
            assert!(!followed.out.contains("`previous`"), "{}", followed.out);
            assert!(!followed.err.contains("`previous`"), "{}", followed.err);
            target.command_in(2, &["SET", "session:1", "new"]).await;
            target.command_in(2, &["DEL", "session:2"]).await;
            target.command_in(2, &["SET", "session:late", "later"]).await;
            target.command_in(2, &["EXPIRE", "session:3", "1000"]).await;
            target.command_in(2, &["SET", "of-another", "stays"]).await;
            let undo = ["migrate", "--undo", "j", "--json"];
            let back = json(&ends(folder.path(), &undo, 0, ""));
            assert_eq!((&back["moved"], &back["gone"]), (&50.into(), &1.into()), "{back}");
            assert_eq!(get(&one, 0, "session:1").await, "new");
            assert_eq!(get(&one, 0, "session:2").await, "", "a log-out is a log-out");
            assert_eq!(get(&one, 0, "session:late").await, "later");
            assert_eq!(get(&one, 0, "session:4").await, "old-4");
            let left = one.command(&["TTL", "session:3"]).await.integer().unwrap();
            assert!((900..=1_000).contains(&left), "{left}");
            assert_eq!((size(&one, 0).await, size(target, 2).await), (50, 1));
            ends(folder.path(), &["migrate", "--undo", "j"], 4, "has already been undone");
            one.command(&["FLUSHALL"]).await;
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn killed_on_the_way_back_it_goes_on_and_deletes_nothing_it_has_brought() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        let folder = tempfile::tempdir().unwrap();
        follow(folder.path(), &one, &other, "session:late").await;
        other.command_in(2, &["DEL", "session:2"]).await;
        let undo = ["migrate", "--undo", "j", "--limit-ops", "40"];
        let mut child = start(folder.path(), &undo);
        eventually("some are back", || async { size(&other, 2).await < 45 }).await;
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(size(&other, 2).await > 0, "it was not under way any more");
        ends(folder.path(), &["migrate", "--undo", "j"], 0, "");
        assert_eq!((size(&one, 0).await, size(&other, 2).await), (50, 0));
        assert_eq!(get(&one, 0, "session:2").await, "");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_a_server_lost_by_a_restart_was_not_deleted() {
    run_test(async {
        let one = server().await;
        let mut other = server().await;
        let folder = tempfile::tempdir().unwrap();
        follow(folder.path(), &one, &other, "session:late").await;
        other.restart().await;
        assert_eq!(size(&other, 2).await, 0);
        let undo = ["migrate", "--undo", "j"];
        ends(folder.path(), &undo, 0, "restarted since");
        assert_eq!(size(&one, 0).await, 51);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_was_not_followed_to_the_end_writes_over_nothing() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        let folder = tempfile::tempdir().unwrap();
        let mut c = one.connect().await;
        let writer = tokio::spawn(async move {
            for i in 0.. {
                c.send(&["SET", "counter", &i.to_string()]).await.unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        one.command(&["SET", "still", "1"]).await;
        let (from, to) = (format!("{}/0", one.url()), format!("{}/2", other.url()));
        let words = ["migrate", "--from", &from, "--to", &to, "--live", "--feed", "--journal", "j"];
        let words = [&words[..], &["--quiet", "1s", "--at-most", "1500ms"]].concat();
        let child = start(folder.path(), &words);
        let run = tokio::task::spawn_blocking(move || finish(child)).await.unwrap();
        assert_eq!(run.code, 11, "{run:?}");
        writer.abort();
        let _ = writer.await;
        one.command(&["SET", "counter", "newest"]).await;
        // The source has the newest value: it stays, and the advice does not suggest removing it.
        let undo = ends(folder.path(), &["migrate", "--undo", "j"], 11, "either may be the newer");
        assert!(!undo.out.contains("flush"), "{}", undo.out);
        assert_eq!(get(&one, 0, "counter").await, "newest");
        assert_eq!((get(&one, 0, "still").await, size(&other, 2).await), ("1".into(), 1));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_old_key_is_called_old_only_where_it_is() {
    run_test(async {
        let one = server().await;
        let folder = tempfile::tempdir().unwrap();
        let base = ["migrate", "--backend", &one.url(), "--from", "0", "--to", "2"];
        one.command(&["SET", "a", "old"]).await;
        one.command_in(2, &["SET", "a", "new"]).await;
        ends(folder.path(), &base, 11, "compartment flush --database OLD");
        // Programs may write to the source during a live run, so it may have the newer value.
        let live = ["--live", "--quiet", "200ms", "--at-most", "400ms"];
        let run = ends(folder.path(), &[&base[..], &live].concat(), 11, "may be the newer");
        assert!(!run.out.contains("flush"), "{}", run.out);
        assert!(run.err.contains("`previous`") && run.err.contains("--feed"), "{}", run.err);
        let undo = ["migrate", "--undo", "compartment-0-to-2.journal"];
        one.command_in(2, &["SET", "b", "1"]).await;
        let undo = ends(folder.path(), &undo, 0, "");
        assert!(!undo.out.contains("flush"), "{}", undo.out);
        assert_eq!(
            (get(&one, 0, "a").await, get(&one, 2, "a").await),
            ("old".into(), "new".into())
        );
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_the_new_place_evicted_was_not_deleted() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        let folder = tempfile::tempdir().unwrap();
        follow(folder.path(), &one, &other, "session:late").await;
        let value = "x".repeat(1_000);
        for i in 0..1_000 {
            other.command_in(3, &["SET", &format!("other:{i}"), &value]).await;
        }
        other.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-random"]).await;
        other.command(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
        eventually("it evicts", || async { size(&other, 2).await < 45 }).await;
        // Without the limit, only the server's counter shows the evictions.
        other.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
        ends(folder.path(), &["migrate", "--undo", "j"], 0, "has evicted keys since");
        assert_eq!((size(&one, 0).await, size(&other, 2).await), (51, 0));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_the_old_place_got_since_is_neither_written_over_nor_removed() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        let folder = tempfile::tempdir().unwrap();
        let run = follow(folder.path(), &one, &other, "session:late").await;
        assert!(run.out.contains("stop the programs first, then run"), "{}", run.out);
        other.command_in(2, &["DEL", "session:1", "session:5"]).await;
        other.command_in(2, &["SET", "session:2", "v2"]).await;
        other.command_in(2, &["SET", "session:3", "v2"]).await;
        // Programs that already use the source again.
        one.command(&["SET", "session:1", "v3"]).await;
        one.command(&["SET", "session:2", "v3"]).await;
        one.command(&["EXPIRE", "session:4", "1000"]).await;
        let undo = ["migrate", "--undo", "j"];
        let run = ends(folder.path(), &undo, 11, "left session:2");
        assert!(run.out.contains("left session:1: it was deleted in the new place"), "{}", run.out);
        let here = |key| get(&one, 0, key);
        assert_eq!((here("session:1").await, here("session:2").await), ("v3".into(), "v3".into()));
        assert_eq!(
            (here("session:3").await, here("session:5").await),
            ("v2".into(), String::new())
        );
        assert!(one.command(&["TTL", "session:4"]).await.integer().unwrap() > 900);
        assert_eq!((get(&other, 2, "session:2").await, size(&other, 2).await), ("v2".into(), 2));
        // Once the unwanted keys are removed, the undo completes.
        other.command_in(2, &["DEL", "session:2", "session:4"]).await;
        ends(folder.path(), &undo, 0, "");
        assert_eq!((here("session:1").await, here("session:2").await), ("v3".into(), "v3".into()));
        assert_eq!(size(&other, 2).await, 0);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_copy_that_stood_in_the_new_place_before_stays_there() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        for target in [&other, &one] {
            let folder = tempfile::tempdir().unwrap();
            one.command(&["MSET", "a", "same", "b", "1"]).await;
            target.command_in(2, &["SET", "a", "same"]).await;
            let (from, to) = (format!("{}/0", one.url()), format!("{}/2", target.url()));
            let words = ["migrate", "--from", &from, "--to", &to, "--journal", "j"];
            ends(folder.path(), &words, 0, "");
            assert_eq!((size(&one, 0).await, size(target, 2).await), (0, 2));
            ends(folder.path(), &["migrate", "--undo", "j"], 0, "");
            assert_eq!(
                (get(&one, 0, "a").await, get(&one, 0, "b").await),
                ("same".into(), "1".into())
            );
            assert_eq!((get(target, 2, "a").await, size(target, 2).await), ("same".into(), 1));
            one.command(&["FLUSHALL"]).await;
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn an_old_place_that_would_evict_is_weighed_before_the_first_key() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        let folder = tempfile::tempdir().unwrap();
        let value = "x".repeat(1_000);
        for i in 0..3_000 {
            one.command(&["SET", &format!("s:{i}"), &value]).await;
        }
        let (from, to) = (format!("{}/0", one.url()), format!("{}/2", other.url()));
        let words = ["migrate", "--from", &from, "--to", &to, "--journal", "j"];
        ends(folder.path(), &words, 0, "");
        one.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-random"]).await;
        one.command(&["CONFIG", "SET", "maxmemory", "2mb"]).await;
        let undo = ["migrate", "--undo", "j"];
        ends(folder.path(), &undo, 12, "use --accept-eviction");
        assert_eq!((size(&one, 0).await, size(&other, 2).await), (0, 3_000));
        ends(folder.path(), &[&undo[..], &["--accept-eviction"]].concat(), 0, "");
        assert_eq!(size(&other, 2).await, 0);
    });
}
