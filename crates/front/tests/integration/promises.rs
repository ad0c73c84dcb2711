//! Each promise of the front, against a real server.

use compartment_testkit::{TestRedis, run_test};

use crate::fixture::{Front, ask, map, shown, talk};

/// The names in a database of the server, sorted.
async fn names(server: &TestRedis, index: u32) -> String {
    let reply = server.command_in(index, &["KEYS", "*"]).await;
    let mut names: Vec<String> = reply.array().iter().map(|name| name.text()).collect();
    names.sort();
    names.join(" ")
}

#[test]
#[ignore = "needs redis-server"]
fn each_key_lives_in_its_database() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            "SET job:1 a -> OK
             SET page:1 b -> OK
             SET lock:1 c EX 10 -> OK
             SET other d -> OK
             HSET queue:mail:x f v -> 1
             GET job:1 -> a
             GET page:1 -> b
             GET other -> d
             SELECT 1 -> OK
             SET job:1 s -> OK
             GET job:1 -> s
             SELECT 2 -> !ERR DB index is out of range
             SELECT 0 -> OK
             GET job:1 -> a",
        )
        .await;
        for (index, wanted) in [
            (0, ""),
            (1, "job:1 queue:mail:x"),
            (2, "page:1"),
            (3, "lock:1"),
            (4, "job:1"),
            (5, "other"),
        ] {
            assert_eq!(names(&server, index).await, wanted, "index {index}");
        }
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_program_sees_one_database() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let mut program = front.connect().await;
        let mut wanted = Vec::new();
        for number in 0..300 {
            for head in ["job", "page", "lock", "x"] {
                let name = format!("{head}:{number}");
                assert_eq!(shown(&ask(&mut program, &format!("SET {name} 1 EX 1000")).await), "OK");
                wanted.push(name);
            }
        }
        talk(&mut program, "DBSIZE -> 1200").await;
        wanted.sort();
        let (mut found, mut cursor) = (Vec::new(), "0".to_owned());
        loop {
            let reply = ask(&mut program, &format!("SCAN {cursor} COUNT 50")).await;
            let [next, names] = reply.array() else { unreachable!("{reply:?}") };
            cursor = next.text();
            assert!(cursor.parse::<u64>().unwrap_or(u64::MAX) < 1 << 53);
            found.extend(names.array().iter().map(|name| name.text()));
            if cursor == "0" {
                break;
            }
        }
        found.sort();
        found.dedup();
        assert_eq!(found, wanted);
        let keys = ask(&mut program, "KEYS *1").await;
        assert_eq!(keys.array().len(), wanted.iter().filter(|name| name.ends_with('1')).count());
        let random = ask(&mut program, "RANDOMKEY").await.text();
        assert!(wanted.contains(&random));
        let info = ask(&mut program, "INFO keyspace").await.text();
        assert!(info.contains("db0:keys=1200,expires=1200"), "{info}");
        assert_eq!(info.matches("keys=").count(), 1);
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn commands_over_several_databases_are_split_and_put_together_in_order() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            "MSET job:1 a page:1 b x c lock:1 d -> OK
             MGET x job:1 none page:1 lock:1 job:1 -> [c a (nil) b d a]
             EXISTS x job:1 page:1 none -> 3
             TOUCH x page:1 -> 2
             DEL x job:1 none -> 2
             UNLINK page:1 lock:1 -> 2
             DBSIZE -> 0
             MGET job:1 page:1 -> [(nil) (nil)]",
        )
        .await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn commands_whose_keys_belong_together_are_one_step() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            "SADD job:s a b -> 2
             SADD page:s b c -> 2
             SINTER job:s page:s -> [b]
             SUNIONSTORE x job:s page:s -> 3
             SCARD x -> 3
             SINTERSTORE x job:s none -> 0
             EXISTS x -> 0
             RENAME job:s page:t -> OK
             RENAME job:s page:t -> !ERR no such key
             SCARD page:t -> 2
             RENAMENX page:t x -> 1
             SADD job:s 1 -> 1
             RENAMENX job:s x -> 0
             RPUSH job:l 1 2 3 -> 3
             LMOVE job:l page:l LEFT RIGHT -> 1
             LMOVE job:l page:l LEFT RIGHT -> 2
             LRANGE page:l 0 -1 -> [1 2]
             LRANGE job:l 0 -1 -> [3]
             LMOVE job:l page:l LEFT RIGHT -> 3
             EXISTS job:l -> 0
             LMPOP 2 job:l page:l LEFT -> [page:l [1]]
             COPY page:l x -> 0
             COPY page:l x REPLACE -> 1
             LRANGE x 0 -1 -> [2 3]
             SINTER x page:s -> !WRONGTYPE…
             KEYS compartment* -> []",
        )
        .await;
        for index in 0..6 {
            assert!(
                !names(&server, index).await.contains("compartment"),
                "no copy is left in {index}"
            );
        }
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn transactions_are_atomic_over_the_databases_of_a_server() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let (mut program, mut other) = (front.connect().await, front.connect().await);
        talk(
            &mut program,
            "MULTI -> OK
             SET job:1 a -> QUEUED
             SET x b -> QUEUED
             MGET job:1 page:1 x -> QUEUED
             INCR job:n -> QUEUED
             DBSIZE -> QUEUED
             EXEC -> [OK OK [a (nil) b] 1 3]
             GET job:1 -> a
             GET x -> b
             WATCH job:1 x -> OK
             GET x -> b
             GET job:1 -> a",
        )
        .await;
        talk(&mut other, "SET x changed -> OK").await;
        talk(
            &mut program,
            "MULTI -> OK
             SET job:1 never -> QUEUED
             EXEC -> (nil)
             GET job:1 -> a
             MULTI -> OK
             SET job:1 never -> QUEUED
             NOSUCH -> !ERR unknown command…
             EXEC -> !EXECABORT…
             GET job:1 -> a
             MULTI -> OK
             SET x y -> QUEUED
             DISCARD -> OK
             GET x -> changed
             EXEC -> !ERR EXEC without MULTI
             WATCH x -> OK
             UNWATCH -> OK
             MULTI -> OK
             SELECT 1 -> QUEUED
             SET x 1 -> QUEUED
             EXEC -> [OK OK]
             GET x -> 1
             SELECT 0 -> OK
             GET x -> changed
             MULTI -> OK
             LPUSH x 1 -> QUEUED
             SET job:1 z -> QUEUED
             EXEC -> [!WRONGTYPE Operation against a key holding the wrong kind of value OK]",
        )
        .await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn scripts_run_in_the_database_of_their_keys() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let mut program = front.connect().await;
        let set = "return redis.call('SET', KEYS[1], ARGV[1])";
        let send = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let reply = program.send(&send(vec!["EVAL", set, "1", "job:1", "v"])).await;
        assert_eq!(shown(&reply.unwrap_or(compartment_testkit::Reply::Nil)), "OK");
        talk(&mut program, "GET job:1 -> v").await;
        let both = "return #KEYS";
        let reply = program.send(&send(vec!["EVAL", both, "2", "job:1", "page:1"])).await;
        let told = shown(&reply.unwrap_or(compartment_testkit::Reply::Nil));
        assert!(told.contains("\"job:1\" is in \"jobs\", \"page:1\" is in \"cache\""), "{told}");
        assert!(told.contains("together = ["), "{told}");
        let reply = program.send(&send(vec!["EVAL", both, "2", "queue:a:x", "queue:a:y"])).await;
        assert_eq!(shown(&reply.unwrap_or(compartment_testkit::Reply::Nil)), "2");
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn blocking_commands_and_channels_are_as_without_it() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let (mut program, mut other) = (front.connect().await, front.connect().await);
        let waiting = tokio::spawn(async move {
            let reply = shown(&ask(&mut program, "BLPOP job:l job:m 5").await);
            talk(&mut program, "GET x -> (nil)").await;
            reply
        });
        compartment_testkit::eventually("the program waits", || async {
            server.command(&["INFO", "clients"]).await.text().contains("blocked_clients:1")
        })
        .await;
        talk(&mut other, "RPUSH job:m v -> 1").await;
        assert_eq!(waiting.await.unwrap_or_default(), "[job:m v]");
        let mut told = front.connect().await;
        talk(&mut told, "SUBSCRIBE news -> [subscribe news 1]").await;
        talk(&mut other, "PUBLISH news hello -> 1").await;
        talk(&mut told, "PING -> [message news hello]").await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_flush_empties_what_the_route_allows() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            "MSET job:1 a page:1 b x c -> OK
             FLUSHDB -> OK
             MGET job:1 page:1 x -> [a (nil) c]
             FLUSHALL -> !NOPERM FLUSHALL is refused by the front…
             SWAPDB 0 1 -> !NOPERM…
             CONFIG SET maxmemory 1 -> !NOPERM…
             SHUTDOWN -> !NOPERM…
             DEBUG SLEEP 1 -> !NOPERM…
             SELECT 1 -> OK
             SET x 1 -> OK",
        )
        .await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn foreign_writes_get_the_life_of_their_contract() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            "SET page:1 a -> OK
             HSET page:2 f v g w -> 2
             INCR page:3 -> 1
             MSET page:4 a page:5 b -> OK
             SET page:6 a EX 5 -> OK
             LPUSH lock:l a b -> 2
             SET page:7 a NX GET -> (nil)
             MULTI -> OK
             SADD page:8 a -> QUEUED
             EXEC -> [1]
             EXPIRE page:8 0 -> 1
             APPEND page:1 b -> 2
             SET page:1 x KEEPTTL -> OK
             HSET page:2 f -> !ERR wrong number of arguments…
             LPUSH page:2 f -> !WRONGTYPE…",
        )
        .await;
        for name in ["page:1", "page:2", "page:3", "page:4", "page:5", "page:7"] {
            let life = server.command_in(2, &["TTL", name]).await.integer();
            assert!(life.is_some_and(|life| (3_590..=3_600).contains(&life)), "{name}: {life:?}");
        }
        assert_eq!(server.command_in(2, &["TTL", "page:6"]).await.integer(), Some(5));
        assert!(
            server.command_in(3, &["TTL", "lock:l"]).await.integer().is_some_and(|life| life <= 30)
        );
        front.stop().await;

        let refusing = Front::of(&map(&server.url(), "contract = \"refuse\"", "")).await;
        let mut program = refusing.connect().await;
        talk(
            &mut program,
            "SET page:9 a -> !NOPERM…
             SET page:9 a EX 9 -> OK
             APPEND page:9 b -> 2
             SADD page:10 a -> !NOPERM the key \"page:10\" would have no life…
             DEL page:9 -> 1",
        )
        .await;
        refusing.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_living_database_is_separated_without_a_stop() {
    run_test(async {
        let server = TestRedis::start().await;
        server.command(&["MSET", "job:1", "old", "job:2", "old", "x", "stays"]).await;
        server.command(&["RPUSH", "job:l", "1", "2"]).await;
        let previous = "index = 1\nprevious = { index = 0, patterns = [\"job:*\"] }";
        let text = map(&server.url(), "", "").replace("index = 1", previous);
        let front = Front::of(&text).await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            "DBSIZE -> 4
             KEYS job:l -> [job:l]
             GET job:1 -> old
             APPEND job:2 er -> 5
             LPOP job:l -> 1
             BLPOP job:l 1 -> [job:l 2]
             EXISTS job:l -> 0
             MULTI -> OK
             GET job:2 -> QUEUED
             EXEC -> [older]
             DEL job:1 -> 1
             GET job:1 -> (nil)",
        )
        .await;
        assert_eq!(names(&server, 0).await, "x");
        assert_eq!(names(&server, 1).await, "job:2");
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn long_values_pass_through_without_being_held() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::before(&server).await;
        let (mut program, mut other) = (front.connect().await, front.connect().await);
        let long = vec![b'x'; 24 << 20];
        let reply = program.send(&[b"SET".as_slice(), b"job:long", &long, b"GET"]).await;
        assert_eq!(reply.map(|reply| shown(&reply)).ok().as_deref(), Some("(nil)"));
        talk(&mut program, "STRLEN job:long -> 25165824").await;
        let reply = program.send(&["GET", "job:long"]).await;
        assert!(reply.is_ok_and(|reply| reply.text().len() == long.len()));
        // In a database with a life, and where the keys are in several.
        let reply = program.send(&[b"SET".as_slice(), b"page:long", &long]).await;
        assert_eq!(reply.map(|reply| shown(&reply)).ok().as_deref(), Some("OK"));
        assert!(
            server
                .command_in(2, &["TTL", "page:long"])
                .await
                .integer()
                .is_some_and(|life| life > 3_590)
        );
        let reply = other.send(&[b"MSET".as_slice(), b"job:a", &long, b"x", b"1"]).await;
        assert_eq!(reply.map(|reply| shown(&reply)).ok().as_deref(), Some("OK"));
        talk(&mut other, "STRLEN job:a -> 25165824").await;
        front.stop().await;
    });
}
