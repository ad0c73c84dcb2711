//! Lifetimes of foreign writes by route and rule, and scripts that name no key.

use compartment_testkit::{TestRedis, run_test};

use crate::fixture::{Front, map, shown, talk};

/// Routes of databases whose keys need a lifetime, one of them without a lifetime to give.
const MORE: &str = r#"
[databases.limits]
kind = "coordination"
index = 6

[[front.route]]
to = "limits"
keys = ["limit:*"]

[[front.route]]
name = "strict"
to = "limits"
keys = ["strict:*"]
contract = "refuse"

[[front.route]]
name = "seen"
to = "cache"
keys = ["seen:*"]
contract = "observe"

[[front.route]]
name = "exact"
to = "cache"
keys = ["exact:*"]
contract = "refuse"

[keys.document]
template = "doc:{id}"
database = "cache"
ttl = "5m"
"#;

#[test]
#[ignore = "needs redis-server"]
fn a_key_gets_the_lifetime_of_its_rule_by_the_terms_of_its_route() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::of(&map(&server.url(), "", MORE)).await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            "SET doc:1 a -> OK
             HSET doc:2 f v -> 1
             SET page:1 a -> OK
             INCR limit:1 -> 1
             SET seen:1 a -> OK
             SET strict:1 a -> !NOPERM the key \"strict:1\" would have no life…
             SET strict:1 a EX 9 -> OK
             APPEND strict:1 b -> 2
             SET strict:1 a -> !NOPERM…
             MSET strict:1 a strict:2 b -> !NOPERM…
             GETSET strict:1 a -> !NOPERM…
             SET strict:1 c KEEPTTL -> OK
             SET exact:1 a -> !NOPERM…",
        )
        .await;
        for (index, name, lives) in [
            (2, "doc:1", 290..=300),
            (2, "doc:2", 290..=300),
            (2, "page:1", 3_590..=3_600),
            // There is no lifetime to give, and a program that sets it by a second command goes on.
            (6, "limit:1", -1..=-1),
            (2, "seen:1", -1..=-1),
            (6, "strict:1", 1..=9),
            (2, "exact:1", -2..=-2),
        ] {
            let life = server.command_in(index, &["TTL", name]).await.integer();
            assert!(life.is_some_and(|life| lives.contains(&life)), "{name}: {life:?}");
        }
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn long_values_are_held_to_the_terms_of_their_route_too() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::of(&map(&server.url(), "", MORE)).await;
        let mut program = front.connect().await;
        let long = vec![b'x'; 4 << 20];
        for (name, reply, lives) in [
            ("doc:long", "OK", 290..=300),
            ("limit:long", "OK", -1..=-1),
            ("seen:long", "OK", -1..=-1),
            ("exact:long", "!NOPERM the key \"exact:long\" would have no life", -2..=-2),
        ] {
            let got = program.send(&[b"SET".as_slice(), name.as_bytes(), &long]).await;
            let got = got.map(|reply| shown(&reply)).unwrap_or_default();
            assert!(got.starts_with(reply), "{name}: {got}");
            let index = if name.starts_with("limit") { 6 } else { 2 };
            let life = server.command_in(index, &["TTL", name]).await.integer();
            assert!(life.is_some_and(|life| lives.contains(&life)), "{name}: {life:?}");
        }
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_script_without_keys_runs_in_the_database_of_its_route() {
    run_test(async {
        let server = TestRedis::start().await;
        // The SHA-1 of `return redis.call('DBSIZE')`.
        let sha = server.command(&["SCRIPT", "LOAD", "return redis.call('DBSIZE')"]).await.text();
        let scripts =
            format!("[[front.route]]\nname = \"counts\"\nto = \"jobs\"\nscripts = [\"{sha}\"]\n");
        let front = Front::of(&map(&server.url(), "", &scripts)).await;
        let mut program = front.connect().await;
        talk(&mut program, "MSET job:1 a job:2 b -> OK").await;
        let counts = [b"EVAL".as_slice(), b"return redis.call('DBSIZE')", b"0"];
        assert_eq!(program.send(&counts).await.ok().and_then(|reply| reply.integer()), Some(2));
        let capitals = sha.to_uppercase();
        for sha in [&sha, &capitals] {
            talk(&mut program, &format!("EVALSHA {sha} 0 -> 2")).await;
        }
        let other = [b"EVAL".as_slice(), b"return redis.call('DBSIZE') + 0", b"0"];
        assert_eq!(program.send(&other).await.ok().and_then(|reply| reply.integer()), Some(0));
        front.stop().await;
    });
}
