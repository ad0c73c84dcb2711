//! Counters of several processes add up in the metrics database, and are read as one.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::time::Duration;

use compartment_cache::{Cache, CacheOptions, CachePolicy, FleetMetrics};
use compartment_core::backend::Backend;
use compartment_core::{Clock, Codec, Contract, Database, DatabaseKind, KeyTemplate, ManualClock};
use compartment_memory::{MemoryBackend, MemoryConfig};

const PAGE: KeyTemplate<String> =
    KeyTemplate::new("page", "page:{id}", "cache").with_codec(Codec::JSON.compress_from(None));

struct Pair {
    clock: ManualClock,
    cache: Database,
    metrics: Database,
}

async fn pair() -> Pair {
    let clock = ManualClock::default();
    let mut config = MemoryConfig::default();
    config.clock = Arc::new(clock.clone());
    let backend = MemoryBackend::new(config);
    let cache = backend.open(Contract::new("cache", DatabaseKind::Cache).with_index(2)).await;
    let metrics = backend.open(Contract::new("metrics", DatabaseKind::Durable).with_index(5)).await;
    Pair { clock, cache: cache.unwrap(), metrics: metrics.unwrap() }
}

impl Pair {
    async fn open(&self) -> Cache {
        let options = CacheOptions::default()
            .policy(CachePolicy::default().max_entry_bytes(4_096))
            .metrics(&self.metrics)
            .clock(Arc::new(self.clock.clone()));
        Cache::open(&self.cache, options).await.unwrap()
    }

    async fn read(&self, window: Duration) -> FleetMetrics {
        FleetMetrics::read(&self.metrics, "cache", window, self.clock.now()).await.unwrap()
    }
}

async fn load(cache: &Cache, id: &str, length: usize) {
    let key = PAGE.key(&[id]).unwrap();
    let value = "x".repeat(length);
    let load = move || async move { Ok::<_, std::io::Error>(value) };
    cache.get_or_load(&key, load).await.unwrap();
}

#[tokio::test]
async fn two_processes_are_counted_together() {
    let pair = pair().await;
    let (one, other) = (pair.open().await, pair.open().await);
    for _ in 0..4 {
        load(&one, "a", 10).await;
    }
    load(&other, "a", 10).await;
    load(&other, "large", 5_000).await;
    one.publish_metrics().await.unwrap();
    other.publish_metrics().await.unwrap();
    // A second publication adds nothing.
    other.publish_metrics().await.unwrap();
    let fleet = pair.read(Duration::from_secs(300)).await;
    let page = fleet.templates["page"];
    assert_eq!((page.first_tier_hits, page.second_tier_hits, page.misses), (3, 1, 2));
    assert_eq!((page.loads, page.sets, page.refused), (2, 1, 1));
    assert_eq!((page.recent_hits, page.recent_misses), (4, 2));
    assert_eq!(fleet.processes.len(), 2);
    assert!(fleet.processes.iter().all(|process| process.breaker.is_closed() && process.trusted));
    assert_eq!(fleet.since_ms, Some(pair.clock.now().as_millis()));
    let text = fleet.to_prometheus();
    let hits =
        "compartment_cache_hits_total{database=\"cache\",template=\"page\",tier=\"first\"} 3";
    assert!(text.contains(hits), "{text}");
    assert!(text.contains("compartment_cache_processes{database=\"cache\"} 2"), "{text}");
    other.close().await.unwrap();
    let left = pair.read(Duration::from_secs(300)).await;
    assert_eq!((left.processes.len(), left.total()), (1, fleet.total()));
    let own = one.metrics();
    assert_eq!(own.total().hits(), 3);
    assert!(own.to_prometheus().contains("compartment_cache_load_seconds_total"));
}

#[tokio::test]
async fn the_hit_rate_is_over_the_window_and_totals_over_all_time() {
    let pair = pair().await;
    let cache = pair.open().await;
    load(&cache, "a", 10).await;
    cache.publish_metrics().await.unwrap();
    pair.clock.advance(Duration::from_secs(20 * 60));
    for _ in 0..3 {
        load(&cache, "a", 10).await;
    }
    cache.publish_metrics().await.unwrap();
    let of_late = pair.read(Duration::from_secs(300)).await;
    assert_eq!(of_late.hit_rate(), Some(1.0));
    let longer = pair.read(Duration::from_secs(3_600)).await;
    assert_eq!(longer.hit_rate(), Some(0.75));
    assert_eq!(longer.total().misses, 1);
    // A process that stops publishing is not shown any more; its counts remain.
    pair.clock.advance(Duration::from_secs(120));
    drop(cache);
    let later = pair.read(Duration::from_secs(60)).await;
    assert!(later.processes.is_empty() && later.hit_rate().is_none());
    assert_eq!(later.total().hits(), 3);
}

#[tokio::test]
async fn figures_are_added_by_themselves() {
    let pair = pair().await;
    let cache = pair.open().await;
    load(&cache, "a", 10).await;
    for _ in 0..200 {
        tokio::task::yield_now().await;
        pair.clock.advance(Duration::from_secs(1));
        if pair.read(Duration::from_secs(3_600)).await.total().loads == 1 {
            return;
        }
    }
    unreachable!("nothing was published in 200 seconds");
}
