//! What installations of known programs leave in a database, written by the commands they use.

#![expect(clippy::unwrap_used, reason = "test support: a failure here is a failed test")]

use compartment_admin::Place;
use compartment_core::Instance;
use compartment_redis::{RedisConfig, Server};
use compartment_testkit::{RespConnection, TestRedis};

/// A connection that writes into one numbered database.
pub(crate) async fn writer(server: &TestRedis, index: u32) -> RespConnection {
    let mut connection = server.connect().await;
    connection.send(&["SELECT", &index.to_string()]).await.unwrap();
    connection
}

pub(crate) async fn place(server: &TestRedis, index: u32) -> Place {
    let instance = Instance::new(&server.url()).unwrap();
    let connected = Server::connect(RedisConfig::for_instance(&instance, 1)).await.unwrap();
    Place::new(format!("index {index}"), connected, index)
}

/// Sends commands of words; `\x06\x16` in a word are those bytes.
pub(crate) async fn tell(connection: &mut RespConnection, lines: &[String]) {
    for line in lines {
        let words: Vec<Vec<u8>> =
            line.split(' ').map(|word| word.replace("\\x06\\x16", "\u{6}\u{16}").into()).collect();
        let reply = connection.send(&words).await.unwrap();
        assert!(!reply.is_error(), "{line}: {reply:?}");
    }
}

pub(crate) fn uuid(n: usize) -> String {
    format!("{n:08x}-98ab-4c5d-8e6f-{:012x}", n * 7_919)
}

fn lines<L: AsRef<str>>(lines: &[L]) -> Vec<String> {
    lines.iter().map(|line| line.as_ref().to_owned()).collect()
}

/// The prefix is what `global_keyprefix` would say.
pub(crate) fn celery(prefix: &str, tasks: usize) -> Vec<String> {
    let body =
        r#"{"body":"W10=","content-encoding":"utf-8","headers":{"lang":"py"},"properties":{}}"#;
    let mut list = lines(&[
        format!(r"SADD {prefix}_kombu.binding.celery celery\x06\x16\x06\x16celery"),
        format!(r"SADD {prefix}_kombu.binding.mail mail\x06\x16\x06\x16mail"),
        format!(r"SADD {prefix}_kombu.binding_permanent.mail mail\x06\x16\x06\x16mail"),
        format!("ZADD {prefix}_kombu.binding_deadlines 1700000000 celery.pidbox"),
        format!(r"SADD {prefix}_kombu.binding.celery.pidbox \x06\x16\x06\x16w1@h.celery.pidbox"),
        // Queues of the default exchange, as `task_queues = [Queue("high"), …]` makes them.
        format!(r"SADD {prefix}_kombu.binding.celery celery\x06\x16\x06\x16high"),
        format!("LPUSH {prefix}high {body}"),
        format!(r"LPUSH {prefix}high\x06\x166 {body}"),
        format!(r"LPUSH {prefix}celery\x06\x163 {body}"),
        format!("LPUSH {prefix}mail {body}"),
        format!("ZADD {prefix}unacked_index 1700000000 tag1"),
        format!("HSET {prefix}unacked tag1 {body}"),
        format!("SET {prefix}unacked_mutex x EX 300"),
    ]);
    for n in 0..tasks {
        list.push(format!("LPUSH {prefix}celery {body}"));
        let result = r#"{"status":"SUCCESS","result":1,"traceback":null,"children":[]}"#;
        list.push(format!("SET {prefix}celery-task-meta-{} {result} EX 86400", uuid(n)));
    }
    list
}

pub(crate) fn django(pages: usize) -> Vec<String> {
    let mut list = Vec::new();
    for n in 0..pages {
        list.push(format!("SET :1:product:{n} pickled-{n} EX 300"));
        list.push(format!("SET :1:views.decorators.cache.cache_page..GET.{n:032x} page EX 600"));
    }
    for n in 0..pages / 2 {
        let id = format!("{:016x}abcdefghijklmnop", n * 104_729);
        list.push(format!("SET :1:django.contrib.sessions.cache{id} pickled EX 1209600"));
    }
    list
}

pub(crate) fn bullmq(prefix: &str, jobs: usize) -> Vec<String> {
    let mut list = lines(&[
        format!("HSET {prefix}:pdf:meta opts.maxLenEvents 10000"),
        format!("SET {prefix}:pdf:id {jobs}"),
        format!("XADD {prefix}:pdf:events * event added jobId 1"),
        format!("ZADD {prefix}:pdf:completed 1700000000 1"),
        format!("ZADD {prefix}:pdf:delayed 1700000000 2"),
        format!("SET {prefix}:pdf:stalled-check 1 EX 30"),
    ]);
    for n in 0..jobs {
        list.push(format!("HSET {prefix}:pdf:{n} name convert data {{}} opts {{}} attempts 0"));
        list.push(format!("LPUSH {prefix}:pdf:wait {n}"));
    }
    list
}

pub(crate) fn sidekiq() -> Vec<String> {
    lines(&[
        "SADD queues default mailers",
        "LPUSH queue:default {}",
        "LPUSH queue:mailers {}",
        "ZADD schedule 1700000000 {}",
        "ZADD retry 1700000000 {}",
        "SADD processes web1:17:0123456789ab",
        "HSET web1:17:0123456789ab info {} busy 1",
        "HSET web1:17:0123456789ab:work t1 {}",
        "SET stat:processed 17",
        "SET stat:processed:2026-11-21 17",
        "SET stat:failed 1",
    ])
}

pub(crate) fn rq(jobs: usize) -> Vec<String> {
    let mut list = lines(&["SADD rq:queues rq:queue:default", "SADD rq:workers rq:worker:w1"]);
    for n in 0..jobs {
        list.push(format!("HSET rq:job:{} status queued", uuid(n)));
        list.push(format!("RPUSH rq:queue:default {}", uuid(n)));
        list.push(format!("ZADD rq:finished:default 1700000000 {}", uuid(n)));
    }
    list
}

pub(crate) fn llama_index(nodes: usize) -> Vec<String> {
    let mut list = lines(&["HSET index_store/data i1 {}"]);
    for n in 0..nodes {
        list.push(format!("HSET docstore/data {} {}", uuid(n), "x".repeat(1_000)));
        list.push(format!("HSET llama_index/vector_{} text a", uuid(n)));
    }
    list
}

pub(crate) fn laravel() -> Vec<String> {
    lines(&[
        "RPUSH shop_database_queues:default {}",
        "ZADD shop_database_queues:default:delayed 1700000000 {}",
        "RPUSH shop_database_queues:default:notify 1",
        "SET shop_database_shop_cache_:user.1 s:1:\"x\"; EX 60",
        "SET laravel_cache:config a:0:{} EX 60",
    ])
}

pub(crate) fn own(documents: usize) -> Vec<String> {
    let mut list = Vec::new();
    for n in 0..documents {
        list.push(format!("SET doc:{}:text {}", uuid(n), "word-".repeat(20 + n % 50)));
        list.push(format!("HSET doc:{}:state stage extract tries {n}", uuid(n)));
        list.push(format!("SET rate:{n}:minute {n} EX 60"));
    }
    list
}
