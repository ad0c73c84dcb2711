//! The scripts that check the reason of each orphan when it goes.

use compartment_testkit::{TestRedis, run_test};

use super::{aged, exists, send};

#[test]
#[ignore = "needs redis-server"]
fn each_reason_is_checked_again_when_its_orphan_goes() {
    run_test(async {
        const OLD: &str = include_str!("../../../../admin/src/lua/remove_old.lua");
        const ENTRY: &str = include_str!("../../../../admin/src/lua/remove_entry.lua");
        const JOB: &str = include_str!("../../../../admin/src/lua/remove_job.lua");
        const REPLIES: &str = include_str!("../../../../admin/src/lua/remove_reply_queue.lua");
        const FIELD: &str = include_str!("../../../../admin/src/lua/remove_field.lua");
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
