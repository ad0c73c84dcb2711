//! Slots that move from node to node, key by key, while programs write.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use compartment_testkit::{RespConnection, SlotMove, TestCluster, eventually, run_test};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{alone, connect, key_of_each, pipeline, prefixed};
use crate::fixture::{Front, ask, shown, talk};

/// Slots of each master that move, and keys in each.
const SLOTS: usize = 4;
const KEYS: usize = 3;
/// Requests of a writer in one write.
const AT_ONCE: usize = 16;

/// Counts up in a pipeline until it is told to stop; each reply has to be the next number.
async fn count_up(port: u16, key: String, stop: Arc<AtomicBool>) -> i64 {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("*2\r\n$4\r\nINCR\r\n${}\r\n{key}\r\n", key.len()).repeat(AT_ONCE);
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        stream.write_all(request.as_bytes()).await.unwrap();
        for _ in 0..AT_ONCE {
            count += 1;
            let wanted = format!(":{count}\r\n");
            let mut reply = vec![0; wanted.len()];
            stream.read_exact(&mut reply).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&reply), wanted, "{key}");
        }
    }
    count
}

#[test]
#[ignore = "needs redis-server"]
fn every_increment_counts_once_while_slots_move_key_by_key() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let front = Front::of(&alone(&cluster, "")).await;
        // Several keys in each slot that moves, of which some have gone and others have not.
        let mut keys = Vec::new();
        for slot in 0..SLOTS {
            for key in key_of_each(&cluster, &format!("n{slot}:")).await {
                keys.extend((0..KEYS).map(|number| format!("{{{key}}}:{number}")));
            }
        }
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = keys
            .iter()
            .map(|key| tokio::spawn(count_up(front.port, key.clone(), Arc::clone(&stop))))
            .collect();
        for key in keys.iter().step_by(KEYS) {
            let (home, slot) = cluster.home_of(key).await;
            cluster.move_slots(home, (home + 1) % 3, slot..=slot).await;
        }
        stop.store(true, Ordering::Relaxed);
        let mut program = connect(front.port).await;
        let mut total = 0;
        for (key, writer) in keys.iter().zip(writers) {
            let count = writer.await.unwrap();
            assert_eq!(shown(&ask(&mut program, &format!("GET {key}")).await), count.to_string());
            total += count;
        }
        assert!(total > 1000, "{total} in all");
        front.stop().await;
    });
}

/// Begins to move the slot of a key, and moves this key alone.
async fn begin_to_move<'a>(cluster: &'a TestCluster, key: &str) -> SlotMove<'a> {
    let (from, slot) = cluster.home_of(key).await;
    let moving = cluster.begin_move(from, (from + 1) % 3, slot).await;
    moving.key(key).await;
    moving
}

/// Moves what is left, and ends the move.
async fn end_to_move(moving: SlotMove<'_>) {
    while moving.keys(100).await {}
    moving.end().await;
}

#[test]
#[ignore = "needs redis-server"]
fn keys_of_a_slot_between_two_nodes_are_found_at_either() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let front = Front::of(&alone(&cluster, "")).await;
        let mut program = connect(front.port).await;
        talk(&mut program, "MSET {t}gone 1 {t}here 2 -> OK\nWATCH {t}gone -> OK\nUNWATCH -> OK")
            .await;
        let from = cluster.home_of("{t}gone").await.0;
        let moving = begin_to_move(&cluster, "{t}gone").await;
        talk(
            &mut program,
            "GET {t}gone -> 1\nGET {t}here -> 2\nINCR {t}gone -> 2\nINCR {t}new -> 1\n\
             EVAL return{redis.call('incr',KEYS[1])} 1 {t}gone -> [3]\n\
             MULTI -> OK\nINCR {t}gone -> QUEUED\nGET {t}gone -> QUEUED\nEXEC -> [4 4]\n\
             MULTI -> OK\nINCR {t}here -> QUEUED\nEXEC -> [3]\n\
             WATCH {t}gone -> OK\nMULTI -> OK\nINCR {t}gone -> QUEUED\nEXEC -> (nil)\n\
             LPUSH {t}list x -> 1\nBLPOP {t}list 1 -> [{t}list x]",
        )
        .await;
        // One of these is at each node: the request waits until the slot has moved, and so do those behind it.
        let both = {
            let port = front.port;
            let lines: Vec<String> =
                ["MSET {t}gone 7 {t}here 8", "GET {t}gone", "MGET {t}gone {t}here", "INCR {t}here"]
                    .map(str::to_owned)
                    .to_vec();
            tokio::spawn(async move { pipeline(port, &lines).await })
        };
        eventually("the request is told to come again", || async {
            let stats = cluster.command(from, &["INFO", "errorstats"]).await.text();
            stats.contains("errorstat_TRYAGAIN")
        })
        .await;
        end_to_move(moving).await;
        assert_eq!(
            both.await.unwrap(),
            "+OK\r\n$1\r\n7\r\n*2\r\n$1\r\n7\r\n$1\r\n8\r\n:9\r\n+OK\r\n"
        );
        talk(&mut program, "GET {t}gone -> 7\nDEL {t}gone {t}here {t}new -> 3").await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_write_and_its_life_follow_a_slot_together() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let front = Front::of(&prefixed(&cluster, "")).await;
        let mut program = connect(front.port).await;
        talk(&mut program, "LPUSH page:{t}1 a -> 1\nSET page:{t}2 a -> OK").await;
        let moving = begin_to_move(&cluster, "page:{t}1").await;
        talk(
            &mut program,
            "PERSIST page:{t}1 -> 1\nLPUSH page:{t}1 b -> 2\nTTL page:{t}1 -> 3600\nLPUSH page:{t}3 b -> 1\n\
             TTL page:{t}3 -> 3600",
        )
        .await;
        end_to_move(moving).await;
        talk(
            &mut program,
            "PERSIST page:{t}1 -> 1\nLPUSH page:{t}1 c -> 3\nTTL page:{t}1 -> 3600\n\
             MSET page:{t}2 x page:{u}2 y -> OK\nTTL page:{t}2 -> 3600\nTTL page:{u}2 -> 3600",
        )
        .await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn who_waits_for_an_element_waits_where_the_slot_goes() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let front = Front::of(&alone(&cluster, "")).await;
        let (mut waiting, mut other) = (connect(front.port).await, connect(front.port).await);
        let waits = tokio::spawn(async move {
            let reply = ask(&mut waiting, "BLPOP queue 0").await;
            (waiting, reply)
        });
        let (home, slot) = cluster.home_of("queue").await;
        let blocked = |node: usize| {
            let cluster = &cluster;
            async move {
                let info = cluster.command(node, &["INFO", "clients"]).await.text();
                info.contains("blocked_clients:1")
            }
        };
        eventually("somebody waits", || blocked(home)).await;
        let to = (home + 1) % 3;
        cluster.move_slots(home, to, slot..=slot).await;
        eventually("somebody waits at the other node", || blocked(to)).await;
        talk(&mut other, "LPUSH queue x -> 1").await;
        let (mut waiting, reply): (RespConnection, _) = waits.await.unwrap();
        assert_eq!(shown(&reply), "[queue x]");
        talk(&mut waiting, "LLEN queue -> 0").await;
        front.stop().await;
    });
}

/// Writes and reads two keys of a slot, alone and together, in a pipeline; each reply has to be as of its turn.
async fn read_own_writes(port: u16, tag: String, stop: Arc<AtomicBool>) -> u64 {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (one, other) = (format!("{{{tag}}}one"), format!("{{{tag}}}other"));
    let mut rounds = 0;
    while !stop.load(Ordering::Relaxed) {
        rounds += 1;
        let (mut bytes, mut wanted) = (Vec::new(), String::new());
        for step in 0..4 {
            let value = format!("{rounds}{step}");
            let length = value.len();
            let requests = [
                (format!("SET {one} x"), "+OK\r\n".to_owned()),
                (format!("MSET {one} {value} {other} {value}"), "+OK\r\n".to_owned()),
                (format!("GET {one}"), format!("${length}\r\n{value}\r\n")),
                (format!("SET {other} y"), "+OK\r\n".to_owned()),
                (
                    format!("MGET {one} {other}"),
                    format!("*2\r\n${length}\r\n{value}\r\n$1\r\ny\r\n"),
                ),
                (format!("DEL {other}"), ":1\r\n".to_owned()),
                (format!("GET {other}"), "$-1\r\n".to_owned()),
            ];
            for (request, reply) in requests {
                bytes.extend(request.into_bytes());
                bytes.extend(b"\r\n");
                wanted.push_str(&reply);
            }
        }
        stream.write_all(&bytes).await.unwrap();
        let mut reply = vec![0; wanted.len()];
        stream.read_exact(&mut reply).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&reply), wanted, "{tag}");
    }
    rounds
}

#[test]
#[ignore = "needs redis-server"]
fn a_program_reads_what_it_has_written_while_slots_move() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let front = Front::of(&alone(&cluster, "")).await;
        let mut tags = Vec::new();
        for slot in 0..SLOTS {
            tags.extend(key_of_each(&cluster, &format!("t{slot}:")).await);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = tags
            .iter()
            .map(|tag| tokio::spawn(read_own_writes(front.port, tag.clone(), Arc::clone(&stop))))
            .collect();
        for tag in &tags {
            let (home, slot) = cluster.home_of(tag).await;
            cluster.move_slots(home, (home + 1) % 3, slot..=slot).await;
        }
        stop.store(true, Ordering::Relaxed);
        let mut rounds = 0;
        for writer in writers {
            rounds += writer.await.unwrap();
        }
        assert!(rounds > 2 * tags.len() as u64, "{rounds} in all");
        front.stop().await;
    });
}
