//! The commands for batches on a real server.

use std::time::Duration;

use compartment_testkit::{TestRedis, run_test};

use crate::fleet::Fleet;
use crate::program::{self, json, run};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
#[ignore = "needs redis-server"]
fn a_batch_is_submitted_watched_steered_and_removed() {
    run_test(async {
        let fleet = Fleet::new(TestRedis::start().await, 60);
        let dry = fleet.run(&["batch", "submit", "b", "papers", "--dry-run"]);
        assert_eq!(
            dry.out,
            "60 files would be submitted as batch b; 0 skipped: not a document type\n"
        );
        assert!(fleet.run(&["batch", "list"]).out.contains("there are no batches"));

        let open = fleet.run(&["batch", "submit", "b", "papers", "--open", "--json"]);
        assert_eq!(json(&open)["is_open"], true);
        std::fs::write(fleet.path().join("more.txt"), program::paper(5_000)).unwrap();
        let more = json(&fleet.run(&["batch", "submit", "b", "more.txt", "--json"]));
        assert_eq!((&more["submitted"], &more["total"]), (&1.into(), &61.into()));
        let again = fleet.run(&["batch", "submit", "b", "more.txt"]);
        assert_eq!(again.code, 8, "{}", again.err);
        assert!(again.err.contains("accepts no more documents"), "{}", again.err);

        let paused = json(&fleet.run(&["batch", "pause", "b", "--json"]));
        assert_eq!(paused, serde_json::json!({"batch": "b", "paused": true}));
        let shown = json(&fleet.run(&["batch", "show", "b", "--json"]));
        assert_eq!((&shown["status"], &shown["total"]), (&"paused".into(), &61.into()));
        assert_eq!(shown["unserved_stages"].as_array().map(Vec::len), Some(5));
        assert_eq!(fleet.run(&["batch", "resume", "b"]).code, 0);
        let refused = fleet.run(&["batch", "remove", "b"]);
        assert_eq!(refused.code, 12, "{}", refused.err);

        let worked = fleet.run(&["worker", "--batch", "b", "--until-finished", "--json"]);
        // One paper is unreadable.
        assert_eq!((worked.code, &json(&worked)["failed"]), (3, &1.into()), "{}", worked.err);
        let watched = fleet.run(&["batch", "watch", "b"]);
        assert_eq!(watched.code, 3);
        assert!(watched.out.contains("60 of 61 documents done, 1 dead"), "{}", watched.out);
        assert!(watched.out.contains("damaged"), "{}", watched.out);
        assert!(watched.out.lines().all(|line| line.chars().count() <= 80), "{}", watched.out);

        let none = fleet.run(&["batch", "retry", "b", "--stage", "chunk"]);
        assert!(none.out.contains("0 documents will be retried"), "{}", none.out);
        let unknown = fleet.run(&["batch", "retry", "b", "--stage", "chunks"]);
        assert_eq!(unknown.code, 4, "{}", unknown.err);
        let retried =
            fleet.run(&["batch", "retry", "b", "--stage", "extract", "--error", "damaged"]);
        assert!(retried.out.contains("1 document will be retried"), "{}", retried.out);
        let cancelled = json(&fleet.run(&["batch", "cancel", "b", "--json"]));
        assert_eq!(cancelled["status"], "cancelled");
        assert_eq!(fleet.run(&["batch", "remove", "b"]).code, 0);
        let gone = fleet.run(&["batch", "show", "b"]);
        assert_eq!(gone.code, 4, "{}", gone.err);
        assert!(gone.err.contains("there is no batch \"b\""), "{}", gone.err);
        let never = fleet.run(&["worker", "--batch", "b", "--until-finished"]);
        assert_eq!(never.code, 4, "{}", never.err);
        assert!(never.err.contains("there is no batch \"b\" to finish"), "{}", never.err);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_ingest_submits_is_what_a_worker_does() {
    run_test(async {
        let fleet = Fleet::new(TestRedis::start().await, 20);
        let submitted = fleet.run(&["ingest", "papers", "--submit", "--project", "b", "--json"]);
        assert_eq!((submitted.code, &json(&submitted)["total"]), (0, &20.into()));
        let worker = fleet.worker(&[]);
        let databases = fleet.databases().await;
        fleet.completed(databases.get("batch").unwrap(), PATIENCE).await;
        // A direct run finds the worker's results.
        let ingested = json(&fleet.run(&["ingest", "papers", "--json"]));
        for stage in ["extract", "chunk", "entities", "resolve", "relate"] {
            assert_eq!(ingested["stages"][stage]["computed"], 0, "{stage}");
        }
        // The summary of all documents agrees.
        let key = compartment_documents::batch::BATCH_SUMMARY.key(&["b"]).unwrap();
        let mut summary = None;
        for _ in 0..200 {
            summary = databases.read(&key).await.unwrap();
            if summary.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(worker);
        let summary = serde_json::to_value(summary.unwrap()).unwrap();
        assert_eq!(summary["entities"], ingested["entities"]);
        assert_eq!(summary["relationships"], ingested["relationships"]);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_summary_of_a_batch_follows_its_decisions() {
    run_test(async {
        let fleet = Fleet::new(TestRedis::start().await, 4);
        let wrong = fleet.path().join("wrong.txt");
        std::fs::write(&wrong, "1 joins a b\n").unwrap();
        let submit = |name: &str, file: &str| {
            fleet.run(&["batch", "submit", name, "papers", "--decisions", file])
        };
        let refused = submit("a", "wrong.txt");
        assert_eq!(refused.code, 9, "{}", refused.err);
        assert!(refused.err.contains("line 1 is no decision"), "{}", refused.err);
        let plain = fleet.run(&["ingest", "papers", "--json", "--out", "results"]);
        let plain = &json(&plain)["entities"]["party"].as_u64().unwrap().clone();
        let parties = fleet.run(&["find", "acorn", "--kind", "party", "--json"]);
        let ids: std::collections::BTreeSet<String> = parties
            .out
            .lines()
            .filter_map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["entity"]
                    .as_str()
                    .map(str::to_owned)
            })
            .collect();
        let pair: Vec<&String> = ids.iter().take(2).collect();
        std::fs::write(&wrong, format!("1 join {} {} x\n", pair[0], pair[1])).unwrap();
        assert_eq!(submit("b", "wrong.txt").code, 0);
        let worker = fleet.run(&["worker", "--batch", "b", "--until-finished"]);
        assert_eq!(worker.code, 0, "{}", worker.err);
        let databases = fleet.databases().await;
        let key = compartment_documents::batch::BATCH_SUMMARY.key(&["b"]).unwrap();
        let mut summary = None;
        for _ in 0..200 {
            summary = databases.read(&key).await.unwrap();
            if summary.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let summary = serde_json::to_value(summary.unwrap()).unwrap();
        assert_eq!(summary["entities"]["party"], plain - 1, "{summary}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_single_task_is_worked_on_by_whoever_serves_its_stage() {
    run_test(async {
        let fleet = Fleet::new(TestRedis::start().await, 2);
        let unknown = fleet.run(&["submit", "--stage", "entity", "--file", "papers/00001.txt"]);
        assert_eq!(unknown.code, 4, "{}", unknown.err);
        let missing = fleet.run(&["submit", "--stage", "entities", "--file", "papers/9.txt"]);
        assert_eq!(missing.code, 9, "{}", missing.err);
        let file = ["submit", "--stage", "entities", "--file", "papers/00001.txt", "--once", "it"];
        let first = fleet.run(&[&file[..], &["--json"]].concat());
        assert_eq!(json(&first)["queue"], "legal.entities");
        assert!(fleet.run(&file).out.contains("is already waiting or in progress"));
        let databases = fleet.databases().await;
        let queue = databases.get("batch").unwrap().queue().clone();
        let other = fleet.worker(&["--stages", "chunk,resolve"]);
        let _worker = fleet.worker(&["--stages", "entities"]);
        for _ in 0..500 {
            let counts = queue.counts("legal.entities").await.unwrap();
            if counts.waiting + counts.claimed == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let counts = queue.counts("legal.entities").await.unwrap();
        assert_eq!((counts.waiting, counts.claimed, counts.dead), (0, 0, 0));
        let workers = json(&fleet.run(&["workers", "list", "--json"]));
        assert_eq!(workers.as_array().map(Vec::len), Some(2));
        drop(other);
    });
}

#[test]
fn batches_and_workers_need_a_server() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["worker"][..], &["batch", "list"], &["workers", "list"]] {
        let refused = run(folder.path(), arguments);
        assert_eq!(refused.code, 4, "{}", refused.err);
        assert!(refused.err.contains("memory:// belongs to one"), "{}", refused.err);
    }
    let unknown = run(folder.path(), &["worker", "--until-finished"]);
    assert_eq!(unknown.code, 2, "{}", unknown.err);
}
