//! What belongs to a connection: transactions, waiting, channels, notifications.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::collections::BTreeSet;

use compartment_testkit::{RespConnection, TestCluster, run_test};

use super::{alone, connect, key_of_each, pipeline};
use crate::fixture::{Front, ask, shown, talk};

#[test]
#[ignore = "needs redis-server"]
fn a_transaction_is_of_one_slot() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let front = Front::of(&alone(&cluster, "")).await;
        let (mut program, mut other) = (connect(front.port).await, connect(front.port).await);
        let keys = key_of_each(&cluster, "k").await;
        for key in &keys {
            talk(
                &mut program,
                &format!(
                    "MULTI -> OK\nPING -> QUEUED\nSET {key} 1 -> QUEUED\nINCR {key} -> QUEUED\n\
                     MGET {key} {key} -> QUEUED\nEXEC -> [PONG OK 2 [2 2]]\n\
                     MULTI -> OK\nINCR {key} -> QUEUED\nLPUSH {key} x -> QUEUED\n\
                     EXEC -> [3 !WRONGTYPE Operation against a key holding the wrong kind of value]\n\
                     MULTI -> OK\nINCR {key} -> QUEUED\nDISCARD -> OK\nGET {key} -> 3\n\
                     WATCH {key} -> OK\nGET {key} -> 3\nMULTI -> OK\nINCR {key} -> QUEUED\nEXEC -> [4]\n\
                     WATCH {key} -> OK"
                ),
            )
            .await;
            talk(&mut other, &format!("INCR {key} -> 5")).await;
            talk(
                &mut program,
                &format!("MULTI -> OK\nSET {key} 1 -> QUEUED\nEXEC -> (nil)\nGET {key} -> 5"),
            )
            .await;
        }
        let [a, b, _] = [&keys[0], &keys[1], &keys[2]];
        talk(
            &mut program,
            &format!(
                "MULTI -> OK\nSET {a} 9 -> QUEUED\nSET {b} 9 -> !CROSSSLOT the keys of the transaction are in several…\n\
                 EXEC -> !EXECABORT Transaction discarded because of previous errors.\nGET {a} -> 5\n\
                 MULTI -> OK\nNONE -> !ERR unknown command 'NONE'\nEXEC -> !EXECABORT…\n\
                 MULTI -> OK\nGET -> !ERR wrong number of arguments for 'get' command\nEXEC -> !EXECABORT…\n\
                 MULTI -> OK\nMULTI -> !ERR MULTI calls can not be nested\nWATCH x -> !ERR WATCH inside…\nEXEC -> []\n\
                 MULTI -> OK\nPING -> QUEUED\nEXEC -> [PONG]\nMULTI -> OK\nEXEC -> []\n\
                 MULTI -> OK\nDBSIZE -> !ERR a command about all keys cannot be in a transaction…\nDISCARD -> OK\n\
                 WATCH {a} -> OK\nMULTI -> OK\nSET {b} 7 -> QUEUED\nEXEC -> (nil)\nGET {b} -> 5\n\
                 EXEC -> !ERR EXEC without MULTI\nDISCARD -> !ERR DISCARD without MULTI"
            ),
        )
        .await;
        // All at once.
        let lines: Vec<String> =
            ["MULTI", "SET x 1", "INCR x", "EXEC", "GET x"].map(str::to_owned).to_vec();
        assert_eq!(
            pipeline(front.port, &lines).await,
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:2\r\n$1\r\n2\r\n+OK\r\n"
        );
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn scripts_are_stored_at_every_node() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let front = Front::of(&alone(&cluster, "")).await;
        let mut program = connect(front.port).await;
        let sha = shown(&ask(&mut program, "SCRIPT LOAD return{KEYS[1]}").await);
        for key in key_of_each(&cluster, "k").await {
            talk(&mut program, &format!("EVALSHA {sha} 1 {key} -> [{key}]")).await;
        }
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn elements_are_waited_for_at_the_node_of_their_key() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let front = Front::of(&alone(&cluster, "")).await;
        for key in key_of_each(&cluster, "list").await {
            let mut waiting = connect(front.port).await;
            let waits = tokio::spawn({
                let key = key.clone();
                async move { shown(&ask(&mut waiting, &format!("BLPOP {key} 0")).await) }
            });
            let mut other = connect(front.port).await;
            ask(&mut other, &format!("LPUSH {key} x")).await;
            assert_eq!(waits.await.unwrap(), format!("[{key} x]"));
            talk(&mut other, &format!("BLPOP {key} 0.01 -> (nil)\nXADD s{key} 1-1 f v -> 1-1"))
                .await;
            let read = ask(&mut other, &format!("XREAD BLOCK 10 STREAMS s{key} 0")).await;
            assert_eq!(shown(&read), format!("[[s{key} [[1-1 [f v]]]]]"));
        }
        front.stop().await;
    });
}

/// The next message. An empty request has no reply.
async fn next(connection: &mut RespConnection) -> String {
    shown(&connection.send::<&str>(&[]).await.unwrap())
}

#[test]
#[ignore = "needs redis-server"]
fn messages_reach_everybody_and_those_of_shards_their_node() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let front = Front::of(&alone(&cluster, "")).await;
        let mut other = connect(front.port).await;
        let mut program = connect(front.port).await;
        talk(
            &mut program,
            "SUBSCRIBE news -> [subscribe news 1]\nPSUBSCRIBE n* -> [psubscribe n* 2]",
        )
        .await;
        talk(&mut other, "PUBLISH news x -> 2").await;
        assert_eq!(next(&mut program).await, "[message news x]");
        assert_eq!(next(&mut program).await, "[pmessage n* news x]");
        // Whoever publishes at another node.
        cluster.command(2, &["PUBLISH", "news", "y"]).await;
        assert_eq!(next(&mut program).await, "[message news y]");
        for channel in key_of_each(&cluster, "shard").await {
            let mut program = connect(front.port).await;
            talk(&mut program, &format!("SSUBSCRIBE {channel} -> [ssubscribe {channel} 1]")).await;
            talk(&mut other, &format!("SPUBLISH {channel} x -> 1")).await;
            assert_eq!(next(&mut program).await, format!("[smessage {channel} x]"));
            talk(
                &mut program,
                &format!("SUNSUBSCRIBE {channel} -> [sunsubscribe {channel} 0]\nPING -> PONG"),
            )
            .await;
        }
        let channels = key_of_each(&cluster, "shard").await;
        let mut program = connect(front.port).await;
        talk(
            &mut program,
            &format!(
                "SSUBSCRIBE {0} -> [ssubscribe {0} 1]\nSSUBSCRIBE {1} -> !ERR the subscriptions of this connection \
                 are at primary…",
                channels[0], channels[1]
            ),
        )
        .await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn notifications_come_from_every_node() {
    run_test(async {
        let cluster = TestCluster::start().await;
        for master in 0..3 {
            cluster.command(master, &["CONFIG", "SET", "notify-keyspace-events", "KEA"]).await;
        }
        let front = Front::of(&alone(&cluster, "")).await;
        let keys = key_of_each(&cluster, "k").await;
        let mut other = connect(front.port).await;
        let (mut one, mut all) = (connect(front.port).await, connect(front.port).await);
        talk(
            &mut all,
            "PSUBSCRIBE __keyevent@0__:* -> [psubscribe __keyevent@0__:* 1]\nSUBSCRIBE news -> [subscribe news 2]",
        )
        .await;
        let channel = format!("__keyspace@0__:{}", keys[2]);
        talk(&mut one, &format!("SUBSCRIBE {channel} -> [subscribe {channel} 1]")).await;
        let mut wanted = BTreeSet::new();
        for key in &keys {
            talk(&mut other, &format!("SET {key} 1 -> OK")).await;
            wanted.insert(format!("[pmessage __keyevent@0__:* __keyevent@0__:set {key}]"));
        }
        let mut found = BTreeSet::new();
        for _ in &keys {
            found.insert(next(&mut all).await);
        }
        assert_eq!(found, wanted);
        assert_eq!(next(&mut one).await, format!("[message {channel} set]"));
        // A message comes once, although several nodes have the subscription.
        talk(&mut other, "PUBLISH news x -> 1\nPUBLISH news y -> 1").await;
        assert_eq!(next(&mut all).await, "[message news x]");
        assert_eq!(next(&mut all).await, "[message news y]");
        talk(
            &mut all,
            "PUNSUBSCRIBE -> [punsubscribe __keyevent@0__:* 1]\nUNSUBSCRIBE -> [unsubscribe news 0]",
        )
        .await;
        for key in &keys {
            talk(&mut other, &format!("DEL {key} -> 1")).await;
        }
        talk(&mut all, "GET none -> (nil)").await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_a_connection_is_stays_its_own() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let front = Front::of(&alone(&cluster, "")).await;
        let mut program = connect(front.port).await;
        let keys = key_of_each(&cluster, "k").await;
        talk(
            &mut program,
            "CLIENT SETNAME me -> OK\nCLIENT GETNAME -> me\nSELECT 0 -> OK\nSELECT 1 -> !ERR DB index is out of range\n\
             CLIENT TRACKING ON -> !ERR CLIENT TRACKING needs all databases of the program on one server, which…\n\
             WAIT 0 0 -> 0",
        )
        .await;
        let id = ask(&mut program, "CLIENT ID").await.integer();
        assert!(id.is_some_and(|id| id > 0));
        // A connection that the server knows is in nobody's way.
        for key in &keys {
            talk(
                &mut program,
                &format!(
                    "SET {key} x -> OK\nGET {key} -> x\nWATCH {key} -> OK\nMULTI -> OK\nSET {key} y -> QUEUED\n\
                     EXEC -> [OK]\nLPUSH l{key} x -> 1\nBLPOP l{key} 1 -> [l{key} x]\nCLIENT GETNAME -> me"
                ),
            )
            .await;
        }
        assert_eq!(ask(&mut program, "CLIENT ID").await.integer(), id);
        talk(&mut program, "RESET -> RESET\nCLIENT GETNAME -> (nil)").await;
        front.stop().await;
    });
}
