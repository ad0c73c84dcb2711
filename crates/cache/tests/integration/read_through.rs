//! Reading through in one process: both tiers, staleness, time-outs, many keys, limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use compartment_cache::{Cache, LoadError, Loaded, Lookup, Stored};
use compartment_core::backend::{Stores, Traffic};
use compartment_core::{
    Contract, Database, DatabaseKind, ErrorKind, KeyTemplate, KeyValueStoreExt, SetOptions,
};

use crate::harness::{Fleet, Source, TTL, key, policy, read, read_failing, until};

const MOMENT: Duration = Duration::from_millis(1);

#[tokio::test]
async fn a_value_is_loaded_once_and_shared() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy()).await;
    let source = Source::open();
    assert_eq!(cache.get(&key("a")).await.unwrap(), None);
    assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 1");
    let first = cache.get(&key("a")).await.unwrap().unwrap();
    let second = cache.get(&key("a")).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&first, &second), "decoded once, and not copied");
    assert_eq!(source.calls(), 1);
    let metrics = &cache.metrics().templates["doc"];
    assert_eq!((metrics.first_tier_hits, metrics.misses, metrics.loads), (2, 2, 1));
    fleet.clock.advance(TTL - MOMENT);
    assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 1");
    fleet.clock.advance(MOMENT);
    assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 2");
}

#[tokio::test]
async fn the_second_tier_outlives_the_process() {
    let fleet = Fleet::new().await;
    let source = Source::open();
    read(&fleet.cache(policy()).await, "a", &source).await.unwrap();
    let cache = fleet.cache(policy()).await;
    assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 1");
    assert_eq!(source.calls(), 1);
    assert_eq!(cache.metrics().templates["doc"].second_tier_hits, 1);
}

#[tokio::test]
async fn set_get_and_remove() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy()).await;
    assert_eq!(cache.set(&key("a"), "1".to_owned()).await.unwrap(), Stored::Stored);
    assert_eq!(cache.get(&key("a")).await.unwrap().as_deref(), Some(&"1".to_owned()));
    assert_eq!(cache.set(&key("a"), "2".to_owned()).await.unwrap(), Stored::Stored);
    assert_eq!(cache.get(&key("a")).await.unwrap().as_deref(), Some(&"2".to_owned()));
    let _ = cache.remove(&key("a")).await.unwrap();
    assert_eq!(cache.get(&key("a")).await.unwrap(), None);
    let other: KeyTemplate<String> = KeyTemplate::new("x", "x:{id}", "results");
    let error = cache.get(&other.key(&["a"]).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn errors_and_panics_reach_all_who_wait_and_are_not_kept() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy()).await;
    let source = Source::closed();
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (cache, source) = (cache.clone(), source.clone());
            tokio::spawn(async move { read_failing(&cache, "a", &source).await })
        })
        .collect();
    until("the load has begun", || source.calls() == 1).await;
    source.let_go(1);
    for task in tasks {
        let error = task.await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "load a value for the cache: failure 1");
        assert!(error.downcast_ref::<std::io::Error>().is_some());
    }
    let panics = cache
        .get_or_load(&key("a"), || async {
            if true {
                panic!("a bug");
            }
            Ok::<_, LoadError>(String::new())
        })
        .await;
    assert_eq!(
        panics.unwrap_err().to_string(),
        "load a value for the cache: the loader panicked: a bug"
    );
    source.let_go(1);
    assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 2");
}

#[tokio::test]
async fn a_caller_that_is_dropped_does_not_end_the_load() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy()).await;
    let source = Source::closed();
    let leader = {
        let (cache, source) = (cache.clone(), source.clone());
        tokio::spawn(async move { read(&cache, "a", &source).await })
    };
    until("the load has begun", || source.calls() == 1).await;
    let follower = {
        let (cache, source) = (cache.clone(), source.clone());
        tokio::spawn(async move { read(&cache, "a", &source).await })
    };
    leader.abort();
    source.let_go(1);
    assert_eq!(follower.await.unwrap().unwrap(), "value 1");
    assert_eq!(source.calls(), 1);
}

#[tokio::test]
async fn that_there_is_no_value_is_remembered_for_its_own_time() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy().negative_ttl(Duration::from_secs(5))).await;
    let calls = Arc::new(AtomicU32::new(0));
    let a = key("a");
    let ask = || {
        let calls = Arc::clone(&calls);
        cache.get_or_load_optional(&a, move || async move {
            calls.fetch_add(1, Ordering::SeqCst);
            Ok::<_, LoadError>(None)
        })
    };
    assert_eq!(ask().await.unwrap(), None);
    assert_eq!(ask().await.unwrap(), None);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert!(matches!(cache.lookup(&key("a")).await.unwrap(), Lookup::Absent));
    fleet.clock.advance(Duration::from_secs(5));
    assert!(matches!(cache.lookup(&key("a")).await.unwrap(), Lookup::Unknown));
    assert_eq!(ask().await.unwrap(), None);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    // A loader that always has a value ignores the cached absence.
    assert_eq!(read(&cache, "a", &Source::open()).await.unwrap(), "value 1");
    // By default absence is not cached.
    let cache = fleet.cache(policy()).await;
    let nothing = || async { Ok::<Option<String>, LoadError>(None) };
    assert_eq!(cache.get_or_load_optional(&key("b"), nothing).await.unwrap(), None);
    assert!(matches!(cache.lookup(&key("b")).await.unwrap(), Lookup::Unknown));
}

#[tokio::test]
async fn many_keys_take_one_load_of_those_that_are_missing() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy().negative_ttl(TTL)).await;
    let _ = cache.set(&key("b"), "set".to_owned()).await.unwrap();
    let keys = ["a", "b", "c", "none"].map(key);
    let calls = Arc::new(std::sync::Mutex::new(Vec::new()));
    let ask = || {
        let calls = Arc::clone(&calls);
        cache.get_or_load_many(&keys, move |wanted| {
            let names: Vec<String> = wanted.iter().map(|key| key.as_str().to_owned()).collect();
            calls.lock().unwrap().push(names.clone());
            async move {
                let value = |name: String| (name != "doc:none").then(|| format!("of {name}"));
                Ok::<_, LoadError>(names.into_iter().map(value).collect())
            }
        })
    };
    let wanted = [Some("of doc:a"), Some("set"), Some("of doc:c"), None];
    for _ in 0..3 {
        let values = ask().await.unwrap();
        let values: Vec<Option<&str>> =
            values.iter().map(|value| value.as_deref().map(String::as_str)).collect();
        assert_eq!(values, wanted);
    }
    assert_eq!(*calls.lock().unwrap(), [["doc:a", "doc:c", "doc:none"]]);
    let before = fleet.database.traffic().snapshot();
    let other = fleet.cache(policy()).await;
    let values = other.get_many(&keys).await.unwrap();
    assert_eq!(values.iter().flatten().count(), 3);
    let reads = fleet.database.traffic().snapshot();
    // Four keys and the stamp of the whole cache.
    assert_eq!(reads.hits - before.hits, 5, "{reads:?}");
    let keys = [key("x"), key("y")];
    let wrong = other.get_or_load_many(&keys, |_| async { Ok::<_, LoadError>(vec![None]) });
    assert!(matches!(wrong.await, Err(LoadError::OtherCount { wanted: 2, given: 1 })));
}

#[tokio::test]
async fn an_eager_refresh_serves_the_old_value_and_loads_a_new_one() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy().eager_refresh(0.5)).await;
    let source = Source::open();
    read(&cache, "a", &source).await.unwrap();
    fleet.clock.advance(TTL / 2 - MOMENT);
    read(&cache, "a", &source).await.unwrap();
    assert_eq!(source.calls(), 1);
    fleet.clock.advance(MOMENT);
    assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 1");
    until("it is loaded in the background", || source.calls() == 2).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 2");
    assert_eq!(source.calls(), 2);
}

#[tokio::test]
async fn stale_while_revalidate_serves_within_its_limit() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy().stale_while_revalidate(Duration::from_secs(10))).await;
    let source = Source::closed();
    source.let_go(1);
    read(&cache, "a", &source).await.unwrap();
    fleet.clock.advance(TTL + Duration::from_secs(9));
    for _ in 0..5 {
        assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 1");
    }
    until("one load runs in the background", || source.calls() == 2).await;
    source.let_go(1);
    until("the new value is there", || cache.metrics().templates["doc"].sets == 2).await;
    assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 2");
    assert_eq!(cache.metrics().templates["doc"].stale_hits, 5);
    fleet.clock.advance(TTL + Duration::from_secs(10));
    source.let_go(1);
    assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 3");
}

#[tokio::test]
async fn stale_on_error_serves_within_its_limit() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy().stale_on_error(Duration::from_secs(10))).await;
    let source = Source::open();
    read(&cache, "a", &source).await.unwrap();
    fleet.clock.advance(TTL + Duration::from_secs(10) - MOMENT);
    assert_eq!(read_failing(&cache, "a", &source).await.unwrap(), "value 1");
    let fresh = fleet.cache(policy().stale_on_error(Duration::from_secs(10))).await;
    assert_eq!(read_failing(&fresh, "a", &source).await.unwrap(), "value 1", "the database has it");
    assert_eq!(source.calls(), 3, "each tried");
    fleet.clock.advance(MOMENT);
    assert!(read_failing(&cache, "a", &source).await.is_err());
    let _ = cache.remove(&key("a")).await.unwrap();
    assert!(read_failing(&cache, "a", &source).await.is_err());
}

#[tokio::test]
async fn a_soft_time_out_serves_the_old_value_while_the_load_goes_on() {
    let fleet = Fleet::new().await;
    let limits = policy().stale_on_error(TTL).soft_timeout(Duration::from_millis(200));
    let cache = fleet.cache(limits).await;
    let source = Source::closed();
    source.let_go(1);
    read(&cache, "a", &source).await.unwrap();
    fleet.clock.advance(TTL);
    let reading = {
        let (cache, source) = (cache.clone(), source.clone());
        tokio::spawn(async move { read(&cache, "a", &source).await })
    };
    until("the load has begun", || source.calls() == 2).await;
    tokio::task::yield_now().await;
    fleet.clock.advance(Duration::from_millis(200));
    assert_eq!(reading.await.unwrap().unwrap(), "value 1");
    source.let_go(1);
    until("the load has ended", || cache.metrics().templates["doc"].sets == 2).await;
    assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 2");
}

#[tokio::test]
async fn a_hard_time_out_gives_the_load_up() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy().hard_timeout(Duration::from_secs(2))).await;
    let source = Source::closed();
    let reading = {
        let (cache, source) = (cache.clone(), source.clone());
        tokio::spawn(async move { read(&cache, "a", &source).await })
    };
    until("the load has begun", || source.calls() == 1).await;
    // The load and its time limit begin in one step of its task.
    tokio::task::yield_now().await;
    fleet.clock.advance(Duration::from_secs(2));
    let error = reading.await.unwrap().unwrap_err();
    assert!(matches!(error, LoadError::TimedOut(limit) if limit == Duration::from_secs(2)));
    source.let_go(1);
    assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 2", "nobody holds the lease");
}

#[tokio::test]
async fn a_conditional_refresh_renews_what_still_holds() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy().stale_on_error(TTL)).await;
    read(&cache, "a", &Source::open()).await.unwrap();
    fleet.clock.advance(TTL);
    let a = key("a");
    let ask = || {
        cache.get_or_revalidate(&a, |old| async move {
            assert_eq!(old.as_deref().map(String::as_str), Some("value 1"));
            Ok::<_, LoadError>(Loaded::Unchanged)
        })
    };
    assert_eq!(ask().await.unwrap().as_deref(), Some(&"value 1".to_owned()));
    fleet.clock.advance(TTL - MOMENT);
    assert_eq!(cache.get(&key("a")).await.unwrap().as_deref(), Some(&"value 1".to_owned()));
    let new = |_| async { Ok::<_, LoadError>(Loaded::Value("new".to_owned())) };
    let value = cache.refresh(&key("a"), new).await.unwrap();
    assert_eq!(value.as_deref(), Some(&"new".to_owned()));
    assert_eq!(cache.get(&key("a")).await.unwrap().as_deref(), Some(&"new".to_owned()));
}

#[tokio::test]
async fn an_entry_that_is_too_large_is_served_and_not_kept() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy().max_entry_bytes(1_000)).await;
    let large = "x".repeat(1_000);
    let _ = cache.set(&key("a"), "small".to_owned()).await.unwrap();
    assert_eq!(cache.set(&key("a"), large.clone()).await.unwrap(), Stored::Refused);
    assert_eq!(cache.get(&key("a")).await.unwrap(), None, "nor is what was there before");
    let load = move || async move { Ok::<_, LoadError>(large) };
    assert_eq!(cache.get_or_load(&key("a"), load).await.unwrap().len(), 1_000);
    assert_eq!(cache.get(&key("a")).await.unwrap(), None);
    assert_eq!(cache.metrics().templates["doc"].refused, 2);
}

#[tokio::test]
async fn an_entry_of_another_version_and_another_type_are_misses() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy()).await;
    let store = fleet.database.key_value();
    let newer = bytes::Bytes::from_static(b"\xC1\xE9\x00");
    store.set("doc:a", newer, SetOptions::expiring(TTL)).await.unwrap();
    assert_eq!(cache.get(&key("a")).await.unwrap(), None);
    assert_eq!(read(&cache, "a", &Source::open()).await.unwrap(), "value 1");
    // A key of another type counts as a miss, and is not changed.
    fleet.database.counter().increment("doc:b", 1, TTL.into()).await.unwrap();
    assert!(store.remove("doc:b").await.unwrap());
    fleet
        .database
        .hash()
        .set_fields("doc:b", vec![("f".into(), "1".into())], TTL.into())
        .await
        .unwrap();
    assert_eq!(read(&cache, "b", &Source::open()).await.unwrap(), "value 1");
}

#[tokio::test]
async fn off_it_is_as_if_it_were_not_there() {
    let fleet = Fleet::new().await;
    let cache = Cache::open(&fleet.database, fleet.options().enabled(false)).await.unwrap();
    let source = Source::open();
    assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 1");
    assert_eq!(read(&cache, "a", &source).await.unwrap(), "value 2");
    assert_eq!(cache.set(&key("a"), String::new()).await.unwrap(), Stored::Refused);
    assert_eq!(cache.get(&key("a")).await.unwrap(), None);
    let _ = cache.remove(&key("a")).await.unwrap();
    let values = cache
        .get_or_load_many(&[key("a"), key("b")], |keys| async move {
            Ok::<_, LoadError>(keys.iter().map(|key| Some(key.as_str().to_owned())).collect())
        })
        .await
        .unwrap();
    assert_eq!(values.iter().flatten().count(), 2);
    assert!(fleet.database.key_value().keys("*").await.unwrap().is_empty());
}

#[tokio::test]
async fn only_a_database_of_kind_cache_is_one() {
    let fleet = Fleet::new().await;
    let stores: Stores = fleet.database.stores().clone();
    let contract = Arc::new(Contract::new("results", DatabaseKind::Durable));
    let durable = Database::new(contract, Arc::new(Traffic::default()), stores);
    let error = Cache::open(&durable, fleet.options()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
}

#[tokio::test]
async fn the_figures_read_as_prometheus_wants_them() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy()).await;
    let source = Source::open();
    read(&cache, "a", &source).await.unwrap();
    read(&cache, "a", &source).await.unwrap();
    let metrics = cache.metrics();
    assert_eq!(metrics.hit_rate(), Some(0.5));
    assert!(metrics.trusted && metrics.first_tier_entries == 1 && metrics.first_tier_bytes > 0);
    let text = metrics.to_prometheus();
    for line in [
        "compartment_cache_hits_total{database=\"cache\",template=\"doc\",tier=\"first\"} 1",
        "compartment_cache_loads_total{database=\"cache\",template=\"doc\"} 1",
        "# TYPE compartment_cache_breaker_state gauge",
        "compartment_cache_trusted{database=\"cache\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}
