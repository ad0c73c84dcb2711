//! Single reads that arrive while others are in progress are sent together.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_cache::{BreakerState, Cache, Stored};
use compartment_core::Expiry;
use tokio::task::JoinHandle;

use crate::harness::faults::Cut;
use crate::harness::{Fleet, key, policy, until};

/// Default time-out of a request to the database.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Values at `0` to `19`, and a process without a first tier.
async fn begin() -> (Fleet, Cache, Cut) {
    let fleet = Fleet::new().await;
    let other = fleet.cache(policy()).await;
    for id in 0..20 {
        assert_eq!(other.set(&key(&id.to_string()), value(id)).await.unwrap(), Stored::Stored);
    }
    let (database, cut) = Cut::of(&fleet.database);
    let options = fleet.options().policy(policy().first_tier(false));
    let cache = Cache::open(&database, options).await.unwrap();
    // Once the stamps are known, a read is one request.
    assert!(cache.get(&key("0")).await.unwrap().is_some());
    (fleet, cache, cut)
}

fn value(id: usize) -> String {
    format!("value {id}")
}

type Read = JoinHandle<Option<String>>;

/// Starts reading each of these, in order.
async fn read(cache: &Cache, ids: std::ops::Range<usize>) -> Vec<Read> {
    let mut reads = Vec::new();
    for id in ids {
        let cache = cache.clone();
        reads.push(tokio::spawn(async move {
            let found = cache.get(&key(&id.to_string())).await.unwrap();
            found.map(|value| (*value).clone())
        }));
        // The read gets far enough to wait for something.
        tokio::task::yield_now().await;
    }
    reads
}

async fn all(reads: Vec<Read>) -> Vec<Option<String>> {
    let mut found = Vec::new();
    for read in reads {
        found.push(read.await.unwrap());
    }
    found
}

fn values(ids: std::ops::Range<usize>) -> Vec<Option<String>> {
    ids.map(|id| Some(value(id))).collect()
}

#[tokio::test]
async fn what_comes_while_two_are_under_way_is_one_request() {
    let (_fleet, cache, cut) = begin().await;
    let before = cut.requests();
    cut.hold_reads(true);
    let reads = read(&cache, 0..20).await;
    assert_eq!(cut.requests(), before + 2);
    cut.hold_reads(false);
    assert_eq!(all(reads).await, values(0..20));
    assert_eq!(cut.requests(), before + 3);
    assert_eq!(all(read(&cache, 3..4).await).await, values(3..4), "a place is free again");
}

#[tokio::test]
async fn who_waits_does_so_no_longer_than_a_request_may_take() {
    let (fleet, cache, cut) = begin().await;
    cut.hold_reads(true);
    let reads = read(&cache, 0..10).await;
    fleet.clock.advance(TIMEOUT - Duration::from_millis(100));
    let later = read(&cache, 10..12).await;
    assert!(reads.iter().chain(&later).all(|read| !read.is_finished()));
    fleet.clock.advance(Duration::from_millis(100));
    assert!(all(reads).await.iter().all(Option::is_none));
    fleet.clock.advance(TIMEOUT - Duration::from_millis(100));
    assert!(all(later).await.iter().all(Option::is_none));
    assert_eq!(cache.metrics().breaker, BreakerState::Open, "each of them counts");
    cut.hold_reads(false);
    fleet.clock.advance(Duration::from_secs(2));
    assert_eq!(all(read(&cache, 0..20).await).await, values(0..20));
}

#[tokio::test]
async fn who_gives_up_makes_room() {
    let (_fleet, cache, cut) = begin().await;
    let before = cut.requests();
    cut.hold_reads(true);
    let mut reads = read(&cache, 0..4).await;
    for given_up in reads.drain(..2) {
        given_up.abort();
        assert!(given_up.await.unwrap_err().is_cancelled());
    }
    // A waiting read is dropped too, which does not affect the other one.
    reads.remove(0).abort();
    until("the others have left", || cut.requests() == before + 3).await;
    cut.hold_reads(false);
    assert_eq!(all(reads).await, values(3..4));
}

#[tokio::test]
async fn a_key_of_another_type_has_nothing_and_takes_nothing_from_the_others() {
    let (fleet, cache, cut) = begin().await;
    let fields = vec![("field".to_owned(), "value".into())];
    let ttl = Expiry::After(Duration::from_secs(60));
    fleet.database.hash().set_fields("doc:20", fields, ttl).await.unwrap();
    cut.hold_reads(true);
    let reads = read(&cache, 10..21).await;
    cut.hold_reads(false);
    let mut wanted = values(10..20);
    wanted.push(None);
    assert_eq!(all(reads).await, wanted);
}
