//! Several processes with one database: a single load, coherent first tiers, invalidation.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_cache::{Cache, LoadError, Stored};
use compartment_core::{ChannelEvent, KeyValueStoreExt};
use compartment_testkit::eventually;
use futures_util::StreamExt;

use crate::harness::{DOC, Fleet, Source, TTL, key, policy, read, read_failing, until};

fn reading(cache: &Cache, source: &Source) -> tokio::task::JoinHandle<Result<String, LoadError>> {
    let (cache, source) = (cache.clone(), source.clone());
    tokio::spawn(async move { read(&cache, "a", &source).await })
}

async fn value(cache: &Cache, id: &str) -> Option<String> {
    cache.get(&key(id)).await.unwrap().map(|value| (*value).clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_misses_in_four_processes_are_one_load() {
    for _ in 0..20 {
        let fleet = Fleet::new().await;
        let source = Source::closed();
        let mut tasks = Vec::new();
        for _ in 0..4 {
            let cache = fleet.cache(policy()).await;
            tasks.extend((0..250).map(|_| reading(&cache, &source)));
        }
        until("a load has begun", || source.calls() == 1).await;
        source.let_go(1);
        for task in tasks {
            // The clock does not move, so the waiters were notified and did not wait for the lease to expire.
            assert_eq!(task.await.unwrap().unwrap(), "value 1");
        }
        assert_eq!(source.calls(), 1);
    }
}

#[tokio::test]
async fn when_a_loader_dies_the_next_loads_after_its_lease_and_the_dead_one_changes_nothing() {
    let fleet = Fleet::new().await;
    let lease = Duration::from_secs(3);
    let (first, second) =
        (fleet.cache(policy().lease(lease)).await, fleet.cache(policy().lease(lease)).await);
    // A process that dies while loading leaves its lease in the database.
    let dead = Source::closed();
    let runtime = std::thread::spawn({
        let (first, dead) = (first.clone(), dead.clone());
        move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    _ = read(&first, "a", &dead) => panic!("it is not let go"),
                    () = until("the load has begun", || dead.calls() == 1) => {}
                }
            });
            // The load's task ends with its runtime.
            drop(runtime);
        }
    });
    tokio::task::spawn_blocking(|| runtime.join()).await.unwrap().unwrap();
    let source = Source::open();
    let waiting = reading(&second, &source);
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished() && source.calls() == 0, "the lease is held");
    fleet.clock.advance(lease);
    assert_eq!(waiting.await.unwrap().unwrap(), "value 1");
}

#[tokio::test]
async fn a_loader_that_lives_keeps_its_lease() {
    let fleet = Fleet::new().await;
    let lease = Duration::from_secs(3);
    let (first, second) =
        (fleet.cache(policy().lease(lease)).await, fleet.cache(policy().lease(lease)).await);
    let (slow, source) = (Source::closed(), Source::open());
    let loading = reading(&first, &slow);
    until("the load has begun", || slow.calls() == 1).await;
    let waiting = reading(&second, &source);
    for _ in 0..30 {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        fleet.clock.advance(Duration::from_secs(1));
    }
    slow.let_go(1);
    assert_eq!(loading.await.unwrap().unwrap(), "value 1");
    assert_eq!(waiting.await.unwrap().unwrap(), "value 1");
    assert_eq!(source.calls(), 0);
}

#[tokio::test]
async fn a_failed_load_is_tried_by_the_next_at_once() {
    let fleet = Fleet::new().await;
    let (first, second) = (fleet.cache(policy()).await, fleet.cache(policy()).await);
    let (failing, source) = (Source::closed(), Source::open());
    let failed = {
        let (first, failing) = (first.clone(), failing.clone());
        tokio::spawn(async move { read_failing(&first, "a", &failing).await })
    };
    until("the load has begun", || failing.calls() == 1).await;
    let waiting = reading(&second, &source);
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    failing.let_go(1);
    assert!(failed.await.unwrap().is_err());
    assert_eq!(waiting.await.unwrap().unwrap(), "value 1");
    assert_eq!(source.calls(), 1);
}

/// A value loaded before an invalidation is not kept, whichever invalidation happens during the load.
#[tokio::test]
async fn a_load_from_before_an_invalidation_is_not_kept() {
    for (round, by_other) in (0..10).map(|n| (n / 2, n % 2 == 1)) {
        let fleet = Fleet::new().await;
        let (first, second) = (fleet.cache(policy()).await, fleet.cache(policy()).await);
        let loader = first.of_document("7f3a").tagged("law");
        let source = Source::closed();
        let loading = reading(&loader, &source);
        until("the load has begun", || source.calls() == 1).await;
        let who = if by_other { &second } else { &first };
        let _ = match round {
            0 => who.remove(&key("a")).await.unwrap(),
            1 => who.invalidate_document("7f3a").await,
            2 => who.invalidate_tag("law").await,
            3 => who.invalidate_all().await,
            _ => {
                assert_eq!(who.set(&key("a"), "set".to_owned()).await.unwrap(), Stored::Stored);
                compartment_cache::Delivery::Delivered
            }
        };
        // Later callers do not get the earlier value either.
        let after = {
            let (loader, source) = (loader.clone(), source.clone());
            tokio::spawn(async move { read(&loader, "a", &source).await })
        };
        if round < 4 {
            until("another load begins", || source.calls() == 2).await;
        }
        source.let_go(2);
        assert_eq!(loading.await.unwrap().unwrap(), "value 1", "who asked before gets it");
        let wanted = if round < 4 { "value 2" } else { "set" };
        assert_eq!(after.await.unwrap().unwrap(), wanted, "round {round} {by_other}");
        for cache in [&first, &second] {
            assert_eq!(value(cache, "a").await.as_deref(), Some(wanted), "round {round}");
        }
    }
}

#[tokio::test]
async fn everything_of_a_document_goes_in_one_call() {
    let fleet = Fleet::new().await;
    let (first, second) = (fleet.cache(policy()).await, fleet.cache(policy()).await);
    for id in 0..50 {
        let document = first.of_document(if id % 2 == 0 { "even" } else { "odd" });
        let _ = document.set(&key(&format!("{id}")), format!("{id}")).await.unwrap();
        assert!(value(&second, &format!("{id}")).await.is_some());
    }
    let _ = second.invalidate_document("even").await;
    compartment_testkit::eventually("the other has heard", || async {
        value(&first, "0").await.is_none()
    })
    .await;
    for cache in [&first, &second, &fleet.cache(policy()).await] {
        for id in 0..50 {
            let found = value(cache, &format!("{id}")).await;
            assert_eq!(found.is_some(), id % 2 == 1, "{id}");
        }
    }
}

#[tokio::test]
async fn first_tiers_follow_what_the_others_write() {
    let fleet = Fleet::new().await;
    let (first, second) = (fleet.cache(policy()).await, fleet.cache(policy()).await);
    for round in 0..100 {
        let _ = first.set(&key("a"), format!("{round}")).await.unwrap();
        // The message may still be on its way when `set` returns.
        compartment_testkit::eventually("the other follows", || async {
            value(&second, "a").await == Some(format!("{round}"))
        })
        .await;
        let reads = fleet.database.traffic().snapshot();
        assert_eq!(value(&second, "a").await, Some(format!("{round}")));
        assert_eq!(fleet.database.traffic().snapshot(), reads, "from its first tier");
    }
}

#[tokio::test]
async fn by_pattern_with_a_count_first() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy()).await.tagged("t");
    for id in 0..20 {
        let _ = cache.set(&key(&format!("{id}")), String::new()).await.unwrap();
    }
    assert_eq!(cache.count_matching("doc:1*").await.unwrap(), 11);
    assert!(cache.remove_matching("doc:1*", 10).await.is_err());
    assert_eq!(cache.count_matching("*").await.unwrap(), 20, "stamps are the cache's own");
    assert_eq!(cache.remove_matching("doc:1*", 11).await.unwrap(), 11);
    assert_eq!(cache.count_matching("*").await.unwrap(), 9);
    assert_eq!(value(&cache, "11").await, None);
    assert!(value(&cache, "2").await.is_some());
}

#[tokio::test]
async fn of_a_marked_document_nothing_is_kept() {
    let fleet = Fleet::new().await;
    let (first, second) = (fleet.cache(policy()).await, fleet.cache(policy()).await);
    let (document, source) = (first.of_document("problem"), Source::open());
    read(&document, "a", &source).await.unwrap();
    assert_eq!(second.is_no_cache("problem").await, Some(false));
    let _ = second.set_no_cache("problem", true).await;
    compartment_testkit::eventually("the other has heard", || async {
        first.is_no_cache("problem").await == Some(true)
    })
    .await;
    assert_eq!(read(&document, "a", &source).await.unwrap(), "value 2");
    assert_eq!(read(&document, "a", &source).await.unwrap(), "value 3");
    assert_eq!(document.set(&key("a"), String::new()).await.unwrap(), Stored::Refused);
    let _ = first.invalidate_document("problem").await;
    assert_eq!(read(&document, "a", &source).await.unwrap(), "value 4", "the mark stays");
    assert!(first.metrics().templates["doc"].refused_no_cache >= 3);
    let _ = first.set_no_cache("problem", false).await;
    assert_eq!(read(&document, "a", &source).await.unwrap(), "value 5");
    assert_eq!(read(&document, "a", &source).await.unwrap(), "value 5");
}

#[tokio::test]
async fn a_stamp_that_the_database_lost_costs_a_load_and_serves_nothing_old() {
    let fleet = Fleet::new().await;
    let source = Source::open();
    let tagged = |cache: Cache| cache.tagged("law");
    read(&tagged(fleet.cache(policy()).await), "a", &source).await.unwrap();
    assert!(fleet.database.key_value().remove("compartment:stamp:tag:law").await.unwrap());
    let cache = tagged(fleet.cache(policy()).await);
    assert_eq!(value(&cache, "a").await, None);
    assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 2");
    assert_eq!(value(&cache, "a").await.as_deref(), Some("value 2"));
}

#[tokio::test]
async fn a_template_takes_its_own_policy_and_ttl() {
    let fleet = Fleet::new().await;
    let minute = Duration::from_secs(60);
    let mut options = fleet.options().policy(policy().ttl(minute * 5));
    options = options.policy_of("doc", compartment_cache::CachePolicy::default().jitter(0.0));
    options.ttls.insert("doc".into(), minute * 3);
    let cache = Cache::open(&fleet.database, options).await.unwrap();
    let own = DOC.with_ttl(minute).key(&["a"]).unwrap();
    let _ = cache.set(&own, String::new()).await.unwrap();
    fleet.clock.advance(minute * 3 - Duration::from_millis(1));
    assert!(cache.get(&own).await.unwrap().is_some(), "the configuration's TTL");
    fleet.clock.advance(Duration::from_millis(1));
    assert!(cache.get(&own).await.unwrap().is_none());
    let handle = cache.with_policy(policy().ttl(TTL));
    let _ = handle.set(&own, String::new()).await.unwrap();
    fleet.clock.advance(TTL);
    assert!(cache.get(&own).await.unwrap().is_none(), "the handle's TTL");
}

/// Two processes invalidate a document one after the other, and the first one's message arrives last.
#[tokio::test]
async fn a_late_message_does_not_bring_an_older_stamp_back() {
    let fleet = Fleet::new().await;
    let mut processes = Vec::new();
    for _ in 0..3 {
        processes.push(fleet.cache(policy()).await);
    }
    let caches: Vec<Cache> = processes.iter().map(|cache| cache.of_document("7f")).collect();
    let mut messages = fleet.database.channel().subscribe("cache").await.unwrap();
    let _ = caches[0].invalidate_document("7f").await;
    let late = loop {
        if let ChannelEvent::Message(bytes) = messages.next().await.unwrap() {
            break bytes;
        }
    };
    assert_eq!(set(&caches[0], "a", "outdated").await, Stored::Stored);
    let _ = caches[1].invalidate_document("7f").await;
    all_see(&caches, "a", None).await;
    assert_eq!(set(&processes[0], "marker", "before").await, Stored::Stored);
    all_see(&processes, "marker", Some("before")).await;

    fleet.database.channel().publish("cache", late).await.unwrap();
    // Messages arrive in order: who has this one has the late one.
    assert_eq!(set(&processes[0], "marker", "after").await, Stored::Stored);
    all_see(&processes, "marker", Some("after")).await;
    for cache in &caches {
        assert_eq!(value(cache, "a").await, None, "the second process has invalidated it");
    }
}

async fn set(cache: &Cache, id: &str, value: &str) -> Stored {
    cache.set(&key(id), value.to_owned()).await.unwrap()
}

async fn all_see(caches: &[Cache], id: &str, wanted: Option<&str>) {
    for cache in caches {
        eventually("a process sees the value", || async {
            value(cache, id).await.as_deref() == wanted
        })
        .await;
    }
}
