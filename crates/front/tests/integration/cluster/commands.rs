//! Commands of one key, of several, and about all keys.

use std::collections::BTreeSet;

use compartment_testkit::{TestCluster, TestRedis, run_test};

use super::{alone, connect, key_of_each, pipeline, prefixed};
use crate::fixture::{Front, ask, shown, talk};

#[test]
#[ignore = "needs redis-server"]
fn keys_on_a_cluster_are_at_the_nodes_of_their_slots() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let front = Front::of(&alone(&cluster, "")).await;
        let mut program = connect(front.port).await;
        let mut lines = Vec::new();
        for number in 0..300 {
            lines.push(format!("SET job:{number} {number}"));
            lines.push(format!("GET job:{number}"));
        }
        let replies = pipeline(front.port, &lines).await;
        let mut wanted = String::new();
        for number in 0..300 {
            let text = number.to_string();
            wanted.push_str(&format!("+OK\r\n${}\r\n{text}\r\n", text.len()));
        }
        assert_eq!(replies, format!("{wanted}+OK\r\n"));
        let mut total = 0;
        for master in 0..3 {
            let count = cluster.command(master, &["DBSIZE"]).await.integer().unwrap();
            assert!(count > 50, "{count} at {master}");
            total += count;
        }
        assert_eq!(total, 300);
        talk(
            &mut program,
            "TYPE job:7 -> string\nAPPEND job:7 x -> 2\nEXPIRE job:7 100 -> 1\nTTL job:7 -> 100\n\
             LPUSH list a b -> 2\nLRANGE list 0 -1 -> [b a]\nPING -> PONG\nECHO x -> x\n\
             CLUSTER SLOTS -> !ERR This instance has cluster support disabled",
        )
        .await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn commands_over_several_nodes_are_split_and_others_are_refused() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let front = Front::of(&alone(&cluster, "")).await;
        let mut program = connect(front.port).await;
        let keys = key_of_each(&cluster, "k").await;
        let [a, b, c] = [&keys[0], &keys[1], &keys[2]];
        talk(
            &mut program,
            &format!(
                "MSET {a} 1 {b} 2 {c} 3 -> OK\n\
                 MGET {c} none {b} {a} {c} -> [3 (nil) 2 1 3]\n\
                 EXISTS {a} {b} {c} none {a} -> 4\n\
                 TOUCH {a} {b} none -> 2\n\
                 UNLINK {a} none -> 1\n\
                 DEL {a} {b} {c} -> 2\n\
                 DBSIZE -> 0\n\
                 SADD {a} x y -> 2\n\
                 SADD {{t}}1 x -> 1\n\
                 SADD {{t}}2 x -> 1\n\
                 SUNION {{t}}1 {{t}}2 -> [x]\n\
                 SUNIONSTORE {{t}}3 {{t}}1 {{t}}2 -> 1\n\
                 MGET {{t}}none {{t}}other -> [(nil) (nil)]\n\
                 SUNION {a} {b} -> !CROSSSLOT the keys of SUNION are in several slots of the cluster: \"{a}\" is in \
                 slot…\n\
                 RENAME {a} {b} -> !CROSSSLOT…\n\
                 BLPOP {a} {b} 1 -> !CROSSSLOT…\n\
                 EVAL return{{KEYS[1]}} 1 {a} -> [{a}]\n\
                 EVAL return{{1}} 2 {a} {b} -> !CROSSSLOT…\n\
                 EVAL return{{1}} 0 -> [1]"
            ),
        )
        .await;
        let error = shown(&ask(&mut program, &format!("SUNION {a} {b}")).await);
        let ports = cluster.ports();
        assert!(error.contains(&format!("at 127.0.0.1:{}", ports[0])), "{error}");
        assert!(error.contains(&format!("at 127.0.0.1:{}", ports[1])), "{error}");
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_program_sees_one_database_on_all_nodes() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let front = Front::of(&alone(&cluster, "")).await;
        let mut program = connect(front.port).await;
        assert_eq!(shown(&ask(&mut program, "RANDOMKEY").await), "(nil)");
        let mut names = BTreeSet::new();
        for number in 0..500 {
            let name = format!("k{number}");
            ask(&mut program, &format!("SET {name} 1 EX 1000")).await;
            names.insert(name);
        }
        assert_eq!(shown(&ask(&mut program, "DBSIZE").await), "500");
        let (mut found, mut cursor) = (BTreeSet::new(), "0".to_owned());
        loop {
            let reply = ask(&mut program, &format!("SCAN {cursor} COUNT 20 MATCH k*")).await;
            let parts = reply.array();
            found.extend(parts[1].array().iter().map(|name| name.text()));
            cursor = parts[0].text();
            assert!(cursor.parse::<u64>().unwrap() < 1 << 53);
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(found, names);
        let listed = ask(&mut program, "KEYS k*").await;
        let listed: BTreeSet<String> = listed.array().iter().map(|name| name.text()).collect();
        assert_eq!(listed, names);
        assert!(names.contains(&ask(&mut program, "RANDOMKEY").await.text()));
        let info = ask(&mut program, "INFO").await.text();
        assert!(info.contains("\r\ndb0:keys=500,expires=500,"), "{info}");
        assert!(info.contains("redis_mode:standalone"), "{info}");
        assert!(info.contains("cluster_enabled:0"), "{info}");
        talk(
            &mut program,
            "FLUSHDB -> !NOPERM FLUSHDB is refused by the front…\nFLUSHALL -> !NOPERM…",
        )
        .await;
        front.stop().await;
        let front = Front::of(&alone(&cluster, "flush = [\"all\"]\n")).await;
        let mut program = connect(front.port).await;
        talk(
            &mut program,
            "MULTI -> OK\nFLUSHDB -> !ERR FLUSHDB cannot be in a transaction: the database \"all\" is on several…\n\
             EXEC -> !EXECABORT Transaction discarded because of previous errors.\n\
             DBSIZE -> 500\nFLUSHDB -> OK\nDBSIZE -> 0",
        )
        .await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn ordinary_commands_answer_as_a_single_server_does() {
    run_test(async {
        let (cluster, server) = (TestCluster::start().await, TestRedis::start().await);
        let front = Front::of(&alone(&cluster, "")).await;
        let mut through = connect(front.port).await;
        let mut direct = connect(server.plain_port()).await;
        for line in include_str!("ordinary.txt").lines().filter(|line| !line.is_empty()) {
            let (one, other) = (ask(&mut through, line).await, ask(&mut direct, line).await);
            assert_eq!(shown(&one), shown(&other), "{line}");
        }
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn databases_on_a_cluster_are_told_apart_by_prefixes() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let front = Front::of(&prefixed(&cluster, "")).await;
        let mut program = connect(front.port).await;
        talk(
            &mut program,
            "MSET job:1 1 page:1 2 job:2 3 page:2 4 -> OK\nMGET page:2 job:1 page:1 job:2 -> [4 1 2 3]\n\
             TTL page:1 -> 3600\nTTL job:1 -> -1\nSET page:3 x -> OK\nTTL page:3 -> 3600\nLPUSH page:4 x -> 1\n\
             TTL page:4 -> 3600\nSET other x -> !ERR no route takes the key \"other\"…\n\
             SMOVE job:1 page:1 x -> !CROSSSLOT the keys of SMOVE are in several databases…\nDBSIZE -> 6",
        )
        .await;
        let figures = front.handle.figures();
        let written: Vec<(String, u64)> =
            figures.databases.iter().map(|(name, one)| (name.clone(), one.without_life)).collect();
        assert_eq!(written, [("cache".to_owned(), 4), ("jobs".to_owned(), 0)]);
        front.stop().await;
    });
}
