//! Settings, names, types and policies at their limits: valid ones work, the others are rejected.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_cache::{Cache, CacheOptions, CachePolicy, Delivery, LoadError, Stored};
use compartment_core::{
    Codec, DatabaseMapBuilder, ErrorKind, KeyTemplate, MAX_TTL, SetOptions, Ttl, TypedKey,
};

use crate::harness::{Fleet, Source, TTL, key, policy, read, until};

#[tokio::test]
async fn what_cannot_work_is_refused_when_the_cache_is_opened() {
    let fleet = Fleet::new().await;
    let good = || fleet.options();
    let lease = |lease| policy().lease(lease);
    let refused: Vec<(CacheOptions, &str)> = vec![
        (good().database_timeout(Duration::ZERO), "database_timeout"),
        (good().database_timeout(Duration::MAX), "database_timeout"),
        (good().breaker(0, Duration::from_secs(1)), "breaker_failures"),
        (good().breaker(1, Duration::ZERO), "breaker_open_for"),
        (good().blind_ttl(Duration::MAX), "blind_ttl"),
        (good().first_tier_bytes(1_000), "first_tier"),
        (good().first_tier_bytes(u64::MAX), "first_tier"),
        (good().policy(lease(Duration::ZERO)), "lease"),
        (good().policy(lease(Duration::from_millis(1))), "lease"),
        (good().policy(policy().jitter(f64::NAN)), "jitter"),
        (good().policy_of("doc", policy().eager_refresh(1.5)), "template \"doc\": eager_refresh"),
        (good().policy(policy().ttl(MAX_TTL * 2)), "ttl"),
        (good().policy(policy().max_entry_bytes(0)), "max_entry"),
        (good().policy(policy().hard_timeout(Duration::ZERO)), "hard_timeout"),
    ];
    for (options, name) in refused {
        let error = Cache::open(&fleet.database, options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(
            error.message().starts_with(name) && error.message().contains(" between "),
            "{error}"
        );
    }
    let mut options = good();
    options.metrics_every = Duration::ZERO;
    assert!(Cache::open(&fleet.database, options).await.is_err());
}

#[tokio::test]
async fn a_handle_with_a_policy_that_cannot_work_refuses_every_call() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy()).await.with_policy(policy().jitter(f64::NAN));
    let error = cache.set(&key("a"), "value".to_owned()).await.unwrap_err();
    assert!(error.to_string().contains("jitter = NaN is not allowed"), "{error}");
    let loaded = read(&cache, "a", &Source::open()).await;
    assert!(matches!(loaded, Err(LoadError::Misuse(_))), "{loaded:?}");
}

#[tokio::test]
async fn what_is_taken_works_at_its_borders() {
    let fleet = Fleet::new().await;
    let extremes: Vec<CacheOptions> = vec![
        fleet.options().first_tier_bytes(0),
        fleet.options().first_tier_bytes(1 << 50),
        fleet.options().blind_ttl(Duration::ZERO).breaker(u32::MAX, Duration::from_millis(1)),
        fleet.options().pending_removals(0),
        fleet.options().pending_removals(usize::MAX),
        fleet.options().policy(policy().ttl(MAX_TTL).stale_on_error(MAX_TTL)),
        fleet.options().policy(CachePolicy::default().jitter(1.0).eager_refresh(1.0)),
        fleet.options().policy(policy().lease(Duration::from_millis(100)).hard_timeout(MAX_TTL)),
        fleet.options().policy(policy().max_document_bytes(u64::MAX).negative_ttl(MAX_TTL)),
        fleet.options().policy(policy().soft_timeout(Duration::ZERO).ttl(MAX_TTL)),
    ];
    for (at, options) in extremes.into_iter().enumerate() {
        let cache = Cache::open(&fleet.database, options).await.unwrap().of_document("d");
        let (id, source) = (format!("{at}"), Source::open());
        assert_eq!(read(&cache, &id, &source).await.unwrap(), "value 1", "{at}");
        assert_eq!(cache.set(&key(&id), "set".to_owned()).await.unwrap(), Stored::Stored, "{at}");
        assert_eq!(read(&cache, &id, &source).await.unwrap(), "set", "{at}");
        assert_eq!(cache.remove(&key(&id)).await.unwrap(), Delivery::Delivered, "{at}");
        assert_eq!(cache.get(&key(&id)).await.unwrap(), None, "{at}");
    }
}

#[test]
fn the_map_and_the_options_go_by_the_same_bounds() {
    let read = |cache: &str| {
        let text = format!(
            "preset = \"pipeline\"\n[instances.primary]\nurl = \"memory://\"\n[cache]\n{cache}\n"
        );
        DatabaseMapBuilder::toml(&text).and_then(DatabaseMapBuilder::build)
    };
    for (wrong, says) in [
        ("breaker_failures = 0", "breaker_failures = 0 is not allowed: it must be between 1 and"),
        ("database_timeout = \"0s\"", "database_timeout = 0s is not allowed"),
        ("first_tier = \"10KiB\"", "first_tier = 10KiB is not allowed"),
        ("policy = { lease = \"0s\" }", "lease = 0s is not allowed"),
        ("policy = { lease = { production = \"1ms\" } }", "lease = 1ms is not allowed"),
        ("policy = { stale_on_error = \"200y\" }", "stale_on_error = "),
        ("policy = { jitter = nan }", "jitter = NaN is not allowed"),
        ("policy = { max_entry = \"0B\" }", "max_entry = 0B is not allowed"),
    ] {
        let error = read(wrong).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("line"), "{wrong}: {error}");
    }
    assert!(read("first_tier = \"0B\"\npending_removals = 0\nblind_ttl = \"0s\"").is_ok());
}

const SHORT: KeyTemplate<String> =
    KeyTemplate::new("short", "short:{id}", "cache").with_ttl(Duration::from_secs(2));
const LONG: KeyTemplate<String> =
    KeyTemplate::new("long", "long:{id}", "cache").with_ttl(Duration::from_secs(86_400));

async fn ttl(fleet: &Fleet, key: &TypedKey<String>) -> Ttl {
    fleet.database.key_value().ttl(key.as_str()).await.unwrap()
}

#[tokio::test]
async fn keys_of_several_templates_in_one_call_keep_each_its_own_policy() {
    let fleet = Fleet::new().await;
    let options = fleet.options().policy(CachePolicy::default().jitter(0.0)).policy_of(
        "short",
        CachePolicy::default().jitter(0.0).hard_timeout(Duration::from_secs(1)),
    );
    let cache = Cache::open(&fleet.database, options).await.unwrap();
    for swap in [false, true] {
        let id = swap.to_string();
        let (short, long) = (SHORT.key(&[&id]).unwrap(), LONG.key(&[&id]).unwrap());
        let mut keys = vec![long.clone(), short.clone()];
        if swap {
            keys.reverse();
        }
        let load = |keys: Vec<TypedKey<String>>| async move {
            let values = keys.iter().map(|key| Some(key.as_str().to_owned())).collect();
            Ok::<_, std::io::Error>(values)
        };
        cache.get_or_load_many(&keys, load).await.unwrap();
        assert_eq!(ttl(&fleet, &short).await, Ttl::Remaining(Duration::from_secs(2)), "{swap}");
        assert_eq!(ttl(&fleet, &long).await, Ttl::Remaining(Duration::from_secs(86_400)), "{swap}");
    }
    // The key with the short time-out fails alone; the other key gets its value.
    let source = Source::closed();
    let (short, long) = (SHORT.key(&["slow"]).unwrap(), LONG.key(&["slow"]).unwrap());
    let both = tokio::spawn({
        let (cache, source) = (cache.clone(), source.clone());
        let keys = [long.clone(), short];
        let load = move |keys: Vec<TypedKey<String>>| {
            let source = source.clone();
            async move {
                let value = source.load().await?;
                Ok::<_, std::io::Error>(keys.iter().map(|_| Some(value.clone())).collect())
            }
        };
        async move { cache.get_or_load_many(&keys, load).await }
    });
    until("it loads", || source.calls() == 1).await;
    fleet.clock.advance(Duration::from_secs(1));
    let waiting = tokio::spawn({
        let (cache, long) = (cache.clone(), long.clone());
        async move { cache.get_or_load(&long, || async { Ok::<_, LoadError>("own".into()) }).await }
    });
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    source.let_go(1);
    assert!(matches!(both.await.unwrap(), Err(LoadError::TimedOut(_))));
    assert_eq!(*waiting.await.unwrap().unwrap(), "value 1");
}

#[tokio::test]
async fn what_no_cache_wrote_is_an_error_and_stays() {
    let fleet = Fleet::new().await;
    let store = fleet.database.key_value();
    for old in ["\"plain JSON\"", "", "\u{1}\u{2}"] {
        let cache = fleet.cache(policy()).await;
        let value = bytes::Bytes::from(old);
        store.set("doc:a", value.clone(), SetOptions::expiring(TTL)).await.unwrap();
        let error = cache.get(&key("a")).await.unwrap_err();
        assert!(error.to_string().contains("Databases::write"), "{error}");
        assert!(cache.get_many(&[key("a")]).await.is_err());
        let loaded = read(&cache, "a", &Source::open()).await;
        assert!(matches!(loaded, Err(LoadError::Misuse(_))), "{loaded:?}");
        assert_eq!(store.get("doc:a").await.unwrap(), Some(value));
        // After a removal the cache can use the key.
        assert_eq!(cache.remove(&key("a")).await.unwrap(), Delivery::Delivered);
        assert_eq!(read(&cache, "a", &Source::open()).await.unwrap(), "value 1");
        let read = Codec::decode::<String>(&store.get("doc:a").await.unwrap().unwrap());
        assert!(read.unwrap_err().to_string().contains("read it through `Cache`"));
    }
}

#[tokio::test]
async fn two_types_for_one_key_are_an_error_that_says_so() {
    const NUMBER: KeyTemplate<u64> = KeyTemplate::new("doc", "doc:{id}", "cache");
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy()).await;
    let _ = cache.set(&key("a"), "text".to_owned()).await.unwrap();
    let number = NUMBER.key(&["a"]).unwrap();
    let error = cache.get(&number).await.unwrap_err();
    assert!(error.to_string().contains("another type") && error.to_string().contains("u64"));
    assert!(cache.get_many(std::slice::from_ref(&number)).await.is_err());
    let loaded = cache.get_or_load(&number, || async { Ok::<_, LoadError>(7) }).await;
    assert!(loaded.unwrap_err().to_string().contains("another type"));
    assert_eq!(*cache.get(&key("a")).await.unwrap().unwrap(), "text", "it stays");
    // Both at once: one loads, and the other gets an error.
    let source = Source::closed();
    let text = tokio::spawn({
        let (cache, source) = (cache.clone(), source.clone());
        async move { read(&cache, "b", &source).await }
    });
    until("it loads", || source.calls() == 1).await;
    let number = NUMBER.key(&["b"]).unwrap();
    let other = tokio::spawn(async move {
        cache.get_or_load(&number, || async { Ok::<_, LoadError>(7) }).await
    });
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    source.let_go(1);
    assert_eq!(text.await.unwrap().unwrap(), "value 1");
    assert!(matches!(other.await.unwrap(), Err(LoadError::OtherType)));
}

#[tokio::test]
async fn names_of_documents_and_tags_work_or_are_refused_with_their_bounds() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy()).await;
    for (at, name) in ["", "a\nb", "{brace}", "*", "[a-z]", "\\", "ä 漢 字"].iter().enumerate() {
        let (id, document) = (format!("{at}"), cache.of_document(name).tagged(name));
        assert_eq!(document.set(&key(&id), "value".to_owned()).await.unwrap(), Stored::Stored);
        let _ = cache.invalidate_document("another").await;
        assert!(cache.get(&key(&id)).await.unwrap().is_some(), "{name:?}");
        assert_eq!(cache.invalidate_document(name).await, Delivery::Delivered);
        assert_eq!(cache.get(&key(&id)).await.unwrap(), None, "{name:?}");
        let _ = cache.set_no_cache(name, true).await;
        assert_eq!(cache.is_no_cache(name).await, Some(true), "{name:?}");
        assert!(cache.no_cache_documents().await.unwrap().contains(&(*name).to_owned()));
        let _ = cache.set_no_cache(name, false).await;
    }
    let long = "n".repeat(10_000);
    let error = cache.of_document(&long).set(&key("a"), "v".to_owned()).await.unwrap_err();
    assert!(error.to_string().contains("1024 bytes"), "{error}");
    assert_eq!(cache.invalidate_document(&long).await, Delivery::Delivered, "nothing has it");
    let stamp = format!("compartment:stamp:document:{long}");
    assert!(!fleet.database.key_value().exists(&stamp).await.unwrap());
}

#[tokio::test]
async fn a_loader_that_waits_for_its_own_key_is_an_error() {
    let fleet = Fleet::new().await;
    let cache = fleet.cache(policy()).await;
    let [a, b, d] = ["a", "b", "d"].map(key);
    // a -> a.
    let inner = cache.clone();
    let own =
        cache.get_or_load(&a, move || async move { read(&inner, "a", &Source::open()).await });
    let error = own.await.unwrap_err();
    let inside = error.downcast_ref::<LoadError>().unwrap();
    assert!(matches!(inside, LoadError::WaitsForItself), "{error}");
    // b -> c -> b, with several keys in a call.
    let inner = cache.clone();
    let circle =
        cache.get_or_load(&b, move || async move {
            let innermost = inner.clone();
            let load = move |_: Vec<TypedKey<String>>| {
                let innermost = innermost.clone();
                async move {
                    read(&innermost, "b", &Source::open()).await.map(|value| vec![Some(value)])
                }
            };
            let found = inner.get_or_load_many(&[key("c")], load).await?;
            Ok::<_, LoadError>(found[0].as_deref().cloned().unwrap_or_default())
        });
    assert!(circle.await.unwrap_err().to_string().contains("would wait for itself"));
    // A chain of loads is not a circle.
    let inner = cache.clone();
    let chain =
        cache.get_or_load(&d, move || async move { read(&inner, "e", &Source::open()).await });
    assert_eq!(*chain.await.unwrap(), "value 1");
}
