//! Leases whose requests have an unknown outcome: kept while needed, then given back.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_cache::{Cache, CachePolicy, LoadError};
use tokio::task::JoinHandle;

use crate::harness::faults::Cut;
use crate::harness::{Fleet, Source, key, policy, read, read_failing, until};

const LEASE: Duration = Duration::from_secs(3);
/// Longer than any test here takes, so that waiting for it would be noticed.
const LONG_LEASE: Duration = Duration::from_secs(3_600);
/// Time-out of a request to the database.
const TIMEOUT: Duration = Duration::from_millis(500);
/// Real time limit for work that must not depend on the clock.
const PATIENCE: Duration = Duration::from_secs(5);

/// Two processes; the first has a connection with faults.
struct World {
    fleet: Fleet,
    one: Cache,
    cut: Cut,
    other: Cache,
}

impl World {
    async fn new(policy: CachePolicy) -> Self {
        let fleet = Fleet::new().await;
        let (database, cut) = Cut::of(&fleet.database);
        let options = fleet.options().policy(policy.clone()).database_timeout(TIMEOUT);
        let one = Cache::open(&database, options).await.unwrap();
        let other = fleet.cache(policy).await;
        Self { fleet, one, cut, other }
    }

    async fn pass(&self, time: Duration) {
        self.fleet.clock.advance(time);
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    /// Waits for this many swaps; the answer of the last is lost.
    async fn lose_an_answer(&self, swaps: u64) {
        until("it is executed", || self.cut.swaps() == swaps).await;
        self.pass(TIMEOUT).await;
        self.cut.hold_answers_of_swaps(false);
    }

    /// Checks that background work ends soon, and that the other process loads without waiting.
    async fn nobody_waits(&self) {
        compartment_testkit::eventually("nothing is left to do", || {
            self.fleet.clock.advance(Duration::from_millis(100));
            let left = self.one.metrics().pending_removals;
            async move { left == 0 }
        })
        .await;
        let source = Source::open();
        let loads = read(&self.other, "a", &source);
        let value = tokio::time::timeout(PATIENCE, loads).await;
        assert!(value.is_ok(), "it waits for a lease that nobody holds");
    }
}

fn reading(cache: &Cache, source: &Source) -> JoinHandle<Result<String, LoadError>> {
    let (cache, source) = (cache.clone(), source.clone());
    tokio::spawn(async move { read(&cache, "a", &source).await })
}

/// The lease is renewed during the load, although the outcome of one renewal is unknown.
async fn a_lease_outlives_a_lost_renewal(executed: bool) {
    let world = World::new(policy().lease(LEASE)).await;
    let (source, none) = (Source::closed(), Source::open());
    let loads = reading(&world.one, &source);
    until("it loads", || source.calls() == 1).await;
    let waits = reading(&world.other, &none);
    if executed {
        let swaps = world.cut.swaps();
        world.cut.hold_answers_of_swaps(true);
        world.pass(LEASE / 3).await;
        world.lose_an_answer(swaps + 1).await;
    } else {
        world.cut.set(true);
        world.pass(LEASE / 3).await;
        world.cut.set(false);
    }
    for _ in 0..10 {
        world.pass(LEASE / 3).await;
    }
    assert!(!waits.is_finished() && none.calls() == 0, "the lease is held");
    source.let_go(1);
    assert_eq!(loads.await.unwrap().unwrap(), "value 1");
    assert_eq!(waits.await.unwrap().unwrap(), "value 1");
    assert_eq!(none.calls(), 0, "its result has found its place");
}

#[tokio::test]
async fn a_renewal_that_was_executed_without_an_answer_loses_no_lease() {
    a_lease_outlives_a_lost_renewal(true).await;
}

#[tokio::test]
async fn a_renewal_that_did_not_arrive_loses_no_lease() {
    a_lease_outlives_a_lost_renewal(false).await;
}

#[tokio::test]
async fn a_result_finds_its_place_right_after_a_renewal_of_unknown_outcome() {
    let world = World::new(policy().lease(LEASE)).await;
    let source = Source::closed();
    let loads = reading(&world.one, &source);
    until("it loads", || source.calls() == 1).await;
    let swaps = world.cut.swaps();
    world.cut.hold_answers_of_swaps(true);
    world.pass(LEASE / 3).await;
    world.lose_an_answer(swaps + 1).await;
    source.let_go(1);
    assert_eq!(loads.await.unwrap().unwrap(), "value 1");
    let kept = world.other.get(&key("a")).await.unwrap();
    assert_eq!(kept.as_deref().map(String::as_str), Some("value 1"));
}

#[tokio::test]
async fn a_lease_whose_taking_had_no_answer_is_given_back() {
    let world = World::new(policy().lease(LONG_LEASE)).await;
    let source = Source::open();
    world.cut.hold_answers_of_swaps(true);
    let loads = reading(&world.one, &source);
    world.lose_an_answer(1).await;
    assert_eq!(loads.await.unwrap().unwrap(), "value 1");
    world.nobody_waits().await;
}

#[tokio::test]
async fn a_lease_whose_result_cannot_be_stored_is_given_back() {
    let world = World::new(policy().lease(LONG_LEASE)).await;
    let source = Source::closed();
    let loads = reading(&world.one, &source);
    until("it loads", || source.calls() == 1).await;
    world.cut.set(true);
    source.let_go(1);
    assert_eq!(loads.await.unwrap().unwrap(), "value 1");
    world.cut.set(false);
    world.nobody_waits().await;
}

#[tokio::test]
async fn a_lease_of_a_failed_load_is_given_back_though_the_database_was_away() {
    let world = World::new(policy().lease(LONG_LEASE)).await;
    let source = Source::closed();
    let loads = tokio::spawn({
        let (cache, source) = (world.one.clone(), source.clone());
        async move { read_failing(&cache, "a", &source).await }
    });
    until("it loads", || source.calls() == 1).await;
    world.cut.set(true);
    source.let_go(1);
    assert!(loads.await.unwrap().is_err());
    world.cut.set(false);
    world.nobody_waits().await;
}
