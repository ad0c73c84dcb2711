//! A budget evicts the least recently used keys; nothing else is ever evicted.
#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_core::backend::Backend;
use compartment_core::{
    Contract, Database, DatabaseKind, ErrorKind, Expiry, HashStoreExt, KeyValueStoreExt, Placement,
};
use compartment_memory::{ENTRY_OVERHEAD, MemoryBackend};

const MIB: u64 = 1 << 20;

fn cache(bytes: u64) -> Contract {
    Contract::new("cache", DatabaseKind::Cache)
        .with_index(2)
        .default_ttl(Duration::from_secs(3_600))
        .memory_budget(bytes)
}

fn durable(name: &str) -> Contract {
    Contract::new(name, DatabaseKind::Durable).with_index(1)
}

async fn bytes(database: &Database) -> u64 {
    database.usage().usage().await.unwrap().bytes
}

async fn flood(database: &Database, keys: usize) {
    for i in 0..keys {
        database.key_value().put(&format!("flood {i}"), vec![0; 1_000]).await.unwrap();
    }
}

#[tokio::test]
async fn a_flood_stays_within_the_budget() {
    let backend = MemoryBackend::default();
    let cache = backend.open(cache(MIB)).await.unwrap();
    for _ in 0..3 {
        flood(&cache, 5_000).await;
        let bytes = bytes(&cache).await;
        assert!((MIB / 2..=MIB).contains(&bytes), "{bytes} bytes");
    }
    let kept = cache.usage().usage().await.unwrap().keys;
    assert!((500..=MIB / (1_000 + ENTRY_OVERHEAD)).contains(&kept), "{kept} keys");
}

#[tokio::test]
async fn a_hash_that_grows_counts_against_the_budget() {
    let backend = MemoryBackend::default();
    let cache = backend.open(cache(MIB)).await.unwrap();
    flood(&cache, 1_000).await;
    for i in 0..100 {
        cache.hash().set_field("hash", &format!("{i}"), vec![0; 5_000]).await.unwrap();
    }
    let used = bytes(&cache).await;
    assert!(used <= MIB, "{used} bytes");
    assert_eq!(cache.hash().len("hash").await.unwrap(), 100, "the hash was used last");
    let fields: Vec<String> = (0..99).map(|i| i.to_string()).collect();
    cache.hash().delete_fields("hash", &fields).await.unwrap();
    assert!(bytes(&cache).await < used - 400_000, "and what it gives back");
}

#[tokio::test]
async fn what_was_used_least_recently_goes_first() {
    let backend = MemoryBackend::default();
    // Room for about a hundred keys.
    let cache = backend.open(cache(100 * (1_000 + ENTRY_OVERHEAD + 20))).await.unwrap();
    flood(&cache, 100).await;
    bytes(&cache).await;
    for i in 0..50 {
        assert!(cache.key_value().get(&format!("flood {i}")).await.unwrap().is_some(), "{i}");
    }
    bytes(&cache).await;
    for i in 0..40 {
        cache.key_value().put(&format!("new {i}"), vec![0; 1_000]).await.unwrap();
    }
    bytes(&cache).await;
    for i in 0..50 {
        assert!(cache.key_value().exists(&format!("flood {i}")).await.unwrap(), "{i} was read");
    }
    for i in 50..80 {
        assert!(!cache.key_value().exists(&format!("flood {i}")).await.unwrap(), "{i} was not");
    }
}

#[tokio::test]
async fn a_durable_database_never_evicts() {
    let backend = MemoryBackend::default();
    // Only a cache enforces a budget; on a durable database it is for monitoring.
    let durable = backend.open(durable("results").memory_budget(MIB)).await.unwrap();
    let entries = |from: usize| {
        (from..from + 10_000).map(|i| (format!("key {i}"), vec![0; 100].into())).collect()
    };
    for from in (0..100_000).step_by(10_000) {
        durable.key_value().set_many(entries(from), Expiry::Never).await.unwrap();
    }
    let usage = durable.usage().usage().await.unwrap();
    assert_eq!(usage.keys, 100_000);
    assert!(usage.is_exact);
    for i in 0..100_000 {
        assert!(durable.key_value().exists(&format!("key {i}")).await.unwrap(), "{i}");
    }
}

#[tokio::test]
async fn a_shared_keyspace_has_no_budget() {
    let backend = MemoryBackend::default();
    let mut cache = cache(MIB);
    cache.is_shared = true;
    let mut durable = durable("results").with_index(2);
    durable.is_shared = true;
    // The cache is opened first: its budget must not apply to the shared keyspace.
    let cache = backend.open(cache).await.unwrap();
    let durable = backend.open(durable).await.unwrap();
    durable.key_value().put("kept", "1").await.unwrap();
    flood(&cache, 5_000).await;
    assert_eq!(durable.usage().usage().await.unwrap().keys, 5_001);
    assert_eq!(cache.key_value().get("kept").await.unwrap(), Some("1".into()));
}

#[tokio::test]
async fn a_database_is_not_opened_where_it_could_be_evicted() {
    let backend = MemoryBackend::default();
    backend.open(cache(MIB)).await.unwrap();
    let error = backend.open(durable("results").with_index(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert_eq!(error.database(), Some("results"));
    assert!(error.message().contains("shared = true"), "{error}");
    backend.open(cache(MIB)).await.unwrap();
}

fn prefixed(contract: Contract, prefix: &str) -> Contract {
    let placement =
        Placement::Prefix { instance: "primary".into(), index: 0, prefix: prefix.to_owned() };
    contract.placement(placement)
}

#[tokio::test]
async fn prefixes_of_one_index_are_separate_and_seen_from_it() {
    let backend = MemoryBackend::default();
    let first = backend.open(prefixed(durable("first"), "first:")).await.unwrap();
    let second = backend.open(prefixed(durable("second"), "second:")).await.unwrap();
    let whole = backend.open(durable("whole").with_index(0)).await.unwrap();
    first.key_value().put("a", "1").await.unwrap();
    second.hash().set_field("a", "f", "2").await.unwrap();
    assert_eq!(first.key_value().keys("*").await.unwrap(), ["a"]);
    assert_eq!(first.key_value().keys("first*").await.unwrap(), Vec::<String>::new());
    assert_eq!(first.key_value().get("a").await.unwrap(), Some("1".into()));
    assert_eq!(whole.key_value().keys("*").await.unwrap(), ["first:a", "second:a"]);
    assert_eq!(first.usage().usage().await.unwrap().keys, 1);
    assert_eq!(
        bytes(&first).await + bytes(&second).await,
        bytes(&whole).await,
        "the parts are the whole"
    );
    assert_eq!(first.key_value().delete(&["a".to_owned()]).await.unwrap(), 1);
    assert_eq!(whole.key_value().keys("*").await.unwrap(), ["second:a"]);
}

#[tokio::test]
async fn a_prefix_with_a_budget_evicts_nothing_of_its_neighbours() {
    let backend = MemoryBackend::default();
    let kept = backend.open(prefixed(durable("kept"), "kept:")).await.unwrap();
    let cache = backend.open(prefixed(cache(MIB), "cache:")).await.unwrap();
    flood(&kept, 2_000).await;
    flood(&cache, 5_000).await;
    assert!(bytes(&cache).await <= MIB);
    assert_eq!(kept.usage().usage().await.unwrap().keys, 2_000);
    assert!(!cache.key_value().keys("*").await.unwrap().is_empty());
}
