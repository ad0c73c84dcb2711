//! Masters that are killed and come back, masters that take over, connections that are cut.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use compartment_testkit::{
    FaultProxy, RespConnection, ServerProgram, TestCluster, TestRedis, eventually, run_test,
};

use super::{alone, connect, key_of_each};
use crate::faults::rounds_while_cut;
use crate::fixture::{Front, ask, shown, talk};

/// Masters that keep what they have acknowledged, and serve their slots while others are away.
async fn lasting() -> TestCluster {
    let settings = ["appendonly yes", "appendfsync always", "cluster-require-full-coverage no"];
    TestCluster::start_on(&ServerProgram::usual(), &settings).await
}

/// Counts up until it is told to stop. Returns how many were acknowledged, and of how many that is not known.
async fn count_up(port: u16, key: String, stop: Arc<AtomicBool>) -> (i64, i64) {
    let (mut acknowledged, mut unknown, mut last) = (0, 0, 0);
    let mut program = connect(port).await;
    while !stop.load(Ordering::Relaxed) {
        match program.send(&["INCR", &key]).await {
            Ok(reply) if reply.is_error() => {
                let error = shown(&reply);
                let is_known =
                    ["!LOADING", "!CLUSTERDOWN"].iter().any(|one| error.starts_with(one));
                assert!(is_known, "{error}");
            }
            Ok(reply) => {
                let number = reply.integer().unwrap();
                assert!(number > last && number - last <= 1 + unknown, "{last}, then {number}");
                (acknowledged, last) = (acknowledged + 1, number);
            }
            Err(_) => {
                unknown += 1;
                program = connect(port).await;
            }
        }
    }
    (acknowledged, unknown)
}

#[test]
#[ignore = "needs redis-server"]
fn no_acknowledged_write_is_lost_with_a_master() {
    run_test(async {
        let mut cluster = lasting().await;
        let front = Front::of(&alone(&cluster, "")).await;
        let keys = key_of_each(&cluster, "n").await;
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = keys
            .iter()
            .map(|key| tokio::spawn(count_up(front.port, key.clone(), Arc::clone(&stop))))
            .collect();
        for kills in 1..=2 {
            eventually("the numbers grow", || async {
                let mut program = connect(front.port).await;
                let mut grow = true;
                for key in &keys {
                    let number = ask(&mut program, &format!("GET {key}")).await;
                    grow &= number.text().parse::<i64>().is_ok_and(|number| number > 50 * kills);
                }
                grow
            })
            .await;
            cluster.kill(0);
            let mut others = connect(front.port).await;
            // The others go on.
            for key in &keys[1..] {
                let before = ask(&mut others, &format!("GET {key}")).await.text();
                eventually("the number grows", || async {
                    let mut other = connect(front.port).await;
                    ask(&mut other, &format!("GET {key}")).await.text() != before
                })
                .await;
            }
            cluster.restart(0).await;
            eventually("the master is used again", || async {
                let mut program = connect(front.port).await;
                let reply = program.send(&["GET", &keys[0]]).await;
                reply.is_ok_and(|reply| !reply.is_error())
            })
            .await;
        }
        stop.store(true, Ordering::Relaxed);
        let mut program = connect(front.port).await;
        for (at, (key, writer)) in keys.iter().zip(writers).enumerate() {
            let (acknowledged, unknown) = writer.await.unwrap();
            let count: i64 = ask(&mut program, &format!("GET {key}")).await.text().parse().unwrap();
            assert!(count >= acknowledged && count <= acknowledged + unknown, "{count} of {key}");
            assert!(acknowledged > 10);
            assert!(at == 0 || unknown == 0, "{unknown} at a master that was never away");
        }
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_dead_master_takes_away_its_slots_only() {
    run_test(async {
        let mut cluster = lasting().await;
        let front = Front::of(&alone(&cluster, "")).await;
        let keys = key_of_each(&cluster, "k").await;
        let mut program = connect(front.port).await;
        for key in &keys {
            talk(&mut program, &format!("SET {key} x -> OK")).await;
        }
        let address = format!("primary (127.0.0.1:{})", cluster.ports()[0]);
        cluster.kill(0);
        eventually("the master is noticed to be away", || async {
            let mut program = connect(front.port).await;
            let told = program.send(&["GET", &keys[0]]).await;
            told.is_ok_and(|told| shown(&told).starts_with("!LOADING the server \"primary (127."))
        })
        .await;
        let mut program = connect(front.port).await;
        let [a, b, c] = [&keys[0], &keys[1], &keys[2]];
        talk(
            &mut program,
            &format!(
                "GET {b} -> x\nSET {c} y -> OK\nGET {a} -> !LOADING…\nMGET {b} {c} -> [x y]\nMGET {b} {a} -> !LOADING…\n\
                 PING -> PONG\nPUBLISH x y -> 0\nMULTI -> OK\nGET {b} -> QUEUED\nEXEC -> [x]\nDBSIZE -> !LOADING…"
            ),
        )
        .await;
        let away = || {
            let figures = front.handle.figures();
            let away = figures.servers.into_iter().filter(|one| one.is_away).map(|one| one.name);
            away.collect::<Vec<_>>()
        };
        assert_eq!(away(), [address]);
        cluster.restart(0).await;
        eventually("the master is used again", || async {
            let mut program = connect(front.port).await;
            program.send(&["GET", a]).await.is_ok_and(|told| shown(&told) == "x")
        })
        .await;
        eventually("nobody is away", || async { away().is_empty() }).await;
        front.stop().await;
    });
}

/// A replica of a master, which can take over.
async fn replica_of(cluster: &TestCluster, master: usize) -> TestRedis {
    let bus = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let replica = TestRedis::builder()
        .config("cluster-enabled", "yes")
        .config("cluster-port", &bus.to_string())
        .config("repl-diskless-sync-delay", "0")
        .start()
        .await;
    let reply = cluster.command(master, &["CONFIG", "GET", "cluster-port"]).await;
    let (port, bus) = (cluster.ports()[master].to_string(), reply.array()[1].text());
    replica.command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).await;
    let id = cluster.command(master, &["CLUSTER", "MYID"]).await.text();
    eventually("the replica has a master", || async {
        replica.command(&["CLUSTER", "REPLICATE", &id]).await.text() == "OK"
    })
    .await;
    eventually("the replica has everything", || async {
        replica.command(&["INFO", "replication"]).await.text().contains("master_link_status:up")
    })
    .await;
    eventually("every master knows the replica", || async {
        let mut known = true;
        for at in 0..3 {
            let nodes = cluster.command(at, &["CLUSTER", "NODES"]).await.text();
            known &= nodes.contains(&format!(":{}@", replica.plain_port()));
        }
        known
    })
    .await;
    replica
}

#[test]
#[ignore = "needs redis-server"]
fn a_master_that_takes_over_is_followed() {
    run_test(async {
        let mut cluster = lasting().await;
        let keys = key_of_each(&cluster, "k").await;
        let replica = replica_of(&cluster, 0).await;
        let front = Front::of(&alone(&cluster, "")).await;
        let (mut program, mut told) = (connect(front.port).await, connect(front.port).await);
        talk(&mut program, &format!("SET {} 1 -> OK", keys[0])).await;
        talk(&mut told, "PSUBSCRIBE __keyevent@0__:* -> [psubscribe __keyevent@0__:* 1]").await;
        assert_eq!(replica.command(&["CLUSTER", "FAILOVER", "TAKEOVER"]).await.text(), "OK");
        eventually("the new master counts", || async {
            let mut program = connect(front.port).await;
            ask(&mut program, &format!("INCR {}", keys[0])).await;
            replica.command(&["INFO", "commandstats"]).await.text().contains("cmdstat_incr:")
        })
        .await;
        // Who wants to know of every key begins anew, and is told of those of the new master too.
        assert!(told.send::<&str>(&[]).await.is_err());
        let mut told = connect(front.port).await;
        talk(&mut told, "PSUBSCRIBE __keyevent@0__:* -> [psubscribe __keyevent@0__:* 1]").await;
        replica.command(&["CONFIG", "SET", "notify-keyspace-events", "KEA"]).await;
        talk(&mut program, &format!("SET {} 7 -> OK", keys[0])).await;
        let message = shown(&told.send::<&str>(&[]).await.unwrap());
        assert_eq!(message, format!("[pmessage __keyevent@0__:* __keyevent@0__:set {}]", keys[0]));
        cluster.kill(0);
        talk(&mut program, &format!("INCR {} -> 8\nMGET {0} none -> [8 (nil)]", keys[0])).await;
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn no_answer_of_a_node_goes_to_another_question() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let mut proxies = Vec::new();
        for (master, port) in cluster.ports().into_iter().enumerate() {
            let proxy = FaultProxy::start(port).await;
            let port = proxy.port().to_string();
            cluster.command(master, &["CONFIG", "SET", "cluster-announce-port", &port]).await;
            proxies.push(proxy);
        }
        eventually("every node names the proxies", || async {
            let mut known = true;
            for master in 0..3 {
                let slots = shown(&cluster.command(master, &["CLUSTER", "SLOTS"]).await);
                known &= proxies.iter().all(|proxy| slots.contains(&proxy.port().to_string()));
            }
            known
        })
        .await;
        let front = Front::of(&alone(&cluster, "")).await;
        // The cuts are the fault; when they come is not what is tested.
        rounds_while_cut(front.port, 4_000, Duration::from_millis(10), proxies).await;
        front.stop().await;
    });
}

/// A front that begins while nothing answers its slots is of use later.
#[test]
#[ignore = "needs redis-server"]
fn a_cluster_that_is_away_is_looked_for() {
    run_test(async {
        let (mut cluster, server) = (lasting().await, TestRedis::start().await);
        let text = format!(
            "[instances.single]\nurl = \"{}\"\n[databases.rest]\nkind = \"durable\"\ninstance = \"single\"\nindex = 0\n\
             [[front.route]]\nto = \"rest\"\nkeys = [\"rest:*\"]\n",
            server.url()
        );
        let front =
            alone(&cluster, "").replace("[front]\n", "").replace("listen", "[front]\nlisten");
        for master in 0..3 {
            cluster.kill(master);
        }
        let front = Front::of(&format!("{front}{text}")).await;
        let mut program = connect(front.port).await;
        talk(&mut program, "SET rest:1 x -> OK\nGET k -> !CLUSTERDOWN no node…\nGET rest:1 -> x")
            .await;
        for master in 0..3 {
            cluster.restart(master).await;
        }
        eventually("the cluster is used", || async {
            let mut program: RespConnection = connect(front.port).await;
            program.send(&["SET", "k", "x"]).await.is_ok_and(|reply| reply.text() == "OK")
        })
        .await;
        front.stop().await;
    });
}
