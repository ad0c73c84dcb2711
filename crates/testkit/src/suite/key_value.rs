//! The contract of [`compartment_core::KeyValueStore`].

use std::time::Duration;

use bytes::Bytes;
use compartment_core::ErrorKind::WrongType;
use compartment_core::{
    Condition, Expiry, HashStoreExt, KeyValueStoreExt, SetOptions, Ttl, escape_glob,
};

use super::databases::{
    EACH_TYPE, MINUTE, all, cache, durable, expect_end, expect_error, expect_ttl, names,
    one_of_each_type,
};
use crate::Harness;

/// Names with characters that are special to globs, clusters and protocols.
const AWKWARD: [&str; 9] =
    ["", " ", "a\r\nb", "*", "[x]", "\\", "{tag}:1", "ключ:日本", "a:b:c:\u{0}:d"];

/// A read returns the bytes of the last acknowledged set, or nothing.
pub async fn get_returns_what_was_set(harness: &dyn Harness) {
    let store = durable(harness).await.key_value().clone();
    assert_eq!(store.get("a").await.unwrap(), None);
    let large = Bytes::from(vec![7; 3 << 20]);
    for value in [&b""[..], b"text", b"\0\xff\r\n", b"$5\r\n"].map(Bytes::from_static) {
        store.put("a", value.clone()).await.unwrap();
        assert_eq!(store.get("a").await.unwrap(), Some(value));
    }
    store.put("a", large.clone()).await.unwrap();
    assert_eq!(store.get("a").await.unwrap(), Some(large));
    for key in AWKWARD {
        store.put(key, key).await.unwrap();
    }
    for key in AWKWARD {
        assert_eq!(store.get(key).await.unwrap(), Some(Bytes::from(key)), "{key:?}");
        assert!(store.exists(key).await.unwrap());
    }
}

/// Values are returned in the order of their keys; a key that is given twice is returned twice.
pub async fn many_are_set_and_read_in_order(harness: &dyn Harness) {
    let store = durable(harness).await.key_value().clone();
    let entries: Vec<(String, Bytes)> =
        (0..500).map(|i| (format!("key {i}"), Bytes::from(format!("value {i}")))).collect();
    store.set_many(entries.clone(), Expiry::DatabaseDefault).await.unwrap();
    let asked: Vec<String> = entries.iter().rev().map(|(key, _)| key.clone()).collect();
    let wanted: Vec<_> = entries.iter().rev().map(|(_, value)| Some(value.clone())).collect();
    assert_eq!(store.get_many(&asked).await.unwrap(), wanted);
    let twice = names(&["key 1", "missing", "key 1"]);
    let one = Some(Bytes::from("value 1"));
    assert_eq!(store.get_many(&twice).await.unwrap(), [one.clone(), None, one]);
    assert_eq!(store.get_many(&[]).await.unwrap(), []);
    store.set_many(Vec::new(), Expiry::DatabaseDefault).await.unwrap();
    let last = vec![("a".to_owned(), "1".into()), ("a".to_owned(), "2".into())];
    store.set_many(last, Expiry::DatabaseDefault).await.unwrap();
    assert_eq!(store.get("a").await.unwrap(), Some("2".into()));
}

/// A key of one database is not seen in another.
pub async fn keys_are_separate_between_databases(harness: &dyn Harness) {
    let (first, second) = (durable(harness).await, cache(harness).await);
    one_of_each_type(&first).await;
    for key in EACH_TYPE {
        assert!(!second.key_value().exists(key).await.unwrap(), "{key}");
    }
    assert_eq!(second.key_value().keys("*").await.unwrap(), Vec::<String>::new());
    assert_eq!(second.usage().usage().await.unwrap().keys, 0);
    second.key_value().put("value", "other").await.unwrap();
    assert_eq!(first.key_value().get("value").await.unwrap(), Some("text".into()));
    assert_eq!(second.key_value().delete(&names(&EACH_TYPE)).await.unwrap(), 1);
    assert_eq!(first.key_value().keys("*").await.unwrap().len(), EACH_TYPE.len());
}

/// Opening a database twice gives access to one database.
pub async fn a_database_opened_twice_is_one(harness: &dyn Harness) {
    let (first, again) = (durable(harness).await, durable(harness).await);
    first.key_value().put("a", "1").await.unwrap();
    assert_eq!(again.key_value().get("a").await.unwrap(), Some("1".into()));
}

/// A set replaces a hash, counter, lock or window.
pub async fn set_replaces_any_type(harness: &dyn Harness) {
    let database = durable(harness).await;
    let store = database.key_value();
    for expiry in [Expiry::DatabaseDefault, Expiry::After(MINUTE), Expiry::Keep] {
        store.delete(&names(&EACH_TYPE)).await.unwrap();
        one_of_each_type(&database).await;
        for key in EACH_TYPE {
            assert!(store.set(key, "new".into(), SetOptions::expiring(expiry)).await.unwrap());
            let value = store.get(key).await.unwrap();
            assert_eq!(value, Some("new".into()), "{key} with {expiry:?}");
        }
    }
}

/// `get` and `get_many` of a hash, lock or window fail, and so does a compare-and-set.
pub async fn get_of_another_type_is_wrong_type(harness: &dyn Harness) {
    let database = durable(harness).await;
    one_of_each_type(&database).await;
    let store = database.key_value();
    for key in ["hash", "lock", "window"] {
        expect_error(store.get(key).await, WrongType, &database, key);
        let many = store.get_many(&names(&["value", key, "none"])).await;
        assert_eq!(many.unwrap_err().kind(), WrongType);
        for expected in [None, Some("text".into())] {
            let set = store.compare_and_set(key, expected, Some("b".into()), Expiry::Keep).await;
            expect_error(set, WrongType, &database, key);
        }
        assert!(store.exists(key).await.unwrap());
    }
}

/// A conditional set returns whether it took effect.
pub async fn set_if_absent_and_if_present(harness: &dyn Harness) {
    let store = durable(harness).await.key_value().clone();
    let absent = SetOptions::default().if_absent();
    let present = SetOptions::default().if_present();
    assert_eq!(absent.condition, Condition::IfAbsent);
    assert!(!store.set("a", "1".into(), present).await.unwrap());
    assert_eq!(store.get("a").await.unwrap(), None);
    assert!(store.set("a", "2".into(), absent).await.unwrap());
    assert!(!store.set("a", "3".into(), absent).await.unwrap());
    assert_eq!(store.get("a").await.unwrap(), Some("2".into()));
    assert!(store.set("a", "4".into(), present).await.unwrap());
    assert_eq!(store.get("a").await.unwrap(), Some("4".into()));
}

/// A set without effect leaves the TTL unchanged too.
pub async fn a_set_without_effect_keeps_the_ttl(harness: &dyn Harness) {
    let database = cache(harness).await;
    let store = database.key_value();
    let (short, long) = (SetOptions::expiring(MINUTE), SetOptions::expiring(MINUTE * 10));
    store.set("a", "1".into(), short).await.unwrap();
    assert!(!store.set("a", "2".into(), long.if_absent()).await.unwrap());
    expect_ttl(harness, &database, "a", MINUTE).await;
    let kept = SetOptions::expiring(Expiry::Keep).if_present();
    assert!(store.set("a", "3".into(), kept).await.unwrap());
    expect_ttl(harness, &database, "a", MINUTE).await;
    assert!(!store.set("b", "3".into(), kept).await.unwrap());
    let kept = SetOptions::expiring(Expiry::Keep).if_absent();
    assert!(!store.set("a", "4".into(), kept).await.unwrap());
    assert!(store.set("b", "4".into(), kept).await.unwrap());
    expect_ttl(harness, &database, "b", MINUTE).await;
}

/// Keys of any type are deleted; a name given twice counts once.
pub async fn delete_counts_what_existed(harness: &dyn Harness) {
    let database = durable(harness).await;
    one_of_each_type(&database).await;
    let store = database.key_value();
    assert_eq!(store.delete(&names(&["value", "none", "value"])).await.unwrap(), 1);
    assert_eq!(store.delete(&names(&EACH_TYPE)).await.unwrap(), 4);
    assert_eq!(store.delete(&names(&EACH_TYPE)).await.unwrap(), 0);
    assert_eq!(store.delete(&[]).await.unwrap(), 0);
    assert!(!store.remove("value").await.unwrap());
}

/// Every key that exists throughout is returned at least once, whatever is written meanwhile.
pub async fn scan_returns_every_key_present_throughout(harness: &dyn Harness) {
    let store = durable(harness).await.key_value().clone();
    let entries = (0..3_000).map(|i| (format!("stays:{i}"), Bytes::from_static(b"x"))).collect();
    store.set_many(entries, Expiry::DatabaseDefault).await.unwrap();
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for i in 0..2_000 {
                let key = format!("comes and goes:{i}");
                store.put(&key, "x").await.unwrap();
                store.remove(&key).await.unwrap();
            }
        }
    });
    for _ in 0..3 {
        assert_eq!(store.keys("stays:*").await.unwrap().len(), 3_000);
    }
    writer.await.unwrap();
    assert_eq!(store.keys("*").await.unwrap().len(), 3_000);
}

/// Names match as in Redis, for keys of any type.
pub async fn scan_goes_by_globs(harness: &dyn Harness) {
    let database = durable(harness).await;
    let store = database.key_value();
    for key in AWKWARD {
        store.put(key, "x").await.unwrap();
        let found = store.keys(&escape_glob(key)).await.unwrap();
        assert_eq!(found, [key], "{key:?}");
        store.remove(key).await.unwrap();
    }
    one_of_each_type(&database).await;
    assert_eq!(store.keys("*").await.unwrap().len(), EACH_TYPE.len());
    assert_eq!(store.keys("?a[^k-m]h").await.unwrap(), ["hash"]);
    assert_eq!(store.keys("*l*").await.unwrap(), ["lock", "value"]);
    assert_eq!(store.keys("").await.unwrap(), Vec::<String>::new());
    database.hash().set_field("HASH", "a", "b").await.unwrap();
    assert_eq!(store.keys("h*").await.unwrap(), ["hash"]);
}

/// A scan does not return expired keys.
pub async fn scan_leaves_out_what_has_ended(harness: &dyn Harness) {
    let store = durable(harness).await.key_value().clone();
    store.set("short", "x".into(), SetOptions::expiring(MINUTE)).await.unwrap();
    store.put("long", "x").await.unwrap();
    harness.advance(MINUTE).await;
    assert_eq!(store.keys("*").await.unwrap(), ["long"]);
}

/// A value is replaced or deleted only if it equals the expected one.
pub async fn compare_and_set_goes_by_the_expected_value(harness: &dyn Harness) {
    let store = durable(harness).await.key_value().clone();
    let text = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let keep = Expiry::DatabaseDefault;
    assert!(!store.compare_and_set("a", text("1"), text("2"), keep).await.unwrap());
    assert!(store.compare_and_set("a", None, None, keep).await.unwrap());
    assert!(store.compare_and_set("a", None, text(""), keep).await.unwrap());
    assert!(!store.compare_and_set("a", None, text("2"), keep).await.unwrap());
    assert!(store.compare_and_set("a", text(""), text("2"), keep).await.unwrap());
    assert!(!store.compare_and_set("a", text(""), None, keep).await.unwrap());
    assert_eq!(store.get("a").await.unwrap(), text("2"));
    assert!(store.compare_and_set("a", text("2"), None, keep).await.unwrap());
    assert!(!store.exists("a").await.unwrap());
}

/// Among any number of callers, one succeeds for each expected value.
pub async fn compare_and_set_is_atomic(harness: &dyn Harness) {
    const CALLERS: u64 = 16;
    const EACH: u64 = 20;
    let store = durable(harness).await.key_value().clone();
    let tasks = (0..CALLERS)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut won = 0;
                while won < EACH {
                    let old = store.get("a").await.unwrap();
                    let number: u64 = old
                        .as_deref()
                        .map_or(0, |text| std::str::from_utf8(text).unwrap().parse().unwrap());
                    let next = Some(Bytes::from((number + 1).to_string()));
                    let set = store.compare_and_set("a", old, next, Expiry::Never).await;
                    won += u64::from(set.unwrap());
                }
            })
        })
        .collect();
    all(tasks).await;
    let sum = (CALLERS * EACH).to_string();
    assert_eq!(store.get("a").await.unwrap(), Some(Bytes::from(sum)));
}

/// Among many callers that set a key if it is absent, one succeeds.
pub async fn set_if_absent_has_one_winner(harness: &dyn Harness) {
    let store = durable(harness).await.key_value().clone();
    for round in 0..20 {
        let tasks = (0..32)
            .map(|caller| {
                let (store, key) = (store.clone(), format!("round {round}"));
                let options = SetOptions::default().if_absent();
                tokio::spawn(async move {
                    store.set(&key, caller.to_string().into(), options).await.unwrap()
                })
            })
            .collect();
        assert_eq!(all(tasks).await.into_iter().filter(|won| *won).count(), 1);
    }
}

/// An expired key is gone for every operation.
pub async fn a_key_is_gone_when_its_ttl_has_passed(harness: &dyn Harness) {
    let database = durable(harness).await;
    let store = database.key_value();
    let minute = SetOptions::expiring(MINUTE);
    store.set("a", "1".into(), minute).await.unwrap();
    expect_end(harness, &database, "a", MINUTE).await;
    assert_eq!(store.get("a").await.unwrap(), None);
    assert_eq!(store.get_many(&names(&["a"])).await.unwrap(), [None]);
    assert!(!store.expire("a", Expiry::After(MINUTE)).await.unwrap());
    assert!(!store.set("a", "2".into(), minute.if_present()).await.unwrap());
    assert_eq!(store.delete(&names(&["a"])).await.unwrap(), 0);
    assert!(store.set("a", "3".into(), minute.if_absent()).await.unwrap());
    harness.advance(MINUTE).await;
    assert!(store.compare_and_set("a", None, Some("4".into()), Expiry::Keep).await.unwrap());
    assert_eq!(store.ttl("a").await.unwrap(), Ttl::Unlimited, "the old TTL went with the key");

    store.set("c", "5".into(), minute).await.unwrap();
    database.hash().set_fields("h", vec![("f".into(), "1".into())], MINUTE.into()).await.unwrap();
    harness.advance(MINUTE).await;
    assert_eq!(database.counter().increment("c", 1, Expiry::Keep).await.unwrap(), 1);
    assert!(database.hash().set_field("h", "g", "2").await.unwrap());
    assert_eq!(database.hash().len("h").await.unwrap(), 1);
    // The new key has another type than the expired one.
    store.set("d", "6".into(), minute).await.unwrap();
    harness.advance(MINUTE).await;
    assert!(database.hash().set_field("d", "f", "7").await.unwrap());
}

/// A set replaces the TTL, removes it, or keeps it.
pub async fn a_set_replaces_the_ttl(harness: &dyn Harness) {
    let database = durable(harness).await;
    let store = database.key_value();
    store.set("a", "1".into(), SetOptions::expiring(MINUTE)).await.unwrap();
    expect_ttl(harness, &database, "a", MINUTE).await;
    store.set("a", "2".into(), SetOptions::expiring(MINUTE * 3)).await.unwrap();
    expect_ttl(harness, &database, "a", MINUTE * 3).await;
    harness.advance(MINUTE).await;
    store.set("a", "3".into(), SetOptions::expiring(Expiry::Keep)).await.unwrap();
    expect_ttl(harness, &database, "a", MINUTE * 2).await;
    store.put("a", "4").await.unwrap();
    assert_eq!(store.ttl("a").await.unwrap(), Ttl::Unlimited);
    let many = vec![("a".to_owned(), Bytes::new()), ("b".to_owned(), Bytes::new())];
    store.set_many(many, Expiry::After(MINUTE)).await.unwrap();
    expect_ttl(harness, &database, "a", MINUTE).await;
    expect_ttl(harness, &database, "b", MINUTE).await;
    store.compare_and_set("a", Some(Bytes::new()), Some("5".into()), Expiry::Keep).await.unwrap();
    expect_ttl(harness, &database, "a", MINUTE).await;
    let never = Expiry::Never;
    store.compare_and_set("a", Some("5".into()), Some("6".into()), never).await.unwrap();
    assert_eq!(store.ttl("a").await.unwrap(), Ttl::Unlimited);
}

/// The TTL of a key of any type can be set, read and removed, and ends the key.
pub async fn expire_and_ttl_work_on_every_type(harness: &dyn Harness) {
    let database = durable(harness).await;
    let store = database.key_value();
    assert!(!store.expire("none", Expiry::After(MINUTE)).await.unwrap());
    assert!(!store.expire("none", Expiry::Keep).await.unwrap());
    assert_eq!(store.ttl("none").await.unwrap(), Ttl::Missing);
    one_of_each_type(&database).await;
    for key in EACH_TYPE {
        assert!(store.expire(key, Expiry::After(MINUTE)).await.unwrap());
        expect_ttl(harness, &database, key, MINUTE).await;
        assert!(store.expire(key, Expiry::Keep).await.unwrap());
        expect_ttl(harness, &database, key, MINUTE).await;
        assert!(store.expire(key, Expiry::Never).await.unwrap());
        assert_eq!(store.ttl(key).await.unwrap(), Ttl::Unlimited);
        assert!(store.expire(key, Expiry::After(MINUTE)).await.unwrap());
        assert!(store.expire(key, Expiry::DatabaseDefault).await.unwrap());
        assert_eq!(store.ttl(key).await.unwrap(), Ttl::Unlimited, "the default here is none");
        assert!(store.expire(key, Expiry::After(MINUTE)).await.unwrap());
    }
    harness.advance(MINUTE + Duration::from_secs(1)).await;
    for key in EACH_TYPE {
        assert_eq!(store.ttl(key).await.unwrap(), Ttl::Missing, "{key}");
    }
}

/// Reads count as hits or misses, writes as writes.
pub async fn traffic_is_counted(harness: &dyn Harness) {
    let database = durable(harness).await;
    let store = database.key_value();
    store.put("a", "1").await.unwrap();
    assert!(database.traffic().snapshot().writes >= 1);
    store.get("a").await.unwrap();
    store.get("b").await.unwrap();
    store.get_many(&names(&["a", "b", "c"])).await.unwrap();
    let traffic = database.traffic().snapshot();
    assert_eq!((traffic.hits, traffic.misses, traffic.retries), (2, 3, 0));
}

/// Keys of every type are counted, with their bytes.
pub async fn usage_counts_keys_and_bytes(harness: &dyn Harness) {
    let database = durable(harness).await;
    let empty = database.usage().usage().await.unwrap();
    assert_eq!((empty.keys, empty.bytes), (0, 0));
    one_of_each_type(&database).await;
    assert_eq!(database.usage().usage().await.unwrap().keys, EACH_TYPE.len() as u64);
    for i in 0..100 {
        database.key_value().put(&format!("large {i}"), vec![1; 10_000]).await.unwrap();
    }
    let bytes = database.usage().usage().await.unwrap().bytes;
    assert!((900_000..2_500_000).contains(&bytes), "{bytes} bytes for a million");
}

suite! { key_value as key_value_suite, needs Nothing:
    get_returns_what_was_set
    many_are_set_and_read_in_order
    keys_are_separate_between_databases
    a_database_opened_twice_is_one
    set_replaces_any_type
    get_of_another_type_is_wrong_type
    set_if_absent_and_if_present
    a_set_without_effect_keeps_the_ttl
    delete_counts_what_existed
    scan_returns_every_key_present_throughout
    scan_goes_by_globs
    scan_leaves_out_what_has_ended
    compare_and_set_goes_by_the_expected_value
    compare_and_set_is_atomic
    set_if_absent_has_one_winner
    a_key_is_gone_when_its_ttl_has_passed
    a_set_replaces_the_ttl
    expire_and_ttl_work_on_every_type
    traffic_is_counted
    usage_counts_keys_and_bytes
}
