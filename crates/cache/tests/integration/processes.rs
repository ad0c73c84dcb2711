//! Caches in separate processes: they share one load, and do not wait for a dead process.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use compartment_cache::{Cache, CacheOptions};
use compartment_core::backend::Backend;
use compartment_core::{Contract, DatabaseKind, Instance};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::{Reply, RespConnection, TestRedis, eventually, run_test};

use crate::harness::{key, policy};

const PROCESSES: usize = 4;
/// Concurrent reads of each process.
const READS: usize = 250;
const ROUNDS: usize = 5;
/// How long others wait for a loader that stopped responding.
const LEASE: Duration = Duration::from_secs(2);
/// Additional time for a busy machine.
const SLACK: Duration = Duration::from_secs(5);
/// The database in which processes report to the test, beside the cache's.
const WITNESS: &str = "3";

/// Environment variables with instructions for a process.
const ROLE: &str = "TEST_ROLE";
const PORT: &str = "TEST_PORT";
const ID: &str = "TEST_ID";

/// A process of the fleet; killed when dropped.
struct Process(Child);

impl Process {
    fn start(role: &str, server: &TestRedis, id: &str) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "processes::process", "--ignored", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(PORT, server.port().to_string())
            .env(ID, id)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    async fn succeeds(mut self) {
        eventually("the process ends", || {
            let ended = self.0.try_wait().unwrap();
            assert!(ended.is_none_or(|status| status.success()), "{ended:?}");
            async move { ended.is_some() }
        })
        .await;
    }

    /// Kills the process, like `kill -9`.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn told(server: &TestRedis, name: &str) -> i64 {
    let count = server.command_in(3, &["GET", name]).await;
    count.text().parse().unwrap_or(0)
}

/// The body of a process, not a test.
#[test]
#[ignore = "started by the tests below as a process of its own"]
fn process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    run_test(async move {
        let port = std::env::var(PORT).unwrap().parse().unwrap();
        let id = std::env::var(ID).unwrap();
        match role.as_str() {
            "reader" => read_at_once(port, &id).await,
            "loads forever" => load_forever(port, &id).await,
            _ => wait_for_a_load(port, &id).await,
        }
    });
}

async fn tell(port: u16, command: &[&str]) -> Reply {
    let mut connection = RespConnection::open(port).await.unwrap();
    connection.send(&["SELECT", WITNESS]).await.unwrap();
    connection.send(command).await.unwrap()
}

async fn open(port: u16) -> Cache {
    let url = format!("redis://127.0.0.1:{port}");
    let config = RedisConfig::for_instance(&Instance::new(&url).unwrap(), 1);
    let backend = RedisBackend::connect(config, &[2]).await.unwrap();
    let contract = Contract::new("cache", DatabaseKind::Cache).with_index(2);
    // No time-out may occur here, even on a busy machine.
    let options = CacheOptions::default().database_timeout(SLACK).policy(policy().lease(LEASE));
    Cache::open(&backend.open(contract).await.unwrap(), options).await.unwrap()
}

/// A load that is counted, and ends when the test permits it.
async fn counted(port: u16, id: String) -> Result<String, std::io::Error> {
    let count = tell(port, &["INCR", &format!("loads:{id}")]).await.text();
    eventually("the test lets the load end", || async {
        tell(port, &["EXISTS", &format!("go:{id}")]).await.integer() == Some(1)
    })
    .await;
    Ok(format!("load {count}"))
}

async fn read_at_once(port: u16, id: &str) {
    let cache = open(port).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let mut reads = Vec::new();
    for _ in 0..READS {
        let (cache, id, begun) = (cache.clone(), id.to_owned(), Arc::clone(&begun));
        reads.push(tokio::spawn(async move {
            begun.fetch_add(1, Ordering::SeqCst);
            let key = key(&id);
            cache.get_or_load(&key, move || counted(port, id)).await
        }));
    }
    eventually("all reads have begun", || async { begun.load(Ordering::SeqCst) == READS }).await;
    tell(port, &["INCR", &format!("ready:{id}")]).await;
    for read in reads {
        assert_eq!(*read.await.unwrap().unwrap(), "load 1");
    }
}

async fn load_forever(port: u16, id: &str) {
    let cache = open(port).await;
    let key = key(id);
    let name = format!("loads:{id}");
    let load = move || async move {
        tell(port, &["INCR", &name]).await;
        std::future::pending::<Result<String, std::io::Error>>().await
    };
    let _ = cache.get_or_load(&key, load).await;
}

async fn wait_for_a_load(port: u16, id: &str) {
    let cache = open(port).await;
    tell(port, &["INCR", &format!("ready:{id}")]).await;
    let name = id.to_owned();
    let value = cache.get_or_load(&key(id), move || counted(port, name)).await.unwrap();
    tell(port, &["SET", &format!("value:{id}"), &value]).await;
}

#[test]
#[ignore = "needs redis-server"]
fn a_thousand_misses_in_four_processes_are_exactly_one_load() {
    run_test(async {
        let server = TestRedis::start().await;
        for round in 0..ROUNDS {
            let id = round.to_string();
            let start = |_| Process::start("reader", &server, &id);
            let processes: Vec<Process> = (0..PROCESSES).map(start).collect();
            eventually("all have asked", || async {
                told(&server, &format!("ready:{id}")).await == PROCESSES as i64
                    && told(&server, &format!("loads:{id}")).await > 0
            })
            .await;
            server.command_in(3, &["SET", &format!("go:{id}"), "1"]).await;
            for process in processes {
                process.succeeds().await;
            }
            assert_eq!(told(&server, &format!("loads:{id}")).await, 1, "round {round}");
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn when_the_loading_process_is_killed_another_loads_within_the_lease() {
    run_test(async {
        let server = TestRedis::start().await;
        server.command_in(3, &["SET", "go:a", "1"]).await;
        let mut loading = Process::start("loads forever", &server, "a");
        eventually("it loads", || async { told(&server, "loads:a").await == 1 }).await;
        let waiting = Process::start("waits", &server, "a");
        eventually("another wants it", || async { told(&server, "ready:a").await == 1 }).await;
        assert_eq!(told(&server, "loads:a").await, 1, "while it lives it alone loads");
        loading.kill();
        let killed = Instant::now();
        waiting.succeeds().await;
        let took = killed.elapsed();
        assert!(took < LEASE + SLACK, "{took:?}");
        assert_eq!(server.command_in(3, &["GET", "value:a"]).await.text(), "load 2");
        assert_eq!(told(&server, "loads:a").await, 2);
    });
}
