//! The programs of `random_faults` on a real server that is slow, paused, killed or disconnected.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_cache::{Cache, CacheOptions};
use compartment_core::backend::Backend;
use compartment_core::{Contract, DatabaseKind, Instance};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::{FaultProxy, TestRedis, eventually};

use crate::harness::model::{Model, PROCESSES, for_seeds};
use crate::harness::policy;

/// Time-out of a request, shorter than the longer delay of the proxy.
const TIMEOUT: Duration = Duration::from_millis(80);
const OPEN_FOR: Duration = Duration::from_millis(200);
/// One in this many steps begins or ends a fault.
const FAULT_EVERY: usize = 80;

/// The state of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fine,
    Stopped,
    Killed,
}

/// The state of one process's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Fine,
    Refused,
    Slow,
}

struct World {
    server: TestRedis,
    state: State,
    ways: Vec<(FaultProxy, Way)>,
    model: Model,
}

async fn cache(url: &str) -> Cache {
    let mut config = RedisConfig::for_instance(&Instance::new(url).unwrap(), 1);
    config.connect_timeout = TIMEOUT;
    config.response_timeout = TIMEOUT * 2;
    config.retries = 1;
    let backend = RedisBackend::connect(config, &[2]).await.unwrap();
    let contract = Contract::new("cache", DatabaseKind::Cache).with_index(2);
    let options = CacheOptions::default()
        .policy(policy())
        .database_timeout(TIMEOUT)
        .breaker(2, OPEN_FOR)
        .pending_removals(6);
    Cache::open(&backend.open(contract).await.unwrap(), options).await.unwrap()
}

impl World {
    async fn new(seed: u64) -> Self {
        let server = TestRedis::start().await;
        let (mut caches, mut ways) = (Vec::new(), Vec::new());
        for _ in 0..PROCESSES {
            let proxy = FaultProxy::start(server.port()).await;
            caches.push(cache(&proxy.url()).await);
            ways.push((proxy, Way::Fine));
        }
        Self { server, state: State::Fine, ways, model: Model::new(caches, seed) }
    }

    async fn step(&mut self) {
        if self.model.random.below(FAULT_EVERY) == 0 {
            self.fault().await;
        } else {
            self.model.step().await;
        }
    }

    async fn fault(&mut self) {
        let random = &mut self.model.random;
        let (proxy, way) = &mut self.ways[random.below(PROCESSES)];
        match (random.below(6), *way, self.state) {
            // Data sent before may or may not have arrived.
            (0 | 1, ..) => proxy.cut(),
            (2, Way::Fine, _) => {
                proxy.refuse().await;
                proxy.cut();
                *way = Way::Refused;
            }
            (3, Way::Fine, _) => {
                let millis = [5, 2 * TIMEOUT.as_millis() as u64][random.below(2)];
                proxy.delay(Duration::from_millis(millis));
                *way = Way::Slow;
            }
            (2 | 3, ..) => {
                proxy.heal().await;
                *way = Way::Fine;
            }
            (4, _, State::Fine) => {
                self.server.pause();
                self.state = State::Stopped;
            }
            (_, _, State::Fine) => {
                self.server.kill();
                self.state = State::Killed;
            }
            _ => self.server_recovers().await,
        }
    }

    async fn server_recovers(&mut self) {
        match self.state {
            State::Fine => {}
            State::Stopped => self.server.resume(),
            State::Killed => self.server.restart().await,
        }
        self.state = State::Fine;
    }

    async fn check(&mut self) {
        self.server_recovers().await;
        for (proxy, way) in &mut self.ways {
            proxy.heal().await;
            *way = Way::Fine;
        }
        for process in 0..PROCESSES {
            eventually("a process recovers", || self.model.has_recovered(process)).await;
        }
        self.model.all_hear_all().await;
        self.model.check().await;
    }
}

/// 5 programs of 2,000 steps.
#[test]
#[ignore = "needs redis-server"]
fn on_a_real_server_nothing_is_served_from_before_its_last_invalidation() {
    for_seeds(0..5, |seed| async move {
        let mut world = World::new(seed).await;
        for step in 1..=2_000 {
            world.step().await;
            if step % 500 == 0 {
                world.check().await;
            }
        }
    });
}
