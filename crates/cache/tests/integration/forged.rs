//! Entries and messages that no process of the fleet has written: they cost loads, and neither memory nor old values.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use bytes::Bytes;
use compartment_cache::{Cache, CachePolicy, Stored};
use compartment_core::{Clock, Codec, SetOptions, Timestamp};

use crate::harness::faults::Cut;
use crate::harness::{Fleet, Source, key, policy, read, until};

const LEASE: Duration = Duration::from_secs(3);
const HOUR: Duration = Duration::from_secs(3_600);

/// A fleet in whose database a process has written a lease under the key `doc:a`, and the lease's bytes.
async fn with_a_lease(policy: CachePolicy) -> (Fleet, Bytes) {
    let fleet = Fleet::new().await;
    let (other, stuck) = (fleet.cache(policy).await, Source::closed());
    let loading = tokio::spawn({
        let stuck = stuck.clone();
        async move { read(&other, "a", &stuck).await }
    });
    until("it loads", || stuck.calls() == 1).await;
    let lease = fleet.database.key_value().get("doc:a").await.unwrap().unwrap();
    loading.abort();
    (fleet, lease)
}

/// Stores the lease as one that ends at this moment.
async fn store_lease(fleet: &Fleet, lease: &[u8], until: Timestamp) {
    let mut bytes = lease.to_vec();
    // After two bytes of a mark, the kind, the flag, three times and the lease's number.
    bytes[36..44].copy_from_slice(&until.as_micros().to_le_bytes());
    store(fleet, "doc:a", bytes).await;
}

async fn store(fleet: &Fleet, key: &str, bytes: Vec<u8>) {
    let store = fleet.database.key_value();
    store.set(key, bytes.into(), SetOptions::expiring(HOUR)).await.unwrap();
}

async fn pass(fleet: &Fleet, time: Duration) {
    fleet.clock.advance(time);
    turns().await;
}

/// Lets other tasks run until they wait for the clock.
async fn turns() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_lease_that_ends_in_an_hour_is_waited_for_as_long_as_a_lease() {
    for end in [HOUR, Duration::MAX] {
        let (fleet, lease) = with_a_lease(policy().lease(LEASE)).await;
        store_lease(&fleet, &lease, fleet.clock.now().after(end)).await;
        let (cache, source) = (fleet.cache(policy().lease(LEASE)).await, Source::open());
        let waiting = tokio::spawn({
            let source = source.clone();
            async move { read(&cache, "a", &source).await }
        });
        turns().await;
        pass(&fleet, LEASE - Duration::from_millis(1)).await;
        assert_eq!(source.calls(), 0);
        pass(&fleet, Duration::from_millis(1)).await;
        assert_eq!(waiting.await.unwrap().unwrap(), "value 1");
    }
}

#[tokio::test]
async fn a_lease_that_is_renewed_for_ever_is_waited_for_as_long_as_a_load_may_take() {
    let longest = Duration::from_secs(10);
    let policy = policy().lease(LEASE).hard_timeout(longest);
    let (fleet, lease) = with_a_lease(policy.clone()).await;
    store_lease(&fleet, &lease, fleet.clock.now().after(HOUR)).await;
    let (cache, source) = (fleet.cache(policy).await, Source::open());
    let waiting = tokio::spawn({
        let source = source.clone();
        async move { read(&cache, "a", &source).await }
    });
    turns().await;
    for second in 0..longest.as_secs() {
        pass(&fleet, Duration::from_secs(1)).await;
        assert_eq!(source.calls(), 0, "{second}");
        store_lease(&fleet, &lease, fleet.clock.now().after(HOUR)).await;
    }
    pass(&fleet, LEASE).await;
    assert_eq!(waiting.await.unwrap().unwrap(), "value 1");
}

/// The bytes of an entry with another value.
async fn forged(fleet: &Fleet, cache: &Cache, value: &str, codec: Codec) -> Vec<u8> {
    let genuine = codec.encode(&"genuine").unwrap();
    let _ = cache.set(&key("a"), "genuine".to_owned()).await.unwrap();
    let bytes = fleet.database.key_value().get("doc:a").await.unwrap().unwrap();
    let header = bytes.len() - genuine.len();
    assert_eq!(bytes[header..], genuine, "the value is at the end");
    [&bytes[..header], &codec.encode(value).unwrap()].concat()
}

#[tokio::test]
async fn an_entry_that_expands_is_a_miss_and_counted() {
    let policy = policy().max_entry_bytes(1 << 20);
    let fleet = Fleet::new().await;
    let (cache, source) = (fleet.cache(policy.clone()).await, Source::open());
    for (length, is_served) in [(3 << 20, true), (5 << 20, false)] {
        let text = "a".repeat(length);
        let entry = forged(&fleet, &cache, &text, Codec::JSON).await;
        assert!(entry.len() < 4_096, "{}", entry.len());
        store(&fleet, "doc:a", entry).await;
        let reader = fleet.cache(policy.clone()).await;
        let found = reader.get(&key("a")).await.unwrap();
        assert_eq!(found.is_some(), is_served);
        let figures = reader.metrics().templates["doc"];
        assert_eq!(
            (figures.oversized, figures.misses),
            (u64::from(!is_served), u64::from(!is_served))
        );
        if !is_served {
            assert_eq!(read(&reader, "a", &source).await.unwrap(), "value 1", "it is replaced");
        }
    }
}

#[tokio::test]
async fn a_value_that_no_process_would_decode_is_not_stored() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy().max_entry_bytes(1 << 20)).await;
    let text = "a".repeat(5 << 20);
    assert_eq!(cache.set(&key("a"), text.clone()).await.unwrap(), Stored::Refused);
    let loaded = cache.get_or_load(&key("a"), || async { Ok::<_, std::io::Error>(text) }).await;
    assert_eq!(loaded.unwrap().len(), 5 << 20);
    assert_eq!(cache.metrics().templates["doc"].refused, 2);
    assert!(!fleet.database.key_value().exists("doc:a").await.unwrap());
}

/// A message about stamps with these names and any number.
fn message(names: impl Iterator<Item = String>) -> Bytes {
    let mut bytes = vec![1];
    bytes.extend_from_slice(&[7; 8]);
    for name in names {
        bytes.push(1);
        bytes.extend_from_slice(&u32::try_from(name.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&[9; 9]);
    }
    bytes.into()
}

#[tokio::test]
async fn forged_messages_bring_nothing_back_that_was_invalidated() {
    let fleet = Fleet::new().await;
    let (database, cut) = Cut::of(&fleet.database);
    let options = fleet.options().policy(policy().stale_on_error(HOUR));
    let cache = Cache::open(&database, options).await.unwrap().tagged("law");
    read(&cache, "a", &Source::open()).await.unwrap();
    let key = key("a");
    assert!(cache.get(&key).await.unwrap().is_some());
    let before = cache.metrics().distrusted;
    let other = fleet.cache(policy()).await;
    let _ = other.invalidate_tag("law").await;
    // More names than a process remembers.
    for part in 0..11 {
        let names = (0..10_000).map(|number| format!("tag:{part}-{number}"));
        fleet.database.channel().publish("cache", message(names)).await.unwrap();
    }
    let names = [format!("tag:{}", "long".repeat(1_000))].into_iter();
    fleet.database.channel().publish("cache", message(names)).await.unwrap();
    until("the messages have arrived", || cache.metrics().distrusted > before).await;
    cut.set(true);
    assert!(cache.get(&key).await.unwrap().is_none(), "it was invalidated");
}
