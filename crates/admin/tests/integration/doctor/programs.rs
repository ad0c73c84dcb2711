//! Programs that share a server: queues, locks, caches that clear by FLUSHDB, messages that Celery leaves behind.

use compartment_admin::doctor::{Code, Severity};
use compartment_testkit::{Reply, TestRedis, run_test};

use super::{codes, examined, found, pipeline, set, severity};
use crate::installations::{bullmq, celery, django, sidekiq, tell, writer};

#[test]
#[ignore = "needs redis-server"]
fn queues_and_locks_do_not_belong_where_something_evicts() {
    run_test(async {
        let server = TestRedis::builder().config("maxmemory", "1gb").start().await;
        let map = pipeline(&server.url());
        tell(&mut writer(&server, 0).await, &bullmq("bull", 5)).await;
        server.command_in(1, &["HSET", "redisson_lock:{order}", "client:1", "1"]).await;
        assert!(!codes(&examined(&map).await).contains(&Code::QueueEvictable));

        set(&server, "maxmemory-policy", "volatile-lru").await;
        let examination = examined(&map).await;
        let finding = found(&examination, Code::QueueEvictable);
        assert!(finding.what.contains("BullMQ") && finding.severity == Severity::Warning);
        assert_eq!(finding.databases, ["broker"]);
        let finding = found(&examination, Code::LockEvictable);
        assert!(finding.what.contains("Redisson"), "{}", finding.what);

        set(&server, "maxmemory-policy", "allkeys-lru").await;
        assert_eq!(severity(&examined(&map).await, Code::QueueEvictable), Severity::Critical);

        // In an index without a name too; Celery has nothing that volatile-* takes.
        server.command(&["FLUSHALL"]).await;
        set(&server, "maxmemory-policy", "volatile-lru").await;
        tell(&mut writer(&server, 0).await, &celery("", 0)).await;
        assert!(!codes(&examined(&map).await).contains(&Code::QueueEvictable));
        tell(&mut writer(&server, 9).await, &sidekiq()).await;
        let examination = examined(&map).await;
        assert_eq!(found(&examination, Code::QueueEvictable).databases, ["index 9"]);
        assert!(found(&examination, Code::UnnamedKeys).what.contains("Sidekiq"));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_cache_that_is_cleared_by_flushdb_needs_an_index_of_its_own() {
    run_test(async {
        let server = TestRedis::start().await;
        let map = pipeline(&server.url());
        tell(&mut writer(&server, 2).await, &django(4)).await;
        tell(&mut writer(&server, 0).await, &celery("", 2)).await;
        let apart = examined(&map).await;
        assert!(!codes(&apart).contains(&Code::ClearFlushesOthers), "{apart:#?}");
        // Names that only look alike are no Django's.
        for number in 0..50 {
            server.command_in(4, &["SET", &format!("k:{number}:name"), "x"]).await;
        }
        let alike = examined(&map).await;
        assert!(!codes(&alike).contains(&Code::ClearFlushesOthers), "{alike:#?}");
        tell(&mut writer(&server, 0).await, &django(4)).await;
        let examination = examined(&map).await;
        let finding = found(&examination, Code::ClearFlushesOthers);
        assert_eq!(finding.severity, Severity::Critical);
        assert!(finding.why.contains("Celery and broker"), "{}", finding.why);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn spring_sessions_need_notifications() {
    run_test(async {
        let server = TestRedis::start().await;
        let map = pipeline(&server.url());
        for words in [
            ["HSET", "spring:session:sessions:a1", "creationTime", "1"].as_slice(),
            &["SET", "spring:session:sessions:expires:a1", ""],
            &["SADD", "spring:session:expirations:1700000000000", "a1"],
        ] {
            server.command_in(4, words).await;
        }
        set(&server, "notify-keyspace-events", "El").await;
        let examination = examined(&map).await;
        let finding = found(&examination, Code::NotificationsMissing);
        assert_eq!(finding.databases, ["batch"]);
        let command = finding.cure.split(',').next().unwrap_or_default();
        let words: Vec<&str> = command.split(' ').collect();
        server.command(&words).await;
        assert!(!codes(&examined(&map).await).contains(&Code::NotificationsMissing), "{command}");
    });
}

/// Writes a message that a worker has held for some seconds.
async fn hold(server: &TestRedis, seconds: u64) {
    const HOLD: &str = "local since = redis.call('TIME')[1] - ARGV[1]
        redis.call('ZADD', 'unacked_index', since, 'tag1')
        redis.call('HSET', 'unacked', 'tag1', '[]')";
    let held = server.command(&["EVAL", HOLD, "0", &seconds.to_string()]).await;
    assert!(!held.is_error(), "{held:?}");
}

#[test]
#[ignore = "needs redis-server"]
fn messages_that_no_worker_holds_are_found() {
    run_test(async {
        let server = TestRedis::start().await;
        let map = pipeline(&server.url());
        hold(&server, 60).await;
        assert!(!codes(&examined(&map).await).contains(&Code::UnackedIdle));
        hold(&server, 7_200).await;
        let examination = examined(&map).await;
        let finding = found(&examination, Code::UnackedIdle);
        assert_eq!((finding.key_count, finding.keys.join(",")), (Some(1), "unacked".into()));
        assert!(finding.what.contains("for 2 h"), "{}", finding.what);

        // A worker that is connected takes them back by itself.
        let mut worker = server.connect().await;
        worker.send(&["LPUSH", "celery", "{}"]).await.map_or_else(drop, drop);
        worker.send(&["BRPOP", "celery", "1"]).await.map_or_else(drop, drop);
        assert!(!codes(&examined(&map).await).contains(&Code::UnackedIdle));
        hold(&server, 90_000).await;
        found(&examined(&map).await, Code::UnackedIdle);
        drop(worker);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn replies_that_nobody_reads_are_found_and_stay_found() {
    run_test(async {
        let server = TestRedis::start().await;
        let map = pipeline(&server.url());
        server.command(&["RPUSH", "fresh.reply.celery.pidbox", "{}"]).await;
        let table = "_kombu.binding.reply.celery.pidbox";
        for queue in ["fresh", "old"] {
            let member = format!("{queue}\u{6}\u{16}\u{6}\u{16}{queue}.reply.celery.pidbox");
            server.command(&["SADD", table, &member]).await;
        }
        assert!(!codes(&examined(&map).await).contains(&Code::PidboxOrphaned));
        let dumped = server.command(&["DUMP", "fresh.reply.celery.pidbox"]).await;
        let Reply::Bytes(payload) = dumped else { unreachable!("a key has a payload") };
        let old = b"old.reply.celery.pidbox".as_slice();
        let words = [b"RESTORE", old, b"0", &payload, b"IDLETIME", b"7200"];
        assert!(!server.command(&words).await.is_error());
        for _ in 0..2 {
            let examination = examined(&map).await;
            let finding = found(&examination, Code::PidboxOrphaned);
            assert_eq!(finding.key_count, Some(1));
            assert_eq!(finding.keys, ["old.reply.celery.pidbox"]);
            assert!(finding.bytes.is_some_and(|bytes| bytes > 0));
        }
    });
}
