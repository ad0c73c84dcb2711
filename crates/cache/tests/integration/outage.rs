//! Outages of the database or of messages: values served meanwhile, and removals delivered afterwards.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_cache::{BreakerState, Cache, CachePolicy, Delivery, Stored};
use compartment_core::{Database, KeyValueStoreExt};

use crate::harness::faults::Cut;
use crate::harness::{Fleet, Source, TTL, key, policy, read, read_failing, until};

const OPEN_FOR: Duration = Duration::from_secs(2);

async fn value(cache: &Cache, id: &str) -> Option<String> {
    cache.get(&key(id)).await.unwrap().map(|value| (*value).clone())
}

/// A process that can be disconnected.
async fn process(fleet: &Fleet, policy: CachePolicy) -> (Cache, Cut) {
    let (database, cut): (Database, Cut) = Cut::of(&fleet.database);
    let options = fleet.options().policy(policy).breaker(3, OPEN_FOR).pending_removals(20);
    (Cache::open(&database, options).await.unwrap(), cut)
}

async fn cut_off(cache: &Cache, cut: &Cut) {
    cut.set(true);
    until("the loss is noticed", || !cache.metrics().trusted).await;
}

async fn join(fleet: &Fleet, cache: &Cache, cut: &Cut) {
    cut.set(false);
    fleet.clock.advance(OPEN_FOR);
    until("news arrives again", || cache.metrics().trusted).await;
}

#[tokio::test]
async fn a_dead_database_is_left_alone_and_no_read_with_a_loader_fails() {
    let fleet = Fleet::new().await;
    let (cache, cut) = process(&fleet, policy()).await;
    cut_off(&cache, &cut).await;
    let source = Source::open();
    for id in 0..10 {
        assert!(read(&cache, &format!("{id}"), &source).await.is_ok());
    }
    assert_eq!(cache.metrics().breaker, BreakerState::Open);
    let requests = cut.requests();
    for id in 10..1_000 {
        assert!(read(&cache, &format!("{id}"), &source).await.is_ok());
    }
    assert_eq!(cut.requests(), requests, "not one of them asked");
    // After the pause a single request tests the database.
    fleet.clock.advance(OPEN_FOR);
    for id in 0..10 {
        assert_eq!(value(&cache, &format!("x{id}")).await, None);
    }
    assert_eq!(cut.requests(), requests + 1);
    join(&fleet, &cache, &cut).await;
    assert_eq!(value(&cache, "a").await, None);
    assert_eq!(cache.metrics().breaker, BreakerState::Closed);
    let before = source.calls();
    read(&cache, "a", &source).await.unwrap();
    read(&fleet.cache(policy()).await, "a", &source).await.unwrap();
    assert_eq!(source.calls(), before + 1, "kept in the database again");
}

/// Without messages a value is served for a second at most, since it could be old.
#[tokio::test]
async fn the_first_tier_is_distrusted_until_news_arrives_again() {
    let fleet = Fleet::new().await;
    let (first, cut) = process(&fleet, policy()).await;
    let second = fleet.cache(policy()).await;
    let source = Source::open();
    read(&first, "a", &source).await.unwrap();
    cut_off(&first, &cut).await;
    assert_eq!(second.set(&key("a"), "new".to_owned()).await.unwrap(), Stored::Stored);
    // The database is unreachable, so it loads: values from before the loss are not served.
    assert_eq!(read(&first, "a", &source).await.unwrap(), "value 2");
    fleet.clock.advance(Duration::from_millis(999));
    assert_eq!(read(&first, "a", &source).await.unwrap(), "value 2", "within the blind TTL");
    fleet.clock.advance(Duration::from_millis(1));
    assert_eq!(read(&first, "a", &source).await.unwrap(), "value 3");
    join(&fleet, &first, &cut).await;
    assert_eq!(read(&first, "a", &source).await.unwrap(), "new");
    assert_eq!(first.metrics().distrusted, 1);
}

#[tokio::test]
async fn what_may_be_old_is_served_when_nothing_better_can_be_had() {
    let fleet = Fleet::new().await;
    let (cache, cut) = process(&fleet, policy().stale_on_error(TTL)).await;
    let (source, none) = (Source::open(), process(&fleet, policy()).await);
    read(&cache, "a", &source).await.unwrap();
    read(&none.0, "a", &source).await.unwrap();
    cut_off(&cache, &cut).await;
    cut_off(&none.0, &none.1).await;
    assert_eq!(value(&cache, "a").await.as_deref(), Some("value 1"));
    assert_eq!(read_failing(&cache, "a", &source).await.unwrap(), "value 1");
    // A process never serves keys that it has invalidated.
    read(&cache, "b", &source).await.unwrap();
    assert_eq!(cache.remove(&key("a")).await.unwrap(), Delivery::Pending);
    assert_eq!(value(&cache, "a").await, None);
    assert!(read_failing(&cache, "a", &source).await.is_err());
    fleet.clock.advance(TTL * 2);
    assert!(read_failing(&cache, "b", &source).await.is_err(), "beyond the limit");
}

#[tokio::test]
async fn removals_are_delivered_before_any_old_value_is_served() {
    let fleet = Fleet::new().await;
    let (cache, cut) = process(&fleet, policy()).await;
    let other = fleet.cache(policy()).await;
    let document = cache.of_document("d").tagged("t");
    let source = Source::open();
    for id in ["removed", "set", "kept"] {
        let _ = cache.set(&key(id), "old".to_owned()).await.unwrap();
    }
    let _ = document.set(&key("of d"), "old".to_owned()).await.unwrap();
    cut_off(&cache, &cut).await;
    assert_eq!(cache.remove(&key("removed")).await.unwrap(), Delivery::Pending);
    assert_eq!(cache.set(&key("set"), "new".to_owned()).await.unwrap(), Stored::Pending);
    assert_eq!(cache.invalidate_document("d").await, Delivery::Pending);
    assert_eq!(cache.metrics().pending_removals, 3);
    assert_eq!(value(&other, "removed").await.as_deref(), Some("old"), "it cannot know yet");
    join(&fleet, &cache, &cut).await;
    assert_eq!(value(&cache, "removed").await, None);
    assert_eq!(cache.metrics().pending_removals, 0);
    assert_eq!(read(&document, "of d", &source).await.unwrap(), "value 1");
    assert_eq!(value(&cache, "kept").await.as_deref(), Some("old"));
    compartment_testkit::eventually("the other is told", || async {
        value(&other, "removed").await.is_none() && value(&other, "set").await.is_none()
    })
    .await;
    assert_eq!(value(&other, "kept").await.as_deref(), Some("old"));
}

#[tokio::test]
async fn beyond_the_bound_of_pending_removals_everything_is_invalidated() {
    let fleet = Fleet::new().await;
    let (cache, cut) = process(&fleet, policy()).await;
    let source = Source::open();
    for id in 0..40 {
        read(&cache, &format!("{id}"), &source).await.unwrap();
    }
    cut_off(&cache, &cut).await;
    for id in 0..30 {
        assert_eq!(cache.remove(&key(&format!("{id}"))).await.unwrap(), Delivery::Pending);
    }
    assert!(cache.metrics().pending_removals <= 20);
    join(&fleet, &cache, &cut).await;
    for id in 0..40 {
        assert_eq!(value(&cache, &format!("{id}")).await, None, "{id}");
    }
    assert_eq!(fleet.cache(policy()).await.get(&key("35")).await.unwrap(), None);
    let keys = fleet.database.key_value().keys("doc:*").await.unwrap();
    assert!(!keys.is_empty(), "one write, and not a walk over all keys");
}

#[tokio::test]
async fn a_cache_is_opened_while_its_database_is_away() {
    let fleet = Fleet::new().await;
    let (database, cut) = Cut::of(&fleet.database);
    cut.set(true);
    let cache = Cache::open(&database, fleet.options()).await.unwrap();
    let source = Source::open();
    assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 1");
    cut.set(false);
    compartment_testkit::eventually("it listens", || async {
        fleet.clock.advance(OPEN_FOR);
        tokio::task::yield_now().await;
        cache.metrics().trusted
    })
    .await;
}
