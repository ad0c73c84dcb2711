//! The Redis backend on servers for a single test, with a clock moved by tests.

#![expect(clippy::unwrap_used, reason = "test support: a failure here is a failed test")]

use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::backend::{Backend, Capabilities};
use compartment_core::{Contract, Database, Instance, ManualClock, Result, SystemClock};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::{Harness, TestCluster, TestRedis, TestSentinel};

/// The servers of a harness.
pub(crate) enum Servers {
    Single(TestRedis),
    Sentinel(TestSentinel),
    Cluster(SharedCluster),
}

/// A cluster takes seconds to start, so the tests of a process use it in turn. Waiting tests keep it alive; the last
/// one ends it.
pub(crate) struct SharedCluster {
    cluster: Arc<TestCluster>,
    _turn: tokio::sync::OwnedMutexGuard<()>,
}

impl std::ops::Deref for SharedCluster {
    type Target = TestCluster;

    fn deref(&self) -> &TestCluster {
        &self.cluster
    }
}

static CLUSTER: tokio::sync::Mutex<Weak<TestCluster>> = tokio::sync::Mutex::const_new(Weak::new());
static TURN: LazyLock<Arc<tokio::sync::Mutex<()>>> = LazyLock::new(Arc::default);

async fn shared_cluster() -> SharedCluster {
    let mut known = CLUSTER.lock().await;
    let cluster = match known.upgrade() {
        Some(cluster) => cluster,
        None => {
            let cluster = Arc::new(TestCluster::start().await);
            *known = Arc::downgrade(&cluster);
            cluster
        }
    };
    drop(known);
    let turn = Arc::clone(&TURN).lock_owned().await;
    SharedCluster { cluster, _turn: turn }
}

pub(crate) struct RedisHarness {
    pub(crate) backend: RedisBackend,
    pub(crate) servers: Servers,
    clock: ManualClock,
}

/// Settings that fail quickly, for tests about failures.
pub(crate) fn config(url: &str) -> RedisConfig {
    let mut config = RedisConfig::for_instance(&Instance::new(url).unwrap(), 1);
    config.max_connections = 1_000;
    config
}

pub(crate) async fn connect(url: &str) -> Result<RedisBackend> {
    RedisBackend::connect(config(url), &[0, 1]).await
}

impl RedisHarness {
    pub(crate) async fn start() -> Self {
        Self::on(Servers::Single(TestRedis::start().await)).await
    }

    pub(crate) async fn cluster() -> Self {
        let harness = Self::on(Servers::Cluster(shared_cluster().await)).await;
        harness.flush().await;
        harness
    }

    pub(crate) async fn sentinel() -> Self {
        Self::on(Servers::Sentinel(TestSentinel::start().await)).await
    }

    pub(crate) async fn on(servers: Servers) -> Self {
        let url = match &servers {
            Servers::Single(server) => server.url(),
            Servers::Sentinel(servers) => servers.url(),
            Servers::Cluster(servers) => servers.url(),
        };
        // The suite starts at the current time, since a lock's key uses the server's time.
        let clock = ManualClock::starting_at(compartment_core::Clock::now(&SystemClock));
        let mut config = config(&url);
        config.clock = Some(Arc::new(clock.clone()));
        let backend = RedisBackend::connect(config, &[0, 1, 2]).await.unwrap();
        Self { backend, servers, clock }
    }

    pub(crate) async fn flush(&self) {
        match &self.servers {
            Servers::Single(server) => drop(server.command(&["FLUSHALL"]).await),
            Servers::Sentinel(servers) => drop(servers.command(&["FLUSHALL"]).await),
            Servers::Cluster(servers) => {
                for master in 0..servers.ports().len() {
                    servers.command(master, &["FLUSHALL"]).await;
                }
            }
        }
    }
}

#[async_trait]
impl Harness for RedisHarness {
    async fn open(&self, contract: Contract) -> Database {
        self.backend.open(contract).await.unwrap()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        match &self.servers {
            Servers::Single(server) => server.pass_time(by).await,
            Servers::Sentinel(servers) => servers.pass_time(by).await,
            Servers::Cluster(servers) => servers.pass_time(by).await,
        }
    }

    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    fn clock(&self) -> ManualClock {
        self.clock.clone()
    }
}
