//! What servers send without being asked: notifications, invalidations, requests of others.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use compartment_testkit::{TestRedis, run_test};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fixture::{Front, map, talk};

/// Sends a line, and reads until the bytes that came end with `end`.
async fn say(stream: &mut TcpStream, line: &str, end: &str) -> String {
    stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    until(stream, end).await
}

async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = String::new();
    let reading = async {
        while !read.ends_with(end) {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            read.push(char::from(byte[0]));
        }
    };
    let done = tokio::time::timeout(std::time::Duration::from_secs(10), reading).await;
    assert!(done.is_ok(), "{end:?} does not come after {read:?}");
    read
}

#[test]
#[ignore = "needs redis-server"]
fn notifications_name_the_index_that_the_program_knows() {
    run_test(async {
        let server = TestRedis::builder().config("notify-keyspace-events", "KEA").start().await;
        let front = Front::before(&server).await;
        let mut writer = front.connect().await;
        let mut told = front.connect().await;
        talk(
            &mut told,
            "SUBSCRIBE __keyspace@0__:job:1 -> [subscribe __keyspace@0__:job:1 1]
             SUBSCRIBE __keyevent@0__:del -> [subscribe __keyevent@0__:del 2]
             PSUBSCRIBE __keyspace@0__:page:* -> [psubscribe __keyspace@0__:page:* 3]",
        )
        .await;
        talk(
            &mut writer,
            "SET job:1 a -> OK\nSET page:7 b EX 100 -> OK\nSET job:2 b -> OK\nDEL job:2 -> 1",
        )
        .await;
        talk(
            &mut told,
            "PING -> [message __keyspace@0__:job:1 set]
             PING -> [pmessage __keyspace@0__:page:* __keyspace@0__:page:7 set]
             PING -> [pmessage __keyspace@0__:page:* __keyspace@0__:page:7 expire]
             PING -> [message __keyevent@0__:del job:2]
             PING -> [pong ]
             PING -> [pong ]
             PING -> [pong ]
             PING -> [pong ]
             UNSUBSCRIBE __keyevent@0__:del -> [pong ]
             PING -> [pong ]
             PING -> [pong ]
             PING -> [pong ]
             PING -> [unsubscribe __keyevent@0__:del 2]",
        )
        .await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_program_of_the_third_protocol_is_told_of_changed_keys() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let mut writer = front.connect().await;
        let mut stream = TcpStream::connect(("127.0.0.1", front.port)).await.unwrap();
        say(&mut stream, "HELLO 3", "modules\r\n*0\r\n").await;
        say(&mut stream, "CLIENT TRACKING ON", "+OK\r\n").await;
        say(&mut stream, "GET job:1", "_\r\n").await;
        say(&mut stream, "GET page:1", "_\r\n").await;
        talk(&mut writer, "SET page:1 a EX 10 -> OK").await;
        let told = until(&mut stream, "page:1\r\n").await;
        assert!(told.starts_with(">2\r\n$10\r\ninvalidate\r\n"), "{told}");
        say(&mut stream, "HGETALL job:h", "%0\r\n").await;
        say(&mut stream, "SUBSCRIBE news", ":1\r\n").await;
        say(&mut stream, "GET job:1", "_\r\n").await;
        talk(&mut writer, "PUBLISH news hello -> 1").await;
        assert_eq!(
            until(&mut stream, "hello\r\n").await,
            ">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n"
        );
        say(&mut stream, "UNSUBSCRIBE", ":0\r\n").await;
        say(&mut stream, "SET x 1", "+OK\r\n").await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn monitoring_shows_the_requests_of_others() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let mut writer = front.connect().await;
        let mut stream = TcpStream::connect(("127.0.0.1", front.port)).await.unwrap();
        say(&mut stream, "MONITOR", "+OK\r\n").await;
        talk(&mut writer, "SET job:1 shown -> OK").await;
        let line = until(&mut stream, "\"shown\"\r\n").await;
        assert!(line.contains("\"SET\" \"job:1\""), "{line}");
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn subscriptions_are_counted_as_the_program_knows_them() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let mut told = front.connect().await;
        talk(
            &mut told,
            "SUBSCRIBE news -> [subscribe news 1]
             PSUBSCRIBE n* -> [psubscribe n* 2]
             SUBSCRIBE __keyevent@0__:del -> [subscribe __keyevent@0__:del 3]
             SUBSCRIBE more -> [subscribe more 4]
             UNSUBSCRIBE __keyevent@0__:del -> [unsubscribe __keyevent@0__:del 3]
             UNSUBSCRIBE news -> [unsubscribe news 2]
             PUNSUBSCRIBE n* -> [punsubscribe n* 1]
             UNSUBSCRIBE more -> [unsubscribe more 0]
             GET x -> (nil)",
        )
        .await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_transaction_is_answered_before_it_is_told_what_it_has_changed() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        for _ in 0..50 {
            let mut program = TcpStream::connect(("127.0.0.1", front.port)).await.unwrap();
            say(&mut program, "HELLO 3", "modules\r\n*0\r\n").await;
            say(&mut program, "CLIENT TRACKING ON", "+OK\r\n").await;
            say(&mut program, "SET job:1 1", "+OK\r\n").await;
            say(&mut program, "GET job:1", "\r\n1\r\n").await;
            say(&mut program, "MULTI", "+OK\r\n").await;
            say(&mut program, "INCR job:1", "+QUEUED\r\n").await;
            let told = say(&mut program, "EXEC", "job:1\r\n").await;
            assert_eq!(told, "*1\r\n:2\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$5\r\njob:1\r\n");
        }
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_replica_is_given_the_stream_of_the_server() {
    run_test(async {
        let server = TestRedis::builder().config("repl-diskless-sync-delay", "0").start().await;
        let front = Front::of(&map(&server.url(), "allow = [\"sync\"]", "")).await;
        let mut writer = front.connect().await;
        // A request before it, so that the connection has a past.
        let mut replica = TcpStream::connect(("127.0.0.1", front.port)).await.unwrap();
        say(&mut replica, "PING", "+PONG\r\n").await;
        say(&mut replica, "SYNC", "REDIS0").await;
        talk(&mut writer, "SET job:1 written -> OK").await;
        until(&mut replica, "written\r\n").await;
        talk(&mut writer, "SET page:1 again EX 100 -> OK").await;
        until(&mut replica, "again\r\n").await;
        front.stop().await;
    });
}
