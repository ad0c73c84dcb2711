//! A living database is separated while commands name keys of several databases.

use compartment_testkit::{Reply, TestRedis, run_test};

use crate::fixture::{Front, map, talk};

/// Jobs and pages come from index 0, where all keys were.
fn text(url: &str, other: &str) -> String {
    let moved = |text: &str, index: u32, pattern: &str| {
        let previous =
            format!("index = {index}\nprevious = {{ index = 0, patterns = [{pattern:?}] }}");
        text.replacen(&format!("index = {index}"), &previous, 1)
    };
    let text = map(url, "", other);
    moved(&moved(&text, 1, "job:*"), 2, "page:*").replacen("index = 5", "index = 0", 1)
}

/// The names at an index, sorted.
async fn names(server: &TestRedis, index: u32) -> String {
    let reply = server.command_in(index, &["KEYS", "*"]).await;
    let mut names: Vec<String> = reply.array().iter().map(Reply::text).collect();
    names.sort_unstable();
    names.join(" ")
}

#[test]
#[ignore = "needs redis-server"]
fn keys_of_several_databases_are_brought_before_the_command() {
    run_test(async {
        let server = TestRedis::start().await;
        for n in 1..=9 {
            server.command(&["SET", &format!("job:{n}"), &format!("old{n}")]).await;
            server.command(&["SET", &format!("page:{n}"), &format!("old{n}"), "EX", "500"]).await;
        }
        server.command(&["SADD", "job:s", "a", "b"]).await;
        server.command(&["SADD", "page:s", "b", "c"]).await;
        server.command(&["SADD", "s", "c"]).await;
        let front = Front::of(&text(&server.url(), "")).await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            "MGET job:1 page:1 nothing -> [old1 old1 (nil)]
             EXISTS job:2 page:2 s -> 3
             DEL job:2 page:2 -> 2
             MGET job:2 page:2 -> [(nil) (nil)]
             MSET job:3 new page:3 new x new -> OK
             MGET job:3 page:3 x -> [new new new]
             DEL job:3 -> 1
             GET job:3 -> (nil)
             RENAME job:4 page:4 -> OK
             GET page:4 -> old4
             GET job:4 -> (nil)
             COPY page:5 job:copy -> 1
             GET job:copy -> old5
             COPY job:6 page:6 -> 0
             GET page:6 -> old6
             SUNIONSTORE page:all job:s page:s s -> 3
             SCARD page:all -> 3
             MULTI -> OK
             MGET job:7 page:7 -> QUEUED
             RENAME page:8 job:8 -> QUEUED
             EXEC -> [[old7 old7] OK]
             GET job:8 -> old8",
        )
        .await;
        // What was overwritten or removed does not come back from index 0.
        assert_eq!(names(&server, 0).await, "job:5 job:9 page:9 s x");
        assert_eq!(names(&server, 1).await, "job:1 job:6 job:7 job:8 job:copy job:s");
        assert_eq!(
            names(&server, 2).await,
            "page:1 page:3 page:4 page:5 page:6 page:7 page:all page:s"
        );
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn keys_of_two_servers_are_brought_on_theirs() {
    run_test(async {
        let (server, second) = (TestRedis::start().await, TestRedis::start().await);
        server.command(&["MSET", "job:1", "old", "job:2", "old"]).await;
        let other = format!(
            "[instances.second]\nurl = \"{}\"\n[databases.away]\nkind = \"cache\"\ninstance = \"second\"\nindex = 7\n\
             default_ttl = \"1m\"\n[[front.route]]\nto = \"away\"\nkeys = [\"away:*\"]\n",
            second.url()
        );
        let text =
            text(&server.url(), &other).replace("kind = ", "instance = \"primary\"\nkind = ");
        let text = text.replace(
            "instance = \"primary\"\nkind = \"cache\"\ninstance = \"second\"",
            "kind = \"cache\"\ninstance = \"second\"",
        );
        let front = Front::of(&text).await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            "MGET job:1 away:1 -> [old (nil)]
             MSET job:2 new away:1 b -> OK
             MGET away:1 job:2 -> [b new]
             DEL job:1 job:2 away:2 -> 2
             EXISTS job:1 job:2 away:1 -> 1",
        )
        .await;
        assert_eq!(names(&server, 0).await, "");
        let life = second.command_in(7, &["TTL", "away:1"]).await.integer();
        assert!(life.is_some_and(|life| (50..=60).contains(&life)), "{life:?}");
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_write_into_several_databases_keeps_to_the_terms_of_each() {
    run_test(async {
        let server = TestRedis::start().await;
        let strict = "[[front.route]]\nname = \"strict\"\nto = \"cache\"\nkeys = [\"strict:*\"]\ncontract = \"refuse\"\n";
        let front = Front::of(&map(&server.url(), "", strict)).await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            "MSET job:1 a page:1 b -> OK
             RENAME job:1 page:2 -> OK
             SADD job:s a -> 1
             SUNIONSTORE page:s job:s -> 1
             MULTI -> OK
             MSET job:2 a page:3 b -> QUEUED
             EXEC -> [OK]
             MSET job:3 a strict:1 b -> !NOPERM the key \"strict:1\" would have no life…
             MGET job:3 strict:1 -> [(nil) (nil)]",
        )
        .await;
        for name in ["page:1", "page:2", "page:3", "page:s"] {
            let life = server.command_in(2, &["TTL", name]).await.integer();
            assert!(life.is_some_and(|life| (3_590..=3_600).contains(&life)), "{name}: {life:?}");
        }
        assert_eq!(server.command_in(1, &["TTL", "job:2"]).await.integer(), Some(-1));
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_watch_outlasts_what_is_brought() {
    run_test(async {
        let server = TestRedis::start().await;
        server.command(&["MSET", "job:1", "old", "page:1", "old", "job:2", "old"]).await;
        let front = Front::of(&text(&server.url(), "")).await;
        let (mut program, mut other) = (front.connect().await, front.connect().await);
        talk(
            &mut program,
            "WATCH job:w -> OK
             MGET job:1 page:1 -> [old old]
             RENAME job:2 page:2 -> OK",
        )
        .await;
        talk(&mut other, "SET job:w changed -> OK").await;
        talk(
            &mut program,
            "MULTI -> OK
             SET job:3 a -> QUEUED
             EXEC -> (nil)
             EXISTS job:3 page:2 -> 1",
        )
        .await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_is_flushed_does_not_come_back() {
    run_test(async {
        let server = TestRedis::start().await;
        for n in 0..3_000 {
            server.command(&["SET", &format!("page:{n}"), "old", "EX", "500"]).await;
        }
        server.command(&["MSET", "job:1", "old", "page:kept:1", "old", "x", "stays"]).await;
        // A pattern of the previous place is wider than the route that takes the keys.
        let kept =
            "[[front.route]]\nname = \"kept\"\nto = \"sessions\"\ntogether = [\"page:kept:*\"]\n";
        let front = Front::of(&text(&server.url(), kept)).await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            "GET page:1 -> old
             MULTI -> OK
             FLUSHDB -> !ERR FLUSHDB cannot be in a transaction while keys of \"cache\" move from index 0: send it alone
             DISCARD -> OK
             FLUSHDB -> OK
             MGET page:1 page:2 job:1 -> [(nil) (nil) old]",
        )
        .await;
        assert_eq!(names(&server, 0).await, "page:kept:1 x");
        assert_eq!(names(&server, 2).await, "");
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_name_that_is_no_text_is_brought_too() {
    run_test(async {
        let server = TestRedis::start().await;
        server.command(&[b"SET".as_slice(), b"job:\xff", b"old"]).await;
        let front = Front::of(&text(&server.url(), "")).await;
        let mut program = front.connect().await;
        let reply = program.send(&[b"GET".as_slice(), b"job:\xff"]).await;
        assert_eq!(reply.ok(), Some(Reply::Bytes(b"old".to_vec())));
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn every_way_of_asking_finds_a_key_that_has_not_moved() {
    run_test(async {
        let server = TestRedis::start().await;
        for n in 1..=20 {
            server.command(&["SET", &format!("job:{n}"), &format!("{n}")]).await;
            server.command(&["RPUSH", &format!("job:l{n}"), "a", "b"]).await;
        }
        server.command(&["XADD", "job:x", "1-1", "f", "v"]).await;
        let front = Front::of(&text(&server.url(), "")).await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            "WATCH job:1 -> OK
             GET job:1 -> 1
             MULTI -> OK
             SET job:1 new -> QUEUED
             EXEC -> [OK]
             WATCH job:2 page:2 -> OK
             MULTI -> OK
             INCR job:2 -> QUEUED
             EXEC -> [3]
             BRPOPLPUSH job:l1 job:l2 1 -> b
             LLEN job:l2 -> 3
             BLMPOP 1 2 job:none job:l3 LEFT -> [job:l3 [a]]
             LMOVE job:l4 page:l LEFT RIGHT -> a
             XREAD COUNT 1 STREAMS job:x 0 -> [[job:x [[1-1 [f v]]]]]
             SORT job:l5 ALPHA DESC STORE job:sorted -> 2
             RENAMENX job:3 job:4 -> 0
             RENAME job:5 job:6 -> OK
             GET job:6 -> 5
             OBJECT ENCODING job:7 -> int
             MEMORY USAGE job:none -> (nil)
             TYPE job:8 -> string
             DUMP job:none -> (nil)
             SETRANGE job:9 1 x -> 2
             MOVE job:10 0 -> !ERR…
             MSETNX job:11 a job:none2 b -> 0
             LCS job:12 job:13 -> 1",
        )
        .await;
        let script = b"return {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])}";
        let words = [b"EVAL".as_slice(), script, b"2", b"job:14", b"job:15"];
        let reply = program.send(&words).await.unwrap();
        assert_eq!(reply.text(), "14\n15");
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_name_in_both_places_does_not_come_back_when_it_is_removed() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::of(&text(&server.url(), "")).await;
        let mut program = front.connect().await;
        for (at, command) in
            ["DEL job:1 -> 1", "UNLINK job:1 page:1 -> 1", "SET job:1 b EX 1000 -> OK"]
                .iter()
                .enumerate()
        {
            // A program that still asks the server itself has written the name again.
            talk(&mut program, "SET job:1 new -> OK").await;
            server.command(&["SET", "job:1", "old"]).await;
            talk(&mut program, command).await;
            let wanted =
                if at < 2 { "GET job:1 -> (nil)" } else { "GETDEL job:1 -> b\nGET job:1 -> (nil)" };
            talk(&mut program, wanted).await;
            assert_eq!(names(&server, 0).await, "");
        }
        front.stop().await;
    });
}
