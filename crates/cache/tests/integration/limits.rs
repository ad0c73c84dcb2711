//! Limits for documents, documents that must not be cached, and the end of warming.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use compartment_cache::{Cache, Stored, WarmOptions};
use compartment_core::{KeyTemplate, TypedKey};

use crate::harness::{Fleet, policy};

const PART: KeyTemplate<String> = KeyTemplate::new("part", "part:{document}:{part}", "cache");

fn part(document: &str, number: usize) -> TypedKey<String> {
    PART.key(&[document, &number.to_string()]).unwrap()
}

fn text() -> String {
    "a line of the court's opinion ".repeat(34)
}

async fn load(cache: &Cache, key: &TypedKey<String>) {
    let load = || async { Ok::<_, std::io::Error>(text()) };
    assert_eq!(*cache.get_or_load(key, load).await.unwrap(), text());
}

async fn open(fleet: &Fleet, max: u64) -> Cache {
    let policy = policy().max_document_bytes(max).first_tier(false);
    Cache::open(&fleet.database, fleet.options().policy(policy)).await.unwrap()
}

#[tokio::test]
async fn a_document_has_no_more_than_its_share_in_the_whole_fleet() {
    let fleet = Fleet::new().await;
    let (one, other) = (open(&fleet, 5_000).await, open(&fleet, 5_000).await);
    for number in 0..8 {
        let cache = if number % 2 == 0 { &one } else { &other };
        load(&cache.of_document("7f3a"), &part("7f3a", number)).await;
    }
    let kept = |cache: Cache| async move {
        let keys: Vec<_> = (0..8).map(|number| part("7f3a", number)).collect();
        cache.get_many(&keys).await.unwrap().iter().flatten().count()
    };
    // Each value takes slightly more than 1,020 bytes.
    assert_eq!(kept(one.clone()).await, 4);
    let refused = |cache: &Cache| cache.metrics().templates["part"].refused_document;
    assert_eq!(refused(&one) + refused(&other), 4);
    // Another document has its own share; keys without a document are not limited.
    load(&one.of_document("81c0"), &part("81c0", 0)).await;
    load(&one, &part("none", 0)).await;
    assert!(other.get(&part("81c0", 0)).await.unwrap().is_some());
    assert!(other.get(&part("none", 0)).await.unwrap().is_some());
    // A key that is written again counts once.
    let again = one.of_document("7f3a").set(&part("7f3a", 0), text()).await.unwrap();
    assert_eq!(again, Stored::Stored);
    // A removed key leaves room for another.
    let _ = other.remove(&part("7f3a", 1)).await.unwrap();
    assert_eq!(
        one.of_document("7f3a").set(&part("7f3a", 9), text()).await.unwrap(),
        Stored::Stored
    );
    assert_eq!(
        one.of_document("7f3a").set(&part("7f3a", 10), text()).await.unwrap(),
        Stored::Refused
    );
    // An invalidation returns the whole share of the document.
    let _ = one.invalidate_document("7f3a").await;
    for number in 0..8 {
        load(&other.of_document("7f3a"), &part("7f3a", number)).await;
    }
    assert_eq!(kept(one).await, 4);
}

#[tokio::test]
async fn marked_documents_are_listed_and_counted() {
    let fleet = Fleet::new().await;
    let cache = Cache::open(&fleet.database, fleet.options()).await.unwrap();
    for document in ["b", "a", "c*"] {
        load(&cache.of_document(document), &part(document, 0)).await;
    }
    let _ = cache.set_no_cache("c*", true).await;
    let _ = cache.set_no_cache("a", true).await;
    assert_eq!(cache.no_cache_documents().await.unwrap(), ["a", "c*"]);
    load(&cache.of_document("a"), &part("a", 0)).await;
    load(&cache.of_document("a"), &part("a", 0)).await;
    let part = cache.metrics().templates["part"];
    assert_eq!((part.refused_no_cache, part.refused, part.loads), (2, 0, 5));
    let _ = cache.set_no_cache("a", false).await;
    assert_eq!(cache.no_cache_documents().await.unwrap(), ["c*"]);
}

#[tokio::test]
async fn warming_brings_what_there_is_and_stops_when_the_first_tier_is_full() {
    let fleet = Fleet::new().await;
    let writer = Cache::open(&fleet.database, fleet.options()).await.unwrap();
    for number in 0..200 {
        load(&writer, &part("7f3a", number)).await;
    }
    let under_way = Arc::new(AtomicU32::new(0));
    let max = Arc::new(AtomicU32::new(0));
    let options = fleet.options().first_tier_bytes(100_000);
    let cache = Cache::open(&fleet.database, options).await.unwrap();
    let reads = (0..300).map(|number| {
        let (cache, under_way, max) = (cache.clone(), under_way.clone(), max.clone());
        async move {
            max.fetch_max(under_way.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            let found = cache.get(&part("7f3a", number)).await.map(|found| found.is_some());
            under_way.fetch_sub(1, Ordering::Relaxed);
            found
        }
    });
    let mut watched = 0;
    let options = WarmOptions::default().concurrency(4);
    let report = cache.warm(reads, &options, |_| watched += 1).await;
    assert!(cache.metrics().first_tier_bytes <= 100_000);
    assert!((60..=100).contains(&report.found), "{report:?}");
    assert_eq!(report.found + report.missing + report.failed + report.left_out, 300);
    assert_eq!(watched, 300 - report.left_out);
    assert!(max.load(Ordering::Relaxed) <= 4, "{max:?}");
    // Warmed values are read without the database.
    let before = cache.metrics().templates["part"].first_tier_hits;
    for number in 0..50 {
        cache.get(&part("7f3a", number)).await.unwrap();
    }
    assert!(cache.metrics().templates["part"].first_tier_hits >= before + 45);
}

#[tokio::test]
async fn a_program_warms_its_cache_at_its_start() {
    let fleet = Fleet::new().await;
    let writer = Cache::open(&fleet.database, fleet.options()).await.unwrap();
    load(&writer, &part("7f3a", 0)).await;
    let (done, mut is_done) = tokio::sync::watch::channel(None);
    let cache = Cache::open(&fleet.database, fleet.options()).await.unwrap();
    cache.spawn(move |cache| async move {
        let reads = [0, 1].map(|number| {
            let cache = cache.clone();
            async move { cache.get(&part("7f3a", number)).await.map(|found| found.is_some()) }
        });
        let report = cache.warm(reads, &WarmOptions::default(), |_| {}).await;
        done.send_replace(Some(report));
    });
    let waited = tokio::time::timeout(Duration::from_secs(20), is_done.wait_for(Option::is_some));
    let report = (*waited.await.unwrap().unwrap()).unwrap();
    assert_eq!((report.found, report.missing), (1, 1));
    assert_eq!(cache.metrics().first_tier_entries, 1);
}
