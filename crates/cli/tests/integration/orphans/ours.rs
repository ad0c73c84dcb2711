//! Orphans of Compartment itself: documents, workers and locks.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;

use compartment_testkit::{TestRedis, run_test};
use serde_json::Value;

use super::{BATCH, CACHE, LOCKS, aged, count, exists, group, here, keys, on, send};
use crate::program::{json, paper, run};

#[test]
#[ignore = "needs redis-server"]
fn records_of_workers_that_are_gone_and_locks_that_ended_go() {
    run_test(async {
        let (folder, server) = (here(), TestRedis::start().await);
        let state = |seen: &str| format!("{{\"seen_at\":{seen}}}");
        let workers = "compartment:workers";
        for (id, seen) in [("gone", "1000"), ("here", "32503680000000000")] {
            send(&server, BATCH, &["HSET", workers, id, &state(seen)]).await;
        }
        send(&server, BATCH, &["HSET", workers, "newer", "?"]).await;
        for (lock, ends) in [("ended", "1000"), ("held", "32503680000000"), ("expires", "1000")] {
            let key = format!("compartment:lock:document:{lock}");
            let fields = ["token", "1", "owner", "process 1", "lease_ends_ms", ends];
            send(&server, LOCKS, &[&["HSET", key.as_str()][..], &fields[..]].concat()).await;
        }
        send(&server, LOCKS, &["EXPIRE", "compartment:lock:document:expires", "900"]).await;
        let done = on(&server, folder.path(), &["cleanup", "--orphans", "--apply", "--json"]);
        assert_eq!(done.code, 0, "{}", done.err);
        let found = json(&done);
        assert_eq!(count(group(&found, "batch", "ended-leases"), "removed"), 1, "{found:#}");
        assert_eq!(count(group(&found, "rate_limit", "ended-leases"), "removed"), 1, "{found:#}");
        assert_eq!(server.command_in(BATCH, &["HEXISTS", workers, "gone"]).await.text(), "0");
        assert_eq!(server.command_in(BATCH, &["HLEN", workers]).await.integer(), Some(2));
        let left = ["expires", "held"].map(|lock| format!("compartment:lock:document:{lock}"));
        assert_eq!(keys(&server, LOCKS).await, left);
    });
}

/// Papers, one submitted in a batch, one as a single task and one in a run of one process. Their hashes.
async fn three_documents(server: &TestRedis, folder: &Path) -> [String; 3] {
    for (number, name) in ["batch", "task", "run"].iter().enumerate() {
        std::fs::create_dir_all(folder.join(name)).unwrap();
        std::fs::write(folder.join(name).join("paper.txt"), paper(number)).unwrap();
    }
    let submitted = on(server, folder, &["batch", "submit", "b", "batch"]);
    assert_eq!(submitted.code, 0, "{}", submitted.err);
    let entries = server.command_in(BATCH, &["LRANGE", "{batch:b}:e:0", "0", "-1"]).await;
    let entry: Value = serde_json::from_str(&entries.array()[0].text()).unwrap();
    let in_batch = entry[0].as_str().unwrap().to_owned();
    let in_task = "a".repeat(32);
    let data = format!("[\"{in_task}\",\"paper.txt\",\"/none\"]");
    let task = on(server, folder, &["submit", "--stage", "extract", "--data", &data]);
    assert_eq!(task.code, 0, "{}", task.err);
    let ran = on(server, folder, &["ingest", "run", "--ledger", "ledger.sqlite"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let states = server.command_in(BATCH, &["KEYS", "doc:state:*"]).await;
    let in_run = states.array()[0].text().trim_start_matches("doc:state:").to_owned();
    [in_batch, in_task, in_run]
}

#[test]
#[ignore = "needs redis-server"]
fn keys_of_documents_go_when_neither_batches_nor_the_ledger_know_them() {
    run_test(async {
        let (folder, server) = (here(), TestRedis::start().await);
        let here = folder.path();
        let known = three_documents(&server, here).await;
        let unknown = "f".repeat(32);
        let text = |id: &str| format!("doc:ocr_result:{id}:1.0");
        let state = |id: &str| format!("doc:state:{id}");
        for id in known.iter().chain([&unknown]) {
            aged(&server, CACHE, &["SET", &text(id), "text"]).await;
            send(&server, BATCH, &["HSET", &state(id), "updated_ms", "1000"]).await;
        }
        let (young, other) = ("e".repeat(32), "doc:ocr_result:x:y:z");
        send(&server, CACHE, &["SET", &text(&young), "text"]).await;
        aged(&server, CACHE, &["SET", other, "another form"]).await;

        // A ledger that is away is not a ledger that knows nothing.
        let ledger =
            |name: &'static str| ["cleanup", "--orphans", "--apply", "--json", "--ledger", name];
        let refused = on(&server, here, &ledger("sqlite://missing.sqlite"));
        assert_eq!(refused.code, 12, "{}", refused.err);
        let found = json(&refused);
        let documents = group(&found, "cache", "unknown-documents");
        assert!(documents["refusal"].as_str().unwrap().contains("no ledger found"), "{found:#}");
        let away = on(&server, here, &ledger("postgres://127.0.0.1:9/none"));
        assert_eq!(away.code, 12, "{}", away.err);
        assert!(exists(&server, CACHE, &text(&unknown)).await);

        // The run's document is in a project, and in the ledger.
        let counted = ["cleanup", "--orphans", "--json", "--ledger", "none"];
        let counted = json(&on(&server, here, &counted));
        assert_eq!(count(group(&counted, "batch", "unknown-documents"), "keys"), 1, "{counted:#}");
        send(&server, BATCH, &["DEL", "project:documents:default"]).await;
        let done = on(&server, here, &ledger("sqlite://ledger.sqlite"));
        assert_eq!(done.code, 0, "{}", done.err);
        let found = json(&done);
        let documents = group(&found, "cache", "unknown-documents");
        assert_eq!((count(documents, "removed"), count(documents, "young")), (1, 1), "{found:#}");
        assert_eq!(count(group(&found, "batch", "unknown-documents"), "removed"), 1, "{found:#}");
        for id in &known {
            assert!(exists(&server, CACHE, &text(id)).await, "{id}");
            assert!(exists(&server, BATCH, &state(id)).await, "{id}");
        }
        assert!(exists(&server, CACHE, &text(&young)).await);
        assert!(exists(&server, CACHE, other).await);
        assert!(!exists(&server, CACHE, &text(&unknown)).await);
        assert!(!exists(&server, BATCH, &state(&unknown)).await);

        // A batch database that cannot be read whole is no proof either.
        aged(&server, CACHE, &["SET", &text(&unknown), "text"]).await;
        send(&server, BATCH, &["SET", "{batch:b}:e:7", "not a list"]).await;
        let refused = on(&server, here, &ledger("none"));
        assert_eq!(refused.code, 12, "{}", refused.err);
        let found = json(&refused);
        let documents = group(&found, "cache", "unknown-documents");
        assert!(documents["refusal"].as_str().unwrap().contains("read whole"), "{found:#}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn documents_of_other_programs_and_shared_indexes_are_left_alone() {
    run_test(async {
        let (folder, server) = (here(), TestRedis::start().await);
        let map = |more: &str| {
            let text = format!(
                "preset = \"pipeline\"\n[instances.primary]\nurl = {:?}\n[keys.page]\n\
                 template = \"page:{{document_uuid}}\"\ndatabase = \"cache\"\n{more}",
                server.url()
            );
            std::fs::write(folder.path().join("compartment.toml"), text).unwrap();
        };
        map("");
        aged(&server, CACHE, &["SET", "page:7f3a", "text"]).await;
        let apply = ["cleanup", "--orphans", "--apply", "--json", "--ledger", "none"];
        let found = json(&run(folder.path(), &apply));
        let documents = group(&found, "cache", "unknown-documents");
        assert_eq!((count(documents, "unsure"), count(documents, "keys")), (1, 0), "{found:#}");
        // Once a batch names one of them, they are documents of batches.
        let data = "[\"0000\",\"7f3b\",\"/none\"]";
        send(&server, CACHE, &["SET", "page:7f3b", "text"]).await;
        assert_eq!(run(folder.path(), &["submit", "--stage", "extract", "--data", data]).code, 0);
        let found = json(&run(folder.path(), &apply));
        let documents = group(&found, "cache", "unknown-documents");
        assert_eq!((count(documents, "unsure"), count(documents, "removed")), (0, 1), "{found:#}");
        assert_eq!(keys(&server, CACHE).await, ["page:7f3b"]);

        let shared = "index = 2\nkind = \"cache\"\ndefault_ttl = \"1d\"\nshared = true\n";
        map(&format!("[databases.cache]\n{shared}[databases.other]\n{shared}"));
        aged(&server, CACHE, &["RPUSH", "gone.reply.celery.pidbox", "reply"]).await;
        let refused = run(folder.path(), &[&apply[..], &["--database", "cache"]].concat());
        assert_eq!(refused.code, 12, "{}", refused.err);
        let report = &json(&refused)[0];
        assert!(
            report["refusals"][0].as_str().unwrap().contains("shared with other"),
            "{report:#}"
        );
        assert!(exists(&server, CACHE, "gone.reply.celery.pidbox").await);
        assert_eq!(run(folder.path(), &["cleanup", "--orphans", "--pattern", "*"]).code, 2);
    });
}
