//! Orphans: what belongs to nothing any more goes, and its living neighbours stay.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use compartment_testkit::{TestRedis, run_test};
use serde_json::Value;

use crate::program::{Run, json, paper, run};

const BROKER: u32 = 0;
const RESULTS: u32 = 1;
const CACHE: u32 = 2;
const LOCKS: u32 = 3;
const BATCH: u32 = 4;

/// Makes a key by a command, and lets it be unused for that many seconds.
const AGED: &str = "redis.call(unpack(ARGV, 2))
    local payload = redis.call('DUMP', KEYS[1])
    redis.call('DEL', KEYS[1])
    return redis.call('RESTORE', KEYS[1], 0, payload, 'IDLETIME', ARGV[1])";
const TWO_HOURS: &str = "7200";

async fn send(server: &TestRedis, index: u32, command: &[&str]) {
    let answer = server.command_in(index, command).await;
    assert!(!answer.is_error(), "{command:?}: {answer:?}");
}

async fn aged(server: &TestRedis, index: u32, command: &[&str]) {
    let script = [&["EVAL", AGED, "1", command[1], TWO_HOURS][..], command].concat();
    send(server, index, &script).await;
}

async fn exists(server: &TestRedis, index: u32, key: &str) -> bool {
    server.command_in(index, &["EXISTS", key]).await.text() == "1"
}

async fn keys(server: &TestRedis, index: u32) -> Vec<String> {
    let all = server.command_in(index, &["KEYS", "*"]).await;
    let mut names: Vec<String> = all.array().iter().map(|name| name.text()).collect();
    names.sort();
    names
}

fn here() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn on(server: &TestRedis, folder: &Path, arguments: &[&str]) -> Run {
    let url = server.url();
    run(folder, &[arguments, &["--backend", &url]].concat())
}

/// The group of a kind in the report of a database.
fn group<'r>(reports: &'r Value, database: &str, kind: &str) -> &'r Value {
    let mut all = reports.as_array().unwrap().iter();
    let report = all.find(|one| one["database"] == database).unwrap();
    let mut found = report["found"].as_array().unwrap().iter();
    found.find(|one| one["kind"] == kind).unwrap_or(&Value::Null)
}

fn count(group: &Value, field: &str) -> u64 {
    assert!(group[field].is_u64(), "{field}: {group:#}");
    group[field].as_u64().unwrap()
}

const TABLE: &str = "_kombu.binding.reply.celery.pidbox";

fn bound(queue: &str) -> String {
    format!("{queue}\u{6}\u{16}\u{6}\u{16}{queue}.reply.celery.pidbox")
}

#[test]
#[ignore = "needs redis-server"]
fn queues_for_replies_that_nobody_reads_go_with_their_entries() {
    run_test(async {
        let (folder, server) = (here(), TestRedis::start().await);
        aged(&server, BROKER, &["RPUSH", "gone.reply.celery.pidbox", "reply"]).await;
        send(&server, BROKER, &["RPUSH", "asks.reply.celery.pidbox", "reply"]).await;
        // A name of this form with another type is another program's.
        aged(&server, BROKER, &["SET", "text.reply.celery.pidbox", "x"]).await;
        for queue in ["gone", "asks", "waits"] {
            send(&server, BROKER, &["SADD", TABLE, &bound(queue)]).await;
        }
        let counted = on(&server, folder.path(), &["cleanup", "--orphans", "--json"]);
        assert_eq!(counted.code, 0, "{}", counted.err);
        let found = json(&counted);
        let replies = group(&found, "broker", "unread-replies");
        assert_eq!((count(replies, "keys"), count(replies, "entries")), (1, 1), "{replies:#}");
        assert_eq!((count(replies, "young"), count(replies, "removed")), (1, 0), "{replies:#}");
        assert!(count(replies, "bytes") > 0, "{replies:#}");
        let idle = ["OBJECT", "IDLETIME", "gone.reply.celery.pidbox"];
        let idle = server.command_in(BROKER, &idle).await.integer().unwrap();
        assert!(idle >= 7_200, "to look is no use: {idle}");
        // Older ones only.
        let older = ["cleanup", "--orphans", "--older-than", "3h", "--apply", "--json"];
        let older = json(&on(&server, folder.path(), &older));
        assert_eq!(count(group(&older, "broker", "unread-replies"), "keys"), 0);

        let arguments = ["cleanup", "--orphans", "--apply", "--database", "broker"];
        let done =
            on(&server, folder.path(), &[&arguments[..], &["--journal", "gone.txt"]].concat());
        assert_eq!(done.code, 0, "{}", done.err);
        assert!(done.out.contains("unread-replies"), "{}", done.out);
        assert!(done.out.lines().all(|line| line.chars().count() <= 80), "{}", done.out);
        let left = ["_kombu.binding.reply.celery.pidbox", "asks.reply.celery.pidbox"];
        assert_eq!(
            keys(&server, BROKER).await,
            [&left[..], &["text.reply.celery.pidbox"]].concat()
        );
        assert_eq!(server.command_in(BROKER, &["SCARD", TABLE]).await.integer(), Some(2));
        let journal = std::fs::read_to_string(folder.path().join("gone.txt")).unwrap();
        assert!(journal.contains("gone.reply.celery.pidbox\tunread-replies\t"), "{journal}");
    });
}

fn result(date: &str) -> String {
    format!(r#"{{"status": "SUCCESS", "result": 1, "date_done": "{date}", "task_id": "x"}}"#)
}

#[test]
#[ignore = "needs redis-server"]
fn results_without_a_ttl_go_by_their_own_time_or_their_last_use() {
    run_test(async {
        let (folder, server) = (here(), TestRedis::start().await);
        let (old, new) = (result("2020-01-01T00:00:00+00:00"), result("2999-01-01T00:00:00"));
        let name = |name: &str| format!("celery-task-meta-{name}");
        for index in [BROKER, RESULTS] {
            for (key, value) in [("old", &old), ("new", &new), ("pickled", &"\u{4}x".to_owned())] {
                send(&server, index, &["SET", &name(key), value]).await;
            }
            aged(&server, index, &["SET", &name("unused"), "\u{4}x"]).await;
            send(&server, index, &["SET", &name("expires"), &old, "EX", "900"]).await;
        }
        // Without an age they stay: a result may still be asked for.
        let counted = json(&on(&server, folder.path(), &["cleanup", "--orphans", "--json"]));
        let results = group(&counted, "results", "results-without-ttl");
        assert_eq!((count(results, "keys"), count(results, "young")), (0, 4), "{results:#}");

        let arguments = ["cleanup", "--orphans", "--older-than", "1h", "--apply", "--json"];
        let done = on(&server, folder.path(), &arguments);
        // The contract of broker gives keys no TTL: a result without one is as it should be there.
        assert_eq!(done.code, 12, "{}", done.err);
        let found = json(&done);
        let kept = group(&found, "broker", "results-without-ttl");
        assert!(kept["refusal"].as_str().unwrap().contains("--pattern"), "{kept:#}");
        assert_eq!(count(kept, "removed"), 0, "{kept:#}");
        assert_eq!(keys(&server, BROKER).await.len(), 5);
        let results = group(&found, "results", "results-without-ttl");
        assert_eq!((count(results, "keys"), count(results, "removed")), (2, 2), "{results:#}");
        assert_eq!((count(results, "young"), count(results, "age_unknown")), (1, 1), "{results:#}");
        assert_eq!(keys(&server, RESULTS).await, ["expires", "new", "pickled"].map(name));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn where_a_read_would_be_a_use_only_the_idle_time_tells_the_age() {
    run_test(async {
        let server = TestRedis::builder().config("maxmemory-policy", "allkeys-lru").start().await;
        let folder = here();
        let old = result("2020-01-01T00:00:00+00:00");
        send(&server, RESULTS, &["SET", "celery-task-meta-read", &old]).await;
        aged(&server, RESULTS, &["SET", "celery-task-meta-unused", &old]).await;
        let arguments = ["cleanup", "--orphans", "--older-than", "1h", "--apply", "--json"];
        let found = json(&on(&server, folder.path(), &arguments));
        let results = group(&found, "results", "results-without-ttl");
        let can_hide = !server.command(&["CLIENT", "NO-TOUCH", "ON"]).await.is_error();
        let expected = if can_hide { (2, 0) } else { (1, 1) };
        assert_eq!((count(results, "removed"), count(results, "age_unknown")), expected);
        assert_eq!(exists(&server, RESULTS, "celery-task-meta-read").await, !can_hide);
    });
}

/// A job of the queue `bull:mail`, added so many milliseconds after 1970.
async fn job(server: &TestRedis, id: &str, timestamp: &str, more: &[&str]) {
    let key = format!("bull:mail:{id}");
    let fields = ["HSET", key.as_str(), "name", "send", "data", "{}", "timestamp", timestamp];
    send(server, BROKER, &[&fields[..], more].concat()).await;
}

#[test]
#[ignore = "needs redis-server"]
fn jobs_without_data_and_data_without_a_job_go() {
    run_test(async {
        let (folder, server) = (here(), TestRedis::start().await);
        let all = |command: &'static [&'static str]| send(&server, BROKER, command);
        all(&["HSET", "bull:mail:meta", "opts.maxLenEvents", "10000"]).await;
        all(&["RPUSH", "bull:mail:wait", "1", "2", "0:0"]).await;
        all(&["ZADD", "bull:mail:completed", "1", "3", "2", "4"]).await;
        all(&["SET", "bull:mail:10:lock", "token", "PX", "30000"]).await;
        for key in ["bull:mail:7:logs", "bull:mail:1:logs", "bull:mail:99:logs"] {
            send(&server, BROKER, &["RPUSH", key, "line"]).await;
        }
        for id in ["1", "3", "7", "10"] {
            job(&server, id, "1000", &[]).await;
        }
        job(&server, "8", "32503680000000", &[]).await;
        job(&server, "9", "1000", &["parentKey", "bull:mail:1"]).await;
        // Lists with such names alone are another program's.
        all(&["RPUSH", "bull:market:active", "shares"]).await;
        all(&["RPUSH", "news:wait", "a"]).await;
        all(&["SET", "news:id", "1"]).await;

        let counted = json(&on(&server, folder.path(), &["cleanup", "--orphans", "--json"]));
        let entries = group(&counted, "broker", "entries-without-job");
        assert_eq!((count(entries, "entries"), count(entries, "keys")), (2, 1), "{entries:#}");
        let outside = group(&counted, "broker", "jobs-outside-queues");
        assert_eq!((count(outside, "keys"), count(outside, "unsure")), (2, 1), "{outside:#}");
        assert_eq!(count(outside, "young"), 1, "{outside:#}");

        let apply = ["cleanup", "--orphans", "--apply", "--json"];
        let done = on(&server, folder.path(), &apply);
        assert_eq!(done.code, 0, "{}", done.err);
        let done = json(&done);
        let outside = group(&done, "broker", "jobs-outside-queues");
        assert_eq!((count(outside, "removed"), count(outside, "spared")), (1, 1), "{outside:#}");
        let wait = server.command_in(BROKER, &["LRANGE", "bull:mail:wait", "0", "-1"]).await;
        let wait: Vec<String> = wait.array().iter().map(|id| id.text()).collect();
        assert_eq!(wait, ["1", "0:0"]);
        let completed = server.command_in(BROKER, &["ZRANGE", "bull:mail:completed", "0", "-1"]);
        assert_eq!(completed.await.array().len(), 1);
        for gone in ["bull:mail:7", "bull:mail:7:logs", "bull:mail:99:logs"] {
            assert!(!exists(&server, BROKER, gone).await, "{gone}");
        }
        // A lock says that somebody works on 10, and a parent waits for 9.
        for stays in ["1", "1:logs", "3", "8", "9", "10"] {
            assert!(exists(&server, BROKER, &format!("bull:mail:{stays}")).await, "{stays}");
        }
        for stays in ["bull:market:active", "news:wait", "news:id"] {
            assert!(exists(&server, BROKER, stays).await, "{stays}");
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn entries_of_rq_without_a_job_go_and_its_jobs_are_only_reported() {
    run_test(async {
        let (folder, server) = (here(), TestRedis::start().await);
        let all = |command: &'static [&'static str]| send(&server, BROKER, command);
        all(&["SADD", "rq:queues", "rq:queue:default"]).await;
        all(&["RPUSH", "rq:queue:default", "there", "gone"]).await;
        all(&["ZADD", "rq:wip:default", "1", "runs:e1", "1", "went:e2"]).await;
        for id in ["there", "runs", "lost"] {
            send(&server, BROKER, &["HSET", &format!("rq:job:{id}"), "status", "queued"]).await;
        }
        let done = on(&server, folder.path(), &["cleanup", "--orphans", "--apply", "--json"]);
        assert_eq!(done.code, 0, "{}", done.err);
        let found = json(&done);
        let entries = group(&found, "broker", "entries-without-job");
        assert_eq!((count(entries, "entries"), count(entries, "removed")), (2, 2), "{entries:#}");
        let outside = group(&found, "broker", "jobs-outside-queues");
        assert_eq!((count(outside, "unsure"), count(outside, "removed")), (1, 0), "{outside:#}");
        assert!(exists(&server, BROKER, "rq:job:lost").await);
        let queue = server.command_in(BROKER, &["LLEN", "rq:queue:default"]).await.integer();
        let wip = server.command_in(BROKER, &["ZCARD", "rq:wip:default"]).await.integer();
        assert_eq!((queue, wip), (Some(1), Some(1)));
    });
}

/// Adds a job, and moves one on, each in one step, as BullMQ does.
const ADD: &str =
    "redis.call('HSET', 'bull:mail:' .. ARGV[1], 'name', 'x', 'data', '{}', 'timestamp', '1000')
    return redis.call('LPUSH', 'bull:mail:wait', ARGV[1])";
const TAKE: &str = "return redis.call('RPOPLPUSH', 'bull:mail:wait', 'bull:mail:active')";
const FINISH: &str = "local id = redis.call('RPOP', 'bull:mail:active')
    if id then redis.call('ZADD', 'bull:mail:completed', 1, id) end
    return id";

#[test]
#[ignore = "needs redis-server"]
fn no_job_of_a_queue_at_work_is_lost() {
    run_test(async {
        let (folder, server) = (here(), TestRedis::start().await);
        send(&server, BROKER, &["HSET", "bull:mail:meta", "x", "1"]).await;
        for id in 0..2_000 {
            send(&server, BROKER, &["EVAL", ADD, "0", &format!("first-{id}")]).await;
        }
        let mut client = server.connect().await;
        let is_over = std::sync::Arc::new(AtomicBool::new(false));
        let told = std::sync::Arc::clone(&is_over);
        let program = tokio::spawn(async move {
            let mut added = 2_000;
            while !told.load(Ordering::Relaxed) {
                client.send(&["EVAL", ADD, "0", &format!("more-{added}")]).await.unwrap();
                added += 1;
                for script in [TAKE, TAKE, FINISH, FINISH] {
                    client.send(&["EVAL", script, "0"]).await.unwrap();
                }
            }
            added
        });
        let (url, path) = (server.url(), folder.path().to_owned());
        let cleaned = tokio::task::spawn_blocking(move || {
            (0..5).for_each(|_| {
                let arguments = ["cleanup", "--orphans", "--apply", "--database", "broker"];
                let done = run(&path, &[&arguments[..], &["--backend", &url]].concat());
                assert_eq!(done.code, 0, "{}", done.err);
            });
        });
        cleaned.await.unwrap();
        is_over.store(true, Ordering::Relaxed);
        let added = program.await.unwrap();
        let jobs = keys(&server, BROKER).await;
        let jobs = jobs.iter().filter(|name| name.contains("first-") || name.contains("more-"));
        assert_eq!(jobs.count(), added, "every job has its data");
        let mut named = 0;
        for (command, part) in [("LLEN", "wait"), ("LLEN", "active"), ("ZCARD", "completed")] {
            let key = format!("bull:mail:{part}");
            named += server.command_in(BROKER, &[command, &key]).await.integer().unwrap();
        }
        assert_eq!(usize::try_from(named).unwrap(), added, "every job is named");
    });
}

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

#[test]
#[ignore = "needs redis-server"]
fn each_reason_is_checked_again_when_its_orphan_goes() {
    run_test(async {
        const OLD: &str = include_str!("../../../admin/src/lua/remove_old.lua");
        const ENTRY: &str = include_str!("../../../admin/src/lua/remove_entry.lua");
        const JOB: &str = include_str!("../../../admin/src/lua/remove_job.lua");
        const REPLIES: &str = include_str!("../../../admin/src/lua/remove_reply_queue.lua");
        const FIELD: &str = include_str!("../../../admin/src/lua/remove_field.lua");
        let server = TestRedis::start().await;
        let eval = async |script: &str, arguments: &[&str]| {
            let answer = server.command(&[&["EVAL", script][..], arguments].concat()).await;
            assert!(!answer.is_error(), "{answer:?}");
            answer.array().first().unwrap_or(&answer).integer().unwrap()
        };
        let all = |command: &'static [&'static str]| send(&server, 0, command);
        // A result that was stored again, or given a TTL.
        all(&["SET", "r", "{\"date_done\": \"2\"}"]).await;
        assert_eq!(eval(OLD, &["1", "r", "tail", "\"date_done\": \"1\""]).await, 0);
        all(&["EXPIRE", "r", "900"]).await;
        assert_eq!(eval(OLD, &["1", "r", "tail", "\"date_done\": \"2\""]).await, 0);
        all(&["PERSIST", "r"]).await;
        assert_eq!(eval(OLD, &["1", "r", "tail", "\"date_done\": \"2\""]).await, 1);
        // A state that was written again, and a lock that was taken again.
        for field in ["updated_ms", "lease_ends_ms"] {
            send(&server, 0, &["HSET", "h", field, "2"]).await;
            assert_eq!(eval(OLD, &["1", "h", field, "1"]).await, 0);
            assert_eq!(eval(OLD, &["1", "h", field, "2"]).await, 1);
        }
        // An entry whose job came.
        all(&["RPUSH", "wait", "1", "2", "1"]).await;
        all(&["SET", "job:1", "x"]).await;
        assert_eq!(eval(ENTRY, &["2", "wait", "job:1", "1"]).await, 0);
        assert_eq!(eval(ENTRY, &["2", "wait", "job:2", "2"]).await, 1);
        assert_eq!(eval(ENTRY, &["2", "wait", "job:2", "2"]).await, 0);
        assert_eq!(eval(ENTRY, &["2", "job:1", "wait"]).await, 0);
        assert_eq!(eval(ENTRY, &["2", "job:1", "none"]).await, 1);
        // A job that was added to a part of its queue, or that somebody works on.
        all(&["HSET", "q:1", "data", "x"]).await;
        all(&["SET", "q:1:logs", "x"]).await;
        let job = ["5", "q:1", "q:1:lock", "wait", "delayed", "q:1:logs", "1", "2"];
        assert_eq!(eval(JOB, &job).await, 0, "it waits");
        all(&["DEL", "wait"]).await;
        all(&["ZADD", "delayed", "1", "1"]).await;
        assert_eq!(eval(JOB, &job).await, 0, "it is delayed");
        all(&["DEL", "delayed"]).await;
        all(&["SET", "q:1:lock", "x"]).await;
        assert_eq!(eval(JOB, &job).await, 0, "it is locked");
        all(&["DEL", "q:1:lock"]).await;
        assert_eq!(eval(JOB, &job).await, 1);
        assert!(!exists(&server, 0, "q:1:logs").await);
        // Replies that somebody takes, or gives, again.
        all(&["RPUSH", "a.reply", "x"]).await;
        all(&["SADD", "table", "a"]).await;
        assert_eq!(eval(REPLIES, &["2", "a.reply", "table", "3600", "a"]).await, 0);
        assert!(exists(&server, 0, "table").await);
        aged(&server, 0, &["RPUSH", "a.reply", "x"]).await;
        assert_eq!(eval(REPLIES, &["2", "a.reply", "table", "3600", "a"]).await, 1);
        assert!(!exists(&server, 0, "table").await);
        // A worker that is back.
        all(&["HSET", "workers", "w", "new"]).await;
        assert_eq!(eval(FIELD, &["1", "workers", "w", "old"]).await, 0);
        assert_eq!(eval(FIELD, &["1", "workers", "w", "new"]).await, 1);
    });
}
