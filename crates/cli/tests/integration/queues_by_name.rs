//! A move by a pattern, or of all keys, is checked for queues that it would split.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;

use compartment_testkit::{TestRedis, eventually, run_test};

use crate::program::{Run, run};

fn ends(folder: &Path, arguments: &[&str], code: i32, says: &str) -> Run {
    let run = run(folder, arguments);
    assert_eq!(run.code, code, "{arguments:?}: {} {}", run.out, run.err);
    let all = format!("{}{}", run.out, run.err);
    assert!(all.contains(says), "{says:?} in {all}");
    run
}

/// Celery's queue with its bindings, and pages beside them.
async fn fill(server: &TestRedis) {
    for i in 0..50 {
        server.command(&["SET", &format!("page:{i}"), "x", "EX", "1000"]).await;
    }
    server.command(&["RPUSH", "celery", "task-1", "task-2"]).await;
    server.command(&["SADD", "_kombu.binding.celery", "celery"]).await;
    server.command(&["SADD", "_kombu.binding.celery.pidbox", "x"]).await;
    server.command(&["ZADD", "unacked_index", "1", "a"]).await;
    server.command(&["HSET", "unacked", "a", "b"]).await;
}

async fn size(server: &TestRedis, index: u32) -> i64 {
    server.command_in(index, &["DBSIZE"]).await.integer().unwrap()
}

#[test]
#[ignore = "needs redis-server"]
fn a_queue_does_not_move_without_its_bindings_nor_from_under_its_workers() {
    run_test(async {
        let server = TestRedis::start().await;
        fill(&server).await;
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let base = ["migrate", "--backend", &server.url(), "--from", "0", "--to", "3"];
        let part = [&base[..], &["--pattern", "celery"]].concat();
        let parts = ["celery", "_kombu.binding.*", "unacked*"];
        let parts = parts.iter().flat_map(|pattern| ["--pattern", pattern]);
        let all_of_it: Vec<&str> = base.into_iter().chain(parts).collect();
        for extra in [&["--dry-run"][..], &[]] {
            let refused = ends(here, &[&part[..], extra].concat(), 12, "would stay behind");
            assert!(refused.err.contains("celery-broker"), "{}", refused.err);
        }
        // A worker is blocked on a queue; moving that queue would leave it blocked forever.
        let mut worker = server.connect().await;
        let waiting =
            tokio::spawn(async move { worker.send(&["BRPOP", "other-queue", "0"]).await });
        eventually("the worker waits", || async {
            server.command(&["CLIENT", "LIST"]).await.text().contains("cmd=brpop")
        })
        .await;
        for words in [&all_of_it[..], &base] {
            let refused = ends(here, words, 12, "blocked on keys in index 0");
            assert!(refused.err.contains("--drained-anyway"), "{}", refused.err);
        }
        assert_eq!((size(&server, 0).await, size(&server, 3).await), (55, 0));
        assert_eq!(std::fs::read_dir(here).unwrap().count(), 0, "no journal");
        // Unrelated keys move, and so do queues if the user insists.
        ends(here, &[&base[..], &["--pattern", "page:*"]].concat(), 0, "50 keys moved");
        let anyway = [&all_of_it[..], &["--drained-anyway"]].concat();
        ends(here, &anyway, 0, "5 keys moved");
        waiting.abort();
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_queue_that_nobody_uses_moves_as_a_whole() {
    run_test(async {
        let server = TestRedis::start().await;
        fill(&server).await;
        let folder = tempfile::tempdir().unwrap();
        let base = ["migrate", "--backend", &server.url(), "--from", "0", "--to", "3"];
        let parts = ["celery", "_kombu.binding.*", "unacked*"];
        let parts = parts.iter().flat_map(|pattern| ["--pattern", pattern]);
        let all_of_it: Vec<&str> = base.into_iter().chain(parts).collect();
        ends(folder.path(), &all_of_it, 0, "5 keys moved");
        ends(folder.path(), &base, 0, "50 keys moved");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn who_may_not_look_at_other_keys_is_told_what_names_and_clients_say() {
    run_test(async {
        let server =
            TestRedis::builder().acl_user("some", "pw", "~celery* ~page:* &* +@all").start().await;
        fill(&server).await;
        let folder = tempfile::tempdir().unwrap();
        let (here, url) = (folder.path(), server.url_with_user("some", "pw"));
        let base = ["migrate", "--backend", &url, "--from", "0", "--to", "3"];
        let part = [&base[..], &["--pattern", "celery"]].concat();
        ends(here, &part, 12, "_kombu.binding.celery would stay behind");
        ends(here, &[&base[..], &["--pattern", "page:*"]].concat(), 0, "50 keys moved");
        assert_eq!((size(&server, 0).await, size(&server, 3).await), (5, 50));
        ends(here, &[&part[..], &["--drained-anyway"]].concat(), 0, "1 key moved");
    });
}
