//! Random programs with random faults: after recovery no value older than its last invalidation is served.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_cache::Cache;
use compartment_core::Database;

use crate::harness::faults::Cut;
use crate::harness::model::{Model, PROCESSES, for_seeds};
use crate::harness::{Fleet, policy};

const OPEN_FOR: Duration = Duration::from_secs(2);

struct World {
    fleet: Fleet,
    cuts: Vec<Cut>,
    model: Model,
}

impl World {
    async fn new(seed: u64) -> Self {
        let fleet = Fleet::new().await;
        let (mut caches, mut cuts) = (Vec::new(), Vec::new());
        for _ in 0..PROCESSES {
            let (database, cut): (Database, Cut) = Cut::of(&fleet.database);
            let options = fleet
                .options()
                .policy(policy().stale_on_error(Duration::from_secs(30)).eager_refresh(0.8))
                .breaker(3, OPEN_FOR)
                .pending_removals(6);
            caches.push(Cache::open(&database, options).await.unwrap());
            cuts.push(cut);
        }
        Self { fleet, cuts, model: Model::new(caches, seed) }
    }

    async fn step(&mut self) {
        match self.model.random.below(20) {
            0..16 => self.model.step().await,
            16 => {
                let cut = &self.cuts[self.model.random.below(PROCESSES)];
                cut.set(!cut.is_cut());
            }
            17 => {
                let millis = self.model.random.below(20_000) as u64;
                self.fleet.clock.advance(Duration::from_millis(millis));
            }
            _ => {
                for _ in 0..self.model.random.below(5) {
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Connects all processes, waits until pending removals are delivered and messages have arrived, and checks.
    async fn check(&mut self) {
        self.cuts.iter().for_each(|cut| cut.set(false));
        for process in 0..PROCESSES {
            compartment_testkit::eventually("a process recovers", || {
                self.fleet.clock.advance(OPEN_FOR);
                self.model.has_recovered(process)
            })
            .await;
        }
        self.model.all_hear_all().await;
        self.model.check().await;
    }
}

/// 20 programs of 500 steps.
#[test]
fn after_recovery_nothing_is_served_from_before_its_last_invalidation() {
    for_seeds(0..20, |seed| async move {
        let mut world = World::new(seed).await;
        for step in 1..=500 {
            world.step().await;
            if step % 50 == 0 {
                world.check().await;
            }
        }
    });
}
