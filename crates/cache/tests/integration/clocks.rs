//! Clocks that differ or are set: no value lives longer because of them, and no wait takes longer.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::time::Duration;

use compartment_cache::{BreakerState, Cache, CachePolicy};
use compartment_core::{Clock, ManualClock, Timestamp};

use crate::harness::faults::Cut;
use crate::harness::{Fleet, Source, TTL, key, policy, read, read_failing, until};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// A time before or after `clock`'s, by this duration.
fn shifted(clock: &ManualClock, by: Duration, ahead: bool) -> Timestamp {
    let now = clock.now();
    if ahead {
        now.after(by)
    } else {
        Timestamp::from_micros(now.as_micros() - u64::try_from(by.as_micros()).unwrap())
    }
}

/// A process with a wall clock that is off by a day; its time passes only when advanced.
async fn process_of_another_day(fleet: &Fleet, policy: CachePolicy, ahead: bool) -> Cache {
    let clock = ManualClock::starting_at(shifted(&fleet.clock, DAY, ahead));
    let options = fleet.options().clock(Arc::new(clock)).policy(policy);
    Cache::open(&fleet.database, options).await.unwrap()
}

async fn value(cache: &Cache, id: &str) -> Option<String> {
    cache.get(&key(id)).await.unwrap().map(|value| (*value).clone())
}

#[tokio::test]
async fn a_value_of_a_clock_that_is_a_day_away_lives_its_ttl_and_no_longer() {
    for ahead in [true, false] {
        for stale in [Duration::ZERO, DAY] {
            let fleet = Fleet::new().await;
            let policy = policy().stale_on_error(stale);
            let other = process_of_another_day(&fleet, policy.clone(), ahead).await;
            let _ = other.set(&key("a"), "old".to_owned()).await.unwrap();
            fleet.clock.advance(TTL / 2);
            let reader = fleet.cache(policy).await;
            let found = value(&reader, "a").await;
            if ahead {
                assert_eq!(found.as_deref(), Some("old"), "its age is what the server says");
            }
            fleet.clock.advance(TTL / 2);
            assert_eq!(value(&reader, "a").await, None, "{ahead} {stale:?}: half of it was over");
            fleet.clock.advance(TTL);
            assert_eq!(value(&reader, "a").await, None);
        }
    }
}

#[tokio::test]
async fn a_wall_clock_that_is_set_changes_no_life_in_the_process() {
    for ahead in [true, false] {
        let fleet = Fleet::new().await;
        let (cache, source) = (fleet.cache(policy()).await, Source::open());
        read(&cache, "a", &source).await.unwrap();
        fleet.clock.advance(TTL / 2);
        fleet.clock.set(shifted(&fleet.clock, HOUR, ahead));
        assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 1", "ahead: {ahead}");
        fleet.clock.advance(TTL / 2 - Duration::from_millis(1));
        assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 1");
        fleet.clock.advance(Duration::from_millis(1));
        assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 2", "ahead: {ahead}");
    }
}

/// The memory database uses the wall clock, as a server uses its own; if set back, it keeps the entry.
#[tokio::test]
async fn a_wall_clock_that_is_set_back_lets_no_value_be_read_again_after_its_life() {
    let fleet = Fleet::new().await;
    let (cache, source) = (fleet.cache(policy()).await, Source::open());
    read(&cache, "a", &source).await.unwrap();
    // By the reader's clock the entry is from the future; the server reports the time left.
    let reader = process_of_another_day(&fleet, policy(), false).await;
    assert_eq!(read(&reader, "a", &source).await.unwrap(), "value 1");
    fleet.clock.advance(TTL);
    let reader = process_of_another_day(&fleet, policy(), false).await;
    assert_eq!(read(&reader, "a", &source).await.unwrap(), "value 2");
}

#[tokio::test]
async fn the_lease_of_another_clock_is_waited_for_no_longer_than_a_lease() {
    let fleet = Fleet::new().await;
    let lease = Duration::from_secs(3);
    let policy = policy().lease(lease);
    let other = process_of_another_day(&fleet, policy.clone(), true).await;
    let stuck = Source::closed();
    // Its clock does not move, so it does not renew its lease, which by its own account ends tomorrow.
    let loading = tokio::spawn({
        let stuck = stuck.clone();
        async move { read(&other, "a", &stuck).await }
    });
    until("it loads", || stuck.calls() == 1).await;
    // The entry lives as long as its lease on the server; this keeps it longer.
    let store = fleet.database.key_value();
    store.expire("doc:a", DAY.into()).await.unwrap();
    let (cache, source) = (fleet.cache(policy).await, Source::open());
    let waiting = tokio::spawn({
        let source = source.clone();
        async move { read(&cache, "a", &source).await }
    });
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    fleet.clock.advance(lease - Duration::from_millis(1));
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished(), "the lease is held");
    fleet.clock.set(Timestamp::from_millis(1_000));
    fleet.clock.advance(Duration::from_millis(1));
    assert_eq!(waiting.await.unwrap().unwrap(), "value 1");
    loading.abort();
}

#[tokio::test]
async fn waits_end_by_the_monotonic_clock_though_the_wall_clock_is_set_back() {
    let fleet = Fleet::new().await;
    let (database, cut) = Cut::of(&fleet.database);
    let limits = policy()
        .stale_on_error(HOUR)
        .soft_timeout(Duration::from_millis(200))
        .hard_timeout(Duration::from_secs(2));
    let open_for = Duration::from_secs(5);
    let options = fleet.options().policy(limits).breaker(2, open_for);
    let cache = Cache::open(&database, options).await.unwrap();
    let back = || fleet.clock.set(Timestamp::from_millis(5_000_000));
    // The hard time-out.
    let stuck = Source::closed();
    let reading = |id: &'static str| {
        let (cache, stuck) = (cache.clone(), stuck.clone());
        tokio::spawn(async move { read(&cache, id, &stuck).await })
    };
    let hangs = reading("hangs");
    until("it loads", || stuck.calls() == 1).await;
    back();
    fleet.clock.advance(Duration::from_secs(2));
    assert!(hangs.await.unwrap().unwrap_err().to_string().contains("hard time-out"));
    // The soft time-out.
    let source = Source::open();
    read(&cache, "a", &source).await.unwrap();
    fleet.clock.advance(TTL);
    let stale = reading("a");
    until("it loads", || stuck.calls() == 2).await;
    back();
    fleet.clock.advance(Duration::from_millis(200));
    assert_eq!(stale.await.unwrap().unwrap(), "value 1");
    // An expired value is served up to its limit, not longer.
    fleet.clock.advance(HOUR - TTL);
    let _ = read_failing(&cache, "a", &source).await;
    fleet.clock.advance(TTL * 2);
    assert!(read_failing(&cache, "a", &source).await.is_err());
    // The breaker.
    cut.set(true);
    until("it is open", || {
        let _ = futures_util::FutureExt::now_or_never(cache.get(&key("b")));
        cache.metrics().breaker == BreakerState::Open
    })
    .await;
    cut.set(false);
    back();
    fleet.clock.advance(open_for);
    until("it is closed", || {
        let _ = futures_util::FutureExt::now_or_never(cache.get(&key("b")));
        cache.metrics().breaker == BreakerState::Closed
    })
    .await;
}
