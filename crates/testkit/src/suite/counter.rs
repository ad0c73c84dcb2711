//! The contract of [`compartment_core::CounterStore`].

use compartment_core::ErrorKind::{NotANumber, WrongType};
use compartment_core::{CounterStoreExt, Expiry, KeyValueStoreExt, Ttl};

use super::databases::{
    MINUTE, all, cache, durable, expect_end, expect_error, expect_ttl, names, one_of_each_type,
};
use crate::Harness;

const KEEP: Expiry = Expiry::DatabaseDefault;

/// Texts that Redis does not accept as integers, though some languages do.
pub(super) const NOT_NUMBERS: [&str; 11] =
    ["", "text", " 1", "1 ", "+1", "01", "-0", "1.0", "1e3", "9223372036854775808", "٣"];

/// A missing counter counts as zero.
pub async fn a_counter_starts_at_zero(harness: &dyn Harness) {
    let counter = durable(harness).await.counter().clone();
    assert_eq!(counter.count("a").await.unwrap(), None);
    assert_eq!(counter.take("a").await.unwrap(), 0);
    assert_eq!(counter.increment_one("a").await.unwrap(), 1);
    assert_eq!(counter.increment("a", -3, KEEP).await.unwrap(), -2);
    assert_eq!(counter.increment("b", 0, KEEP).await.unwrap(), 0);
    assert_eq!(counter.count("b").await.unwrap(), Some(0));
    let counts = counter.count_many(&names(&["b", "none", "a", "b"])).await.unwrap();
    assert_eq!(counts, [Some(0), None, Some(-2), Some(0)]);
    assert_eq!(counter.count_many(&[]).await.unwrap(), []);
}

/// A counter can be read through the key/value store, and a decimal text as a counter.
pub async fn a_counter_reads_as_decimal_text(harness: &dyn Harness) {
    let database = durable(harness).await;
    let (counter, store) = (database.counter(), database.key_value());
    for number in [0, -1, 42, i64::MAX, i64::MIN] {
        counter.take("a").await.unwrap();
        counter.increment("a", number, KEEP).await.unwrap();
        assert_eq!(store.get("a").await.unwrap(), Some(number.to_string().into()));
        store.put("b", number.to_string()).await.unwrap();
        assert_eq!(counter.count("b").await.unwrap(), Some(number));
        assert_eq!(counter.increment("b", 0, KEEP).await.unwrap(), number);
        assert_eq!(counter.take("b").await.unwrap(), number);
        assert!(!store.exists("b").await.unwrap());
    }
}

/// Texts, and sums outside `i64`, are errors that change nothing.
pub async fn increment_of_a_text_is_not_a_number(harness: &dyn Harness) {
    let database = durable(harness).await;
    let (counter, store) = (database.counter(), database.key_value());
    for text in NOT_NUMBERS {
        store.put("a", text).await.unwrap();
        let sum = counter.increment("a", 1, Expiry::After(MINUTE)).await;
        expect_error(sum, NotANumber, &database, "a");
        expect_error(counter.take("a").await, NotANumber, &database, "a");
        expect_error(counter.count("a").await, NotANumber, &database, "a");
        let many = counter.count_many(&names(&["a"])).await;
        assert_eq!(many.unwrap_err().kind(), NotANumber);
        assert_eq!(store.get("a").await.unwrap(), Some(text.into()), "unchanged");
        assert_eq!(store.ttl("a").await.unwrap(), Ttl::Unlimited);
    }
    for (number, by) in [(i64::MAX, 1), (i64::MIN, -1), (i64::MIN, i64::MIN)] {
        store.put("a", number.to_string()).await.unwrap();
        expect_error(counter.increment("a", by, KEEP).await, NotANumber, &database, "a");
        assert_eq!(counter.count("a").await.unwrap(), Some(number));
    }
}

/// Every operation on a hash, lock or window fails and changes nothing.
pub async fn counter_operations_on_another_type_are_wrong_type(harness: &dyn Harness) {
    let database = durable(harness).await;
    one_of_each_type(&database).await;
    let counter = database.counter();
    for key in ["hash", "lock", "window"] {
        expect_error(counter.increment(key, 1, KEEP).await, WrongType, &database, key);
        expect_error(counter.count(key).await, WrongType, &database, key);
        expect_error(counter.take(key).await, WrongType, &database, key);
        let many = counter.count_many(&names(&["counter", key])).await;
        assert_eq!(many.unwrap_err().kind(), WrongType);
        let many = counter.increment_many(vec![(key.to_owned(), 1)], KEEP).await;
        assert_eq!(many.unwrap_err().kind(), WrongType);
        assert!(database.key_value().exists(key).await.unwrap());
    }
}

/// Several counters are incremented in order; one that is given twice is incremented twice.
pub async fn increment_many_answers_in_order(harness: &dyn Harness) {
    let database = durable(harness).await;
    let counter = database.counter();
    let entry = |key: &str, by| (key.to_owned(), by);
    let entries = vec![entry("a", 1), entry("b", -2), entry("a", 5)];
    assert_eq!(counter.increment_many(entries, KEEP).await.unwrap(), [1, -2, 6]);
    assert_eq!(counter.increment_many(Vec::new(), KEEP).await.unwrap(), Vec::<i64>::new());
    let entries = vec![entry("a", 1), entry("c", 1)];
    assert_eq!(counter.increment_many(entries, MINUTE.into()).await.unwrap(), [7, 1]);
    expect_ttl(harness, &database, "a", MINUTE).await;
    expect_ttl(harness, &database, "c", MINUTE).await;
}

/// Increments add up among any number of callers.
pub async fn increments_add_up(harness: &dyn Harness) {
    let counter = durable(harness).await.counter().clone();
    let tasks = (0..64)
        .map(|_| {
            let counter = counter.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    counter.increment("a", 3, KEEP).await.unwrap();
                    let many = vec![("a".to_owned(), -1), ("b".to_owned(), 1)];
                    counter.increment_many(many, KEEP).await.unwrap();
                }
            })
        })
        .collect();
    all(tasks).await;
    assert_eq!(counter.count("a").await.unwrap(), Some(64 * 25 * 2));
    assert_eq!(counter.count("b").await.unwrap(), Some(64 * 25));
}

/// The amounts taken and the rest add up to the increments.
pub async fn take_loses_no_increment(harness: &dyn Harness) {
    let counter = durable(harness).await.counter().clone();
    let tasks = (0..32)
        .map(|caller| {
            let counter = counter.clone();
            tokio::spawn(async move {
                let mut taken = 0;
                for _ in 0..50 {
                    if caller % 4 == 0 {
                        taken += counter.take("a").await.unwrap();
                    } else {
                        counter.increment_one("a").await.unwrap();
                    }
                }
                taken
            })
        })
        .collect();
    let taken: i64 = all(tasks).await.into_iter().sum();
    assert_eq!(taken + counter.take("a").await.unwrap(), 24 * 50);
}

/// An increment keeps the TTL unless it sets one; a new counter gets the database's default.
pub async fn an_increment_keeps_the_ttl(harness: &dyn Harness) {
    let database = cache(harness).await;
    let counter = database.counter();
    counter.increment_one("a").await.unwrap();
    expect_ttl(harness, &database, "a", MINUTE).await;
    counter.increment("a", 1, Expiry::After(MINUTE * 4)).await.unwrap();
    expect_ttl(harness, &database, "a", MINUTE * 4).await;
    harness.advance(MINUTE).await;
    counter.increment_one("a").await.unwrap();
    counter.increment("a", 1, Expiry::Keep).await.unwrap();
    expect_ttl(harness, &database, "a", MINUTE * 3).await;
    expect_end(harness, &database, "a", MINUTE * 3).await;
    counter.increment("a", 1, Expiry::Keep).await.unwrap();
    expect_ttl(harness, &database, "a", MINUTE).await;
}

suite! { counter as counter_suite, needs Nothing:
    a_counter_starts_at_zero
    a_counter_reads_as_decimal_text
    increment_of_a_text_is_not_a_number
    counter_operations_on_another_type_are_wrong_type
    increment_many_answers_in_order
    increments_add_up
    take_loses_no_increment
    an_increment_keeps_the_ttl
}
