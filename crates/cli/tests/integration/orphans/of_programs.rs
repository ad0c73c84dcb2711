//! Orphans of Celery, BullMQ, Bull and RQ beside their living neighbours.

use std::sync::atomic::{AtomicBool, Ordering};

use compartment_testkit::{TestRedis, run_test};

use super::{BROKER, RESULTS, aged, count, exists, group, here, keys, on, send};
use crate::program::{json, run};

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
                // Bounded: a cleanup that takes a small share of the server's time would never see the end.
                if added < 6_000 {
                    client.send(&["EVAL", ADD, "0", &format!("more-{added}")]).await.unwrap();
                    added += 1;
                }
                for script in [TAKE, TAKE, FINISH, FINISH] {
                    client.send(&["EVAL", script, "0"]).await.unwrap();
                }
            }
            added
        });
        let (url, path) = (server.url(), folder.path().to_owned());
        let cleaned = tokio::task::spawn_blocking(move || {
            (0..3).for_each(|_| {
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
