//! Workers that are killed repeatedly: no row is missing or wrong.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_testkit::{TestPostgres, TestRedis, run_test};

use crate::program::{json, paper, run, start};

const PAPERS: usize = 120;
const KILLS: u64 = 8;

/// Processes a batch with workers that are killed, then to its end, and compares it with its ledger.
async fn killed_again_and_again(ledger: &str) {
    let (redis, folder) = (TestRedis::start().await, tempfile::tempdir().unwrap());
    let (path, url) = (folder.path(), redis.url());
    std::fs::create_dir(path.join("papers")).unwrap();
    for number in 0..PAPERS {
        std::fs::write(path.join(format!("papers/{number}.txt")), paper(number)).unwrap();
    }
    let common = ["--backend", &url, "--ledger", ledger];
    let with = |arguments: &[&str]| {
        let arguments = [arguments, &common].concat();
        let run = run(path, &arguments);
        assert_eq!(run.code, 0, "{arguments:?}\n{}{}", run.out, run.err);
        run
    };
    with(&["batch", "submit", "papers", "papers"]);
    let work = ["worker", "--batch", "papers", "--until-finished", "--lease", "1s", "--no-cache"];
    let work = [&work[..], &common].concat();
    for kill in 0..KILLS {
        let mut worker = start(path, &work);
        // At another moment of the worker's life in each round.
        tokio::time::sleep(Duration::from_millis(60 + 37 * kill)).await;
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    with(&work[..work.len() - common.len()]);
    let shown = json(&with(&["batch", "show", "papers", "--json"]));
    assert_eq!((shown["status"].as_str(), shown["dead"].as_u64()), (Some("completed"), Some(0)));
    let audit = json(&with(&["batch", "audit", "papers", "--json"]));
    assert_eq!(audit[0]["is_clean"], true, "{audit}");
    assert_eq!(audit[0]["compared_with_ledger"], true);
    let tasks = json(&with(&["tasks", "list", "--batch", "papers", "--limit", "5000", "--json"]));
    let tasks = tasks["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), PAPERS * shown["stages"].as_array().unwrap().len());
    assert!(tasks.iter().all(|task| task["status"] == "done"));
}

#[test]
#[ignore = "needs redis-server"]
fn workers_are_killed_and_no_row_is_missing_in_the_file() {
    run_test(killed_again_and_again("rows.db"));
}

#[test]
#[ignore = "needs redis-server"]
fn workers_are_killed_and_no_row_is_missing_on_the_server() {
    run_test(async {
        let Some(server) = TestPostgres::start().await else { return };
        killed_again_and_again(&server.url()).await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_ledger_that_does_not_answer_keeps_no_worker_from_its_work() {
    run_test(async {
        let Some(server) = TestPostgres::start().await else { return };
        let (redis, folder) = (TestRedis::start().await, tempfile::tempdir().unwrap());
        let (path, url, ledger) = (folder.path(), redis.url(), server.url());
        std::fs::write(path.join("a.txt"), paper(1)).unwrap();
        std::fs::write(path.join("b.txt"), paper(2)).unwrap();
        let with = |arguments: &[&str]| {
            run(path, &[arguments, &["--backend", &url, "--ledger", &ledger]].concat())
        };
        assert_eq!(with(&["batch", "submit", "papers", "a.txt", "b.txt"]).code, 0);
        // The ledger is available and then stops responding.
        assert_eq!(with(&["batch", "audit"]).code, 0);
        server.freeze();
        let worker = with(&["worker", "--batch", "papers", "--until-finished"]);
        assert_eq!(worker.code, 0, "{}", worker.err);
        server.thaw();
        let audit = with(&["batch", "audit", "papers", "--json"]);
        assert_eq!(audit.code, 0, "{}{}", audit.out, audit.err);
        let tasks = json(&with(&["tasks", "list", "--batch", "papers", "--json"]));
        assert_eq!(tasks["tasks"].as_array().unwrap().len(), 10);
        // An unavailable ledger is reported in one line, with its own exit code.
        drop(server);
        let audit = with(&["batch", "audit"]);
        assert_eq!(audit.code, 5, "{}", audit.err);
        assert!(!audit.err.contains("p@ss") && !audit.err.contains("p%40ss"), "{}", audit.err);
    });
}
