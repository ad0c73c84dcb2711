//! A feed overwrites and removes only keys it has copied, and resumes after an interruption.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;
use std::process::Child;

use compartment_testkit::{TestRedis, eventually, run_test};

use crate::program::{Run, finish, run, start};

async fn server() -> TestRedis {
    TestRedis::builder().config("repl-diskless-sync-delay", "0").start().await
}

async fn get(server: &TestRedis, index: u32, key: &str) -> String {
    server.command_in(index, &["GET", key]).await.text()
}

async fn size(server: &TestRedis, index: u32) -> i64 {
    server.command_in(index, &["DBSIZE"]).await.integer().unwrap()
}

/// The arguments of a feed from index 0 of `one` to index 2 of `other`.
fn words(one: &TestRedis, other: &TestRedis, besides: &[&str]) -> Vec<String> {
    let (from, to) = (format!("{}/0", one.url()), format!("{}/2", other.url()));
    let words = ["migrate", "--from", &from, "--to", &to, "--live", "--feed", "--journal", "j"];
    words.iter().chain(besides).map(|word| (*word).to_owned()).collect()
}

/// A feed that has finished its first copy and follows changes.
async fn under_way(folder: &Path, one: &TestRedis, other: &TestRedis, besides: &[&str]) -> Child {
    let words = words(one, other, besides);
    let child = start(folder, &words.iter().map(String::as_str).collect::<Vec<_>>());
    let (mut count, mut first) = (0, String::new());
    // The first copy has one value; a second value means that changes are followed.
    loop {
        count += 1;
        one.command(&["SET", "is:followed", &count.to_string()]).await;
        let there = get(other, 2, "is:followed").await;
        if first.is_empty() {
            first = there;
        } else if there != first {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        assert!(count < 1_000, "nothing is followed");
    }
    child
}

/// Waits until earlier writes in the source have been followed.
async fn followed(one: &TestRedis, other: &TestRedis, mark: &str) {
    one.command(&["SET", "is:mark", mark]).await;
    eventually("the mark is there", || async { get(other, 2, "is:mark").await == mark }).await;
}

fn ends(child: Child, code: i32, says: &str) -> Run {
    let run = finish(child);
    assert_eq!(run.code, code, "{run:?}");
    let all = format!("{}{}", run.out, run.err);
    assert!(all.contains(says), "{says:?} in {all}");
    run
}

const QUIET: [&str; 2] = ["--quiet", "1s"];

#[test]
#[ignore = "needs redis-server"]
fn an_emptied_source_takes_its_copies_along_and_nothing_else() {
    run_test(async {
        for empty in [&["FLUSHDB"][..], &["FLUSHALL"], &["SWAPDB", "0", "7"]] {
            let (one, other) = (server().await, server().await);
            let folder = tempfile::tempdir().unwrap();
            other.command_in(2, &["SET", "own:1", "mine"]).await;
            one.command(&["MSET", "s1", "1", "s2", "2", "s3", "3"]).await;
            let child = under_way(folder.path(), &one, &other, &QUIET).await;
            other.command_in(2, &["SET", "new:1", "of a program that has changed over"]).await;
            other.command_in(2, &["SET", "s2", "newer"]).await;
            one.command(empty).await;
            followed(&one, &other, "after").await;
            ends(child, 0, "");
            let here = |key| get(&other, 2, key);
            assert_eq!(
                (here("s1").await, here("s3").await),
                (String::new(), String::new()),
                "{empty:?}"
            );
            assert_eq!(here("own:1").await, "mine", "{empty:?}");
            assert_eq!(here("new:1").await, "of a program that has changed over", "{empty:?}");
            assert_eq!(here("s2").await, "newer", "{empty:?}");
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_swap_of_other_indexes_is_none_of_its_business() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        let folder = tempfile::tempdir().unwrap();
        other.command_in(2, &["SET", "own:1", "mine"]).await;
        one.command(&["SET", "s1", "1"]).await;
        one.command_in(5, &["SET", "elsewhere", "1"]).await;
        let child = under_way(folder.path(), &one, &other, &QUIET).await;
        one.command(&["SWAPDB", "5", "6"]).await;
        one.command_in(6, &["FLUSHDB"]).await;
        followed(&one, &other, "after").await;
        ends(child, 0, "");
        assert_eq!(
            (get(&other, 2, "own:1").await, get(&other, 2, "s1").await),
            ("mine".into(), "1".into())
        );
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_the_new_place_renewed_outlives_its_old_form() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        let folder = tempfile::tempdir().unwrap();
        for key in ["s1", "s2", "s3", "s4"] {
            one.command(&["SET", key, "old", "EX", "500"]).await;
        }
        let child = under_way(folder.path(), &one, &other, &QUIET).await;
        other.command_in(2, &["SET", "s1", "newer", "EX", "1000"]).await;
        // An unchanged value with a longer TTL, and one without a TTL.
        other.command_in(2, &["EXPIRE", "s2", "1000"]).await;
        other.command_in(2, &["PERSIST", "s3"]).await;
        for key in ["s1", "s2", "s3", "s4"] {
            one.command(&["PEXPIRE", key, "1"]).await;
        }
        // Read, so that the server notices that they have expired.
        eventually("they have ended", || async {
            one.command(&["EXISTS", "s1", "s2", "s3", "s4"]).await.integer() == Some(0)
        })
        .await;
        followed(&one, &other, "after").await;
        ends(child, 0, "");
        let here = |key| get(&other, 2, key);
        assert_eq!((here("s1").await, here("s2").await), ("newer".into(), "old".into()));
        assert_eq!((here("s3").await, here("s4").await), ("old".into(), String::new()));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_value_that_both_places_changed_is_a_conflict() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        let folder = tempfile::tempdir().unwrap();
        other.command_in(2, &["SET", "own:1", "mine"]).await;
        one.command(&["MSET", "s1", "1", "s2", "2"]).await;
        let child = under_way(folder.path(), &one, &other, &QUIET).await;
        other.command_in(2, &["SET", "s1", "there"]).await;
        one.command(&["SET", "s1", "here"]).await;
        one.command(&["SET", "own:1", "here"]).await;
        one.command(&["APPEND", "s2", "2"]).await;
        followed(&one, &other, "after").await;
        let run = ends(child, 11, "another value of that name");
        assert!(run.out.contains("left s1") && run.out.contains("left own:1"), "{}", run.out);
        let here = |key| get(&other, 2, key);
        assert_eq!((here("s1").await, here("own:1").await), ("there".into(), "mine".into()));
        assert_eq!(here("s2").await, "22");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_the_source_evicts_is_not_taken_for_deleted() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        let folder = tempfile::tempdir().unwrap();
        let value = "x".repeat(1_000);
        for i in 0..1_000 {
            one.command(&["SET", &format!("s:{i}"), &value]).await;
        }
        let child = under_way(folder.path(), &one, &other, &QUIET).await;
        let before = size(&other, 2).await;
        one.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-random"]).await;
        one.command(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
        eventually("it evicts", || async { size(&one, 0).await < 900 }).await;
        ends(child, 12, "has evicted");
        assert_eq!(size(&other, 2).await, before);
        // After resuming, the copies remain too.
        one.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
        let words = words(&one, &other, &["--quiet", "300ms"]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let again = run(folder.path(), &words);
        assert_eq!(again.code, 0, "{again:?}");
        assert!(again.err.contains("has evicted keys since"), "{again:?}");
        assert_eq!(size(&other, 2).await, before);
        let third = run(folder.path(), &words);
        assert_eq!((third.code, size(&other, 2).await), (0, before), "{third:?}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn interrupted_it_goes_on_with_what_was_written_and_deleted_meanwhile() {
    run_test(async {
        for kill in [false, true] {
            let (one, other) = (server().await, server().await);
            let folder = tempfile::tempdir().unwrap();
            other.command_in(2, &["SET", "own:1", "mine"]).await;
            one.command(&["MSET", "s1", "1", "s2", "2", "s3", "3", "s4", "4", "s5", "5"]).await;
            let at_most = if kill { "60s" } else { "2s" };
            let besides = ["--quiet", "30s", "--at-most", at_most];
            let mut child = under_way(folder.path(), &one, &other, &besides).await;
            // Copied a second time, without a page in the journal.
            one.command(&["SET", "s3", "33"]).await;
            followed(&one, &other, "before").await;
            one.command(&["SET", "s3", "333"]).await;
            followed(&one, &other, "once more").await;
            eventually("the journal has it", || async {
                let journal = std::fs::read_to_string(folder.path().join("j")).unwrap();
                let marks = journal.lines().filter(|line| line.starts_with("m "));
                marks.filter(|line| line.contains(":is:mark")).count() == 2
            })
            .await;
            match kill {
                true => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                }
                false => drop(ends(child, 11, "programs still write to the source")),
            }
            one.command(&["SET", "s1", "1 newer"]).await;
            one.command(&["DEL", "s2"]).await;
            one.command(&["DEL", "s5"]).await;
            one.command(&["SET", "s3", "3 newest"]).await;
            other.command_in(2, &["SET", "s5", "of the new place"]).await;
            let words = words(&one, &other, &["--quiet", "300ms"]);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let run = run(folder.path(), &words);
            assert_eq!(run.code, 0, "{run:?}");
            let here = |key| get(&other, 2, key);
            assert_eq!((here("s1").await, here("s2").await), ("1 newer".into(), String::new()));
            assert_eq!((here("s3").await, here("s4").await), ("3 newest".into(), "4".into()));
            assert_eq!(
                (here("s5").await, here("own:1").await),
                ("of the new place".into(), "mine".into())
            );
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_the_source_lost_by_a_restart_stays_in_the_new_place() {
    run_test(async {
        let (mut one, other) = (server().await, server().await);
        let folder = tempfile::tempdir().unwrap();
        one.command(&["MSET", "s1", "1", "s2", "2"]).await;
        let besides = ["--quiet", "30s", "--at-most", "1s"];
        ends(under_way(folder.path(), &one, &other, &besides).await, 11, "");
        one.restart().await;
        assert_eq!(size(&one, 0).await, 0);
        let words = words(&one, &other, &["--quiet", "300ms"]);
        let run = run(folder.path(), &words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.err.contains("has restarted since"), "{run:?}");
        assert_eq!(
            (get(&other, 2, "s1").await, get(&other, 2, "s2").await),
            ("1".into(), "2".into())
        );
    });
}
