//! Rules of a database's contract that hold for every store.

use std::time::Duration;

use bytes::Bytes;
use compartment_core::ErrorKind::{Contract as ContractBroken, InvalidArgument};
use compartment_core::{
    Expiry, KeyValueStoreExt, LockOptions, LockStoreExt, MAX_TTL, RateLimit, RateLimitStoreExt,
    SetOptions, Ttl,
};

use super::databases::{
    MINUTE, cache, coordination, durable, durable_for_a_minute, expect_error, expect_ttl, names,
};
use crate::Harness;

/// A write that would leave a key without a TTL is rejected and changes nothing.
pub async fn cache_and_coordination_keys_always_have_a_ttl(harness: &dyn Harness) {
    // The cache has a default TTL, so only `Never` leaves a key without one there.
    let (cache, locks) = (cache(harness).await, coordination(harness).await);
    let without_default = [Expiry::Never, Expiry::DatabaseDefault, Expiry::Keep];
    for (database, refused) in [(&cache, &without_default[..1]), (&locks, &without_default[..])] {
        let store = database.key_value();
        store.set("a", "1".into(), SetOptions::expiring(MINUTE)).await.unwrap();
        let hash = database.hash();
        hash.set_fields("h", vec![("f".into(), "1".into())], MINUTE.into()).await.unwrap();
        for expiry in refused.iter().copied() {
            let check = |result, key| expect_error(result, ContractBroken, database, key);
            for key in ["a", "new"] {
                check(
                    store.set(key, "2".into(), SetOptions::expiring(expiry)).await.map(drop),
                    key,
                );
                let many = vec![(key.to_owned(), "2".into())];
                check(store.set_many(many, expiry).await, key);
                let expected = (key == "a").then(|| "1".into());
                let set = store.compare_and_set(key, expected, Some("2".into()), expiry).await;
                check(set.map(drop), key);
                check(database.counter().increment(key, 1, expiry).await.map(drop), key);
                let many = vec![(key.to_owned(), 1)];
                check(database.counter().increment_many(many, expiry).await.map(drop), key);
            }
            if expiry != Expiry::Keep {
                check(store.expire("a", expiry).await.map(drop), "a");
            }
            for key in ["h", "new"] {
                let fields = vec![("f".into(), "2".into())];
                check(hash.set_fields(key, fields, expiry).await.map(drop), key);
                let set = hash.set_field_if_absent(key, "g", "2".into(), expiry).await;
                check(set.map(drop), key);
                check(hash.increment_field(key, "f", 1, expiry).await.map(drop), key);
            }
        }
        assert_eq!(store.get("a").await.unwrap(), Some("1".into()));
        assert_eq!(hash.get_field("h", "f").await.unwrap(), Some("1".into()));
        assert_eq!(hash.len("h").await.unwrap(), 1);
        assert_eq!(store.keys("*").await.unwrap(), ["a", "h"]);
        expect_ttl(harness, database, "a", MINUTE).await;
        // A deletion needs no TTL.
        let deleted = store.compare_and_set("a", Some("1".into()), None, Expiry::Never).await;
        assert!(deleted.unwrap());
    }
}

/// Locks and windows set their own TTLs.
pub async fn locks_and_windows_need_no_ttl(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let _ = database.lock().try_acquire("lock", "me", MINUTE).await.unwrap();
    let limit = compartment_core::RateLimit::new(1, MINUTE);
    let _ = database.rate_limit().acquire("window", limit, 1).await.unwrap();
    for key in ["lock", "window"] {
        let ttl = database.key_value().ttl(key).await.unwrap();
        assert!(matches!(ttl, Ttl::Remaining(_)), "{key}: {ttl:?}");
    }
}

/// A key written without a TTL gets the default, through every store.
pub async fn a_key_without_a_ttl_of_its_own_gets_the_default(harness: &dyn Harness) {
    for database in [cache(harness).await, durable_for_a_minute(harness).await] {
        let store = database.key_value();
        store.put("value", "1").await.unwrap();
        store.set_many(vec![("many".into(), "1".into())], Expiry::Keep).await.unwrap();
        store.compare_and_set("swapped", None, Some("1".into()), Expiry::Keep).await.unwrap();
        let default = Expiry::DatabaseDefault;
        database.counter().increment("counter", 1, default).await.unwrap();
        let many = vec![("counters".to_owned(), 1)];
        database.counter().increment_many(many, default).await.unwrap();
        let hash = database.hash();
        hash.set_fields("hash", vec![("f".into(), "1".into())], default).await.unwrap();
        hash.set_field_if_absent("absent", "f", "1".into(), default).await.unwrap();
        hash.increment_field("field", "f", 1, default).await.unwrap();
        for key in ["value", "many", "swapped", "counter", "counters", "hash", "absent", "field"] {
            expect_ttl(harness, &database, key, MINUTE).await;
        }
        store.set("value", "2".into(), SetOptions::expiring(MINUTE * 2)).await.unwrap();
        assert!(store.expire("value", Expiry::DatabaseDefault).await.unwrap());
        expect_ttl(harness, &database, "value", MINUTE).await;
    }
}

/// Zero and more than a hundred years are rejected; less than a millisecond counts as one.
pub async fn a_ttl_that_cannot_be_is_an_invalid_argument(harness: &dyn Harness) {
    let database = durable(harness).await;
    let (store, hash) = (database.key_value(), database.hash());
    store.put("a", "1").await.unwrap();
    for wrong in [Duration::ZERO, MAX_TTL + Duration::from_millis(1), Duration::MAX] {
        let check = |result, key| expect_error(result, InvalidArgument, &database, key);
        let options = SetOptions::expiring(wrong);
        check(store.set("a", "2".into(), options).await.map(drop), "a");
        check(store.set("new", "2".into(), options.if_present()).await.map(drop), "new");
        check(store.set_many(vec![("a".into(), "2".into())], wrong.into()).await, "a");
        check(store.expire("a", wrong.into()).await.map(drop), "a");
        check(database.counter().increment("a", 1, wrong.into()).await.map(drop), "a");
        let fields = vec![("f".into(), "1".into())];
        check(hash.set_fields("new", fields, wrong.into()).await.map(drop), "new");
        check(database.lock().try_acquire("new", "me", wrong).await.map(drop), "new");
        let token = compartment_core::FencingToken::from_number(1);
        check(database.lock().renew("new", token, wrong).await.map(drop), "new");
        let limit = compartment_core::RateLimit::new(1, wrong);
        check(database.rate_limit().acquire("new", limit, 1).await.map(drop), "new");
    }
    assert_eq!(store.get("a").await.unwrap(), Some("1".into()));
    assert_eq!(store.ttl("a").await.unwrap(), Ttl::Unlimited);
    assert!(!store.exists("new").await.unwrap());
    store.set("a", "2".into(), SetOptions::expiring(MAX_TTL)).await.unwrap();
    expect_ttl(harness, &database, "a", MAX_TTL).await;
    store.set("a", "2".into(), SetOptions::expiring(Duration::from_nanos(1))).await.unwrap();
    harness.advance(Duration::from_secs(1)).await;
    assert_eq!(store.delete(&names(&["a"])).await.unwrap(), 0);
}

/// Keys and values may be empty or long, and contain line breaks and the characters of globs and hash tags.
pub async fn names_and_values_may_be_anything(harness: &dyn Harness) {
    let (values, locks) = (durable(harness).await, coordination(harness).await);
    let long = "x".repeat(10_000);
    let limit = RateLimit::new(u32::MAX, MAX_TTL);
    for name in ["", "a\nb", "{}", "{a}{b", "}{", "k*[?\\", " ", "\u{0}", "ключ", &long] {
        let store = values.key_value();
        store.put(name, "").await.unwrap();
        assert_eq!(store.get(name).await.unwrap().as_deref(), Some(&b""[..]), "{name:?}");
        assert_eq!(store.delete(&[name.to_owned()]).await.unwrap(), 1, "{name:?}");
        let fields = vec![(name.to_owned(), Bytes::new())];
        assert_eq!(values.hash().set_fields(name, fields, Expiry::Never).await.unwrap(), 1);
        assert_eq!(values.hash().get_field(name, name).await.unwrap(), Some(Bytes::new()));
        let options = LockOptions::default().owner(name).lease(MAX_TTL).wait(Duration::MAX);
        let guard = locks.lock().lock_or_fail(name, options).await.unwrap();
        let holder = locks.lock().holder(name).await.unwrap().unwrap();
        assert_eq!(holder.owner, name);
        assert!(guard.release().await.unwrap(), "{name:?}");
        values.key_value().delete(&[name.to_owned()]).await.unwrap();
        // The lock's hash is removed first, since a key has one type.
        locks.key_value().delete(&[name.to_owned()]).await.unwrap();
        let clock = harness.clock();
        let store = locks.rate_limit();
        let decision = store.acquire_within(name, limit, 1, &clock, Duration::MAX).await.unwrap();
        assert_eq!((decision.is_allowed, decision.remaining), (true, u32::MAX - 1), "{name:?}");
    }
}

suite! { contract as contract_suite, needs Nothing:
    cache_and_coordination_keys_always_have_a_ttl
    locks_and_windows_need_no_ttl
    a_key_without_a_ttl_of_its_own_gets_the_default
    a_ttl_that_cannot_be_is_an_invalid_argument
    names_and_values_may_be_anything
}
