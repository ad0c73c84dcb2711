//! The contract of [`compartment_core::RateLimitStore`].

use std::time::Duration;

use compartment_core::ErrorKind::{InvalidArgument, WrongType};
use compartment_core::{Clock, KeyValueStoreExt, RateLimit, RateLimitStoreExt, Timestamp};

use super::databases::{
    MINUTE, all, coordination, durable, expect_end, expect_error, expect_ttl, one_of_each_type,
};
use crate::{Harness, eventually, give_up_after};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// The limit holds at any time, also across the window's edge: the test counts the grants of a long run.
pub async fn a_window_never_holds_more_than_its_permits(harness: &dyn Harness) {
    let store = coordination(harness).await.rate_limit().clone();
    let limit = RateLimit::new(10, MINUTE);
    let clock = harness.clock();
    let mut given: Vec<(Timestamp, u32)> = Vec::new();
    let (mut refused, mut random) = (0, 12_345_u64);
    for _ in 0..200 {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        harness.advance(Duration::from_millis((random >> 33) % 15_000)).await;
        let permits = u32::try_from((random >> 20) % 4).unwrap() + 1;
        let now = clock.now();
        let used = |given: &[(Timestamp, u32)]| -> u32 {
            given.iter().filter(|(at, _)| now.since(*at) < MINUTE).map(|(_, n)| n).sum()
        };
        let decision = store.acquire("a", limit, permits).await.unwrap();
        assert_eq!(decision.is_allowed, used(&given) + permits <= limit.permits);
        if decision.is_allowed {
            given.push((now, permits));
        } else {
            refused += 1;
        }
        assert!(used(&given) <= limit.permits);
        assert_eq!(decision.remaining, limit.permits - used(&given));
    }
    assert!(refused > 20 && given.len() > 20, "{refused} refused, {} given", given.len());
}

/// A permit comes back to the millisecond.
pub async fn a_permit_comes_back_when_its_window_has_passed(harness: &dyn Harness) {
    let store = coordination(harness).await.rate_limit().clone();
    let limit = RateLimit::new(3, MINUTE);
    assert_eq!(store.acquire("a", limit, 1).await.unwrap().remaining, 2);
    harness.advance(SECOND * 10).await;
    assert_eq!(store.acquire("a", limit, 2).await.unwrap().remaining, 0);
    harness.advance(SECOND * 50 - MILLISECOND).await;
    assert!(!store.acquire("a", limit, 1).await.unwrap().is_allowed);
    harness.advance(MILLISECOND).await;
    assert_eq!(store.acquire("a", limit, 0).await.unwrap().remaining, 1);
    assert!(store.acquire("a", limit, 1).await.unwrap().is_allowed);
    assert!(!store.acquire("a", limit, 1).await.unwrap().is_allowed);
    harness.advance(SECOND * 10).await;
    assert!(store.acquire("a", limit, 2).await.unwrap().is_allowed);
}

/// A refusal says when the request would be allowed, exactly to the millisecond.
pub async fn a_refused_request_takes_nothing(harness: &dyn Harness) {
    let store = coordination(harness).await.rate_limit().clone();
    let limit = RateLimit::new(4, MINUTE);
    for pause in [0, 5, 10, 7] {
        harness.advance(SECOND * pause).await;
        let decision = store.acquire("a", limit, 1).await.unwrap();
        assert!(decision.is_allowed);
        assert_eq!(decision.retry_after, Duration::ZERO);
    }
    // Granted at 0, 5, 15 and 22 seconds; it is now 22 seconds.
    for (permits, seconds) in [(1, 38), (2, 43), (3, 53), (4, 60)] {
        let decision = store.acquire("a", limit, permits).await.unwrap();
        assert!(!decision.is_allowed);
        assert_eq!(decision.remaining, 0);
        assert_eq!(decision.retry_after, SECOND * seconds, "for {permits}");
    }
    let wait = store.acquire("a", limit, 3).await.unwrap().retry_after;
    harness.advance(wait - MILLISECOND).await;
    assert_eq!(store.acquire("a", limit, 3).await.unwrap().retry_after, MILLISECOND);
    harness.advance(MILLISECOND).await;
    assert!(store.acquire("a", limit, 3).await.unwrap().is_allowed);
}

/// A request for no permits returns the remaining ones and writes nothing.
pub async fn asking_for_no_permits_changes_nothing(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let (store, limit) = (database.rate_limit(), RateLimit::new(3, MINUTE));
    let decision = store.acquire("a", limit, 0).await.unwrap();
    assert!(decision.is_allowed);
    assert_eq!((decision.remaining, decision.retry_after), (3, Duration::ZERO));
    assert!(!database.key_value().exists("a").await.unwrap());
    let _ = store.acquire("a", limit, 3).await.unwrap();
    harness.advance(SECOND).await;
    let decision = store.acquire("a", limit, 0).await.unwrap();
    assert!(decision.is_allowed);
    assert_eq!(decision.remaining, 0);
    expect_ttl(harness, &database, "a", MINUTE - SECOND).await;
}

/// More permits than the limit could never be granted.
pub async fn more_permits_than_the_limit_is_an_invalid_argument(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let store = database.rate_limit();
    for (limit, permits) in [(3, 4), (0, 1), (0, 0), (1, u32::MAX)] {
        let decision = store.acquire("a", RateLimit::new(limit, MINUTE), permits).await;
        expect_error(decision, InvalidArgument, &database, "a");
    }
    assert!(!database.key_value().exists("a").await.unwrap());
    assert!(store.acquire("a", RateLimit::new(3, MINUTE), 3).await.unwrap().is_allowed);
}

/// Values, counters, hashes and locks are not windows.
pub async fn a_limit_on_another_type_is_wrong_type(harness: &dyn Harness) {
    let database = durable(harness).await;
    one_of_each_type(&database).await;
    for key in ["value", "counter", "hash", "lock"] {
        for permits in [0, 1] {
            let decision =
                database.rate_limit().acquire(key, RateLimit::new(3, MINUTE), permits).await;
            expect_error(decision, WrongType, &database, key);
        }
    }
    assert_eq!(database.key_value().get("value").await.unwrap(), Some("text".into()));
}

/// The limit holds among any number of callers.
pub async fn concurrent_requests_never_exceed_the_limit(harness: &dyn Harness) {
    let store = coordination(harness).await.rate_limit().clone();
    let limit = RateLimit::new(100, MINUTE);
    for round in 0..3 {
        let tasks = (0..64)
            .map(|caller| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut given = 0;
                    for _ in 0..5 {
                        let permits = caller % 3 + 1;
                        let decision = store.acquire("a", limit, permits).await.unwrap();
                        given += if decision.is_allowed { permits } else { 0 };
                    }
                    given
                })
            })
            .collect();
        // Requests for one permit take those that are left.
        assert_eq!(all(tasks).await.into_iter().sum::<u32>(), 100, "round {round}");
        harness.advance(MINUTE).await;
    }
}

/// The key lives as long as its youngest permit.
pub async fn a_window_without_permits_is_gone(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let (store, limit) = (database.rate_limit(), RateLimit::new(5, MINUTE));
    let _ = store.acquire("a", limit, 1).await.unwrap();
    expect_ttl(harness, &database, "a", MINUTE).await;
    harness.advance(SECOND * 20).await;
    let _ = store.acquire("a", limit, 1).await.unwrap();
    expect_ttl(harness, &database, "a", MINUTE).await;
    harness.advance(SECOND * 20).await;
    assert!(!store.acquire("a", limit, 5).await.unwrap().is_allowed);
    expect_ttl(harness, &database, "a", SECOND * 40).await;
    expect_end(harness, &database, "a", SECOND * 40).await;
}

/// A lowered limit counts permits granted under the old one.
pub async fn a_lowered_limit_counts_what_was_given(harness: &dyn Harness) {
    let store = coordination(harness).await.rate_limit().clone();
    let (high, low) = (RateLimit::new(5, MINUTE), RateLimit::new(2, MINUTE));
    for _ in 0..5 {
        assert!(store.acquire("a", high, 1).await.unwrap().is_allowed);
        harness.advance(SECOND).await;
    }
    // Granted at 0 to 4 seconds; it is now 5. One of two permits is free when four of five are back.
    let decision = store.acquire("a", low, 1).await.unwrap();
    assert!(!decision.is_allowed);
    assert_eq!((decision.remaining, decision.retry_after), (0, SECOND * 58));
    assert_eq!(store.acquire("a", low, 0).await.unwrap().remaining, 0);
}

/// If a server's clock is set back, permits with later times still count.
pub async fn permits_count_when_the_clock_is_set_back(harness: &dyn Harness) {
    let store = coordination(harness).await.rate_limit().clone();
    let (limit, clock) = (RateLimit::new(3, MINUTE), harness.clock());
    assert!(store.acquire("a", limit, 2).await.unwrap().is_allowed);
    let since = clock.now().since(Timestamp::default());
    clock.set(Timestamp::default().after(since - SECOND * 20));
    assert!(store.acquire("a", limit, 1).await.unwrap().is_allowed);
    for permits in 1..=3 {
        let decision = store.acquire("a", limit, permits).await.unwrap();
        assert!(!decision.is_allowed);
        assert_eq!(
            decision.retry_after, MINUTE,
            "{permits}: all were given now, by the log's time"
        );
    }
}

/// Each caller counts all permits within its own window; entries of a caller with a short window are kept for one
/// with a long window.
pub async fn callers_of_one_key_share_its_log(harness: &dyn Harness) {
    let store = coordination(harness).await.rate_limit().clone();
    let (hourly, quick) = (RateLimit::new(10, MINUTE * 60), RateLimit::new(8, SECOND));
    assert_eq!(store.acquire("a", hourly, 4).await.unwrap().remaining, 6);
    for second in 1..=3 {
        harness.advance(SECOND).await;
        assert_eq!(store.acquire("a", quick, 0).await.unwrap().remaining, 8);
        assert!(store.acquire("a", quick, 2).await.unwrap().is_allowed, "second {second}");
    }
    assert_eq!(store.acquire("a", hourly, 0).await.unwrap().remaining, 0);
    harness.advance(MINUTE * 30).await;
    assert!(store.acquire("a", quick, 1).await.unwrap().is_allowed);
    assert_eq!(store.acquire("a", hourly, 0).await.unwrap().remaining, 0);
    // The first four are back; the six of the short window and one more are not.
    harness.advance(MINUTE * 30 - SECOND * 3).await;
    assert_eq!(store.acquire("a", hourly, 0).await.unwrap().remaining, 3);
}

/// The bound holds even if the clock was ahead when the permits were granted, such as a server's by an hour.
pub async fn no_permit_stays_away_longer_than_its_window(harness: &dyn Harness) {
    let store = coordination(harness).await.rate_limit().clone();
    let (limit, clock) = (RateLimit::new(4, MINUTE), harness.clock());
    let before = clock.now();
    assert!(store.acquire("a", limit, 1).await.unwrap().is_allowed);
    clock.set(before.after(MINUTE / 2));
    assert!(store.acquire("a", limit, 1).await.unwrap().is_allowed);
    clock.set(before);
    assert!(store.acquire("a", limit, 2).await.unwrap().is_allowed);
    let decision = store.acquire("a", limit, 1).await.unwrap();
    assert!(!decision.is_allowed && decision.retry_after <= MINUTE, "{decision:?}");
    let back = decision.retry_after;
    harness.advance(back - MILLISECOND).await;
    assert!(!store.acquire("a", limit, 1).await.unwrap().is_allowed);
    harness.advance(MILLISECOND).await;
    assert!(
        store.acquire("a", limit, 1).await.unwrap().is_allowed,
        "it is back when it was promised"
    );
    harness.advance(MINUTE).await;
    assert_eq!(store.acquire("a", limit, 0).await.unwrap().remaining, 4);
}

/// If the clock is set back while the limit is full, the log's time continues with each request.
pub async fn a_full_limit_outlasts_a_clock_that_is_set_back(harness: &dyn Harness) {
    let store = coordination(harness).await.rate_limit().clone();
    let (limit, clock) = (RateLimit::new(2, MINUTE), harness.clock());
    assert!(store.acquire("a", limit, 2).await.unwrap().is_allowed);
    let now = clock.now().since(Timestamp::default());
    clock.set(Timestamp::default().after(now - MINUTE * 60));
    for half in [MINUTE, MINUTE / 2] {
        let decision = store.acquire("a", limit, 1).await.unwrap();
        assert_eq!((decision.is_allowed, decision.retry_after), (false, half));
        harness.advance(MINUTE / 2).await;
    }
    assert!(store.acquire("a", limit, 1).await.unwrap().is_allowed);
}

/// A million permits are one entry, and come back together.
pub async fn a_million_permits_cost_as_much_as_one(harness: &dyn Harness) {
    let store = coordination(harness).await.rate_limit().clone();
    let limit = RateLimit::new(u32::MAX, MINUTE);
    assert_eq!(store.acquire("a", limit, 1_000_000).await.unwrap().remaining, u32::MAX - 1_000_000);
    harness.advance(SECOND).await;
    assert_eq!(store.acquire("a", limit, u32::MAX - 1_000_000).await.unwrap().remaining, 0);
    let decision = store.acquire("a", limit, 1_000_000).await.unwrap();
    assert_eq!((decision.is_allowed, decision.retry_after), (false, MINUTE - SECOND));
    let decision = store.acquire("a", limit, 1_000_001).await.unwrap();
    assert_eq!((decision.is_allowed, decision.retry_after), (false, MINUTE));
    harness.advance(MINUTE - SECOND).await;
    assert!(store.acquire("a", limit, 1_000_000).await.unwrap().is_allowed);
}

/// A dropped request takes no permits, whenever its future is dropped.
pub async fn a_dropped_request_takes_no_permits(harness: &dyn Harness) {
    let store = coordination(harness).await.rate_limit().clone();
    let limit = RateLimit::new(1_000_000, MINUTE * 60);
    let mut kept = 0;
    for round in 0..200 {
        let permits = 1 + round % 7;
        let request = store.acquire("a", limit, permits);
        match give_up_after(Duration::from_micros(u64::from(round) * 2), request).await {
            Some(decision) if decision.as_ref().unwrap().is_allowed => kept += permits,
            Some(decision) => panic!("{decision:?}"),
            None => {}
        }
    }
    eventually("the others' permits are given back", || async {
        store.acquire("a", limit, 0).await.unwrap().remaining == limit.permits - kept
    })
    .await;
}

/// Waits by the given clock until the permits are granted or the time is up.
pub async fn acquire_within_waits_for_the_permits(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let (store, clock) = (database.rate_limit().clone(), harness.clock());
    let limit = RateLimit::new(1, MINUTE);
    assert!(store.acquire("a", limit, 1).await.unwrap().is_allowed);
    let soon = store.acquire_within("a", limit, 1, &clock, SECOND * 59).await.unwrap();
    assert!(!soon.is_allowed, "it gives up at once when the wait cannot be enough");
    let waiter =
        tokio::spawn(
            async move { store.acquire_within("a", limit, 1, &clock, MINUTE).await.unwrap() },
        );
    harness.advance(MINUTE).await;
    let decision = all(vec![waiter]).await.pop().unwrap();
    assert!(decision.is_allowed);
    database.key_value().put("b", "x").await.unwrap_err();
}

suite! { rate_limit as rate_limit_suite, needs Nothing:
    a_window_never_holds_more_than_its_permits
    callers_of_one_key_share_its_log
    no_permit_stays_away_longer_than_its_window
    a_full_limit_outlasts_a_clock_that_is_set_back
    a_million_permits_cost_as_much_as_one
    a_dropped_request_takes_no_permits
    a_permit_comes_back_when_its_window_has_passed
    a_refused_request_takes_nothing
    asking_for_no_permits_changes_nothing
    more_permits_than_the_limit_is_an_invalid_argument
    a_limit_on_another_type_is_wrong_type
    concurrent_requests_never_exceed_the_limit
    a_window_without_permits_is_gone
    a_lowered_limit_counts_what_was_given
    permits_count_when_the_clock_is_set_back
    acquire_within_waits_for_the_permits
}
