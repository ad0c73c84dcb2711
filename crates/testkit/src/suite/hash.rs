//! The contract of [`compartment_core::HashStore`].

use std::collections::BTreeMap;

use bytes::Bytes;
use compartment_core::ErrorKind::{InvalidArgument, NotANumber, WrongType};
use compartment_core::{
    CounterStoreExt, Expiry, HashStoreExt, KeyValueStoreExt, MAX_FIELDS_AT_ONCE, Ttl,
};

use super::databases::{
    MINUTE, all, cache, durable, durable_for_a_minute, expect_end, expect_error, expect_ttl, names,
    one_of_each_type,
};
use crate::Harness;

const KEEP: Expiry = Expiry::DatabaseDefault;

fn fields(fields: &[(&str, &'static str)]) -> Vec<(String, Bytes)> {
    fields.iter().map(|(field, value)| ((*field).to_owned(), Bytes::from(*value))).collect()
}

/// Each field holds the bytes of its last acknowledged set.
pub async fn fields_read_back(harness: &dyn Harness) {
    let hash = durable(harness).await.hash().clone();
    assert_eq!(hash.get_all("h").await.unwrap(), BTreeMap::new());
    assert_eq!(hash.get_field("h", "a").await.unwrap(), None);
    assert_eq!(hash.get_fields("h", &names(&["a", "b"])).await.unwrap(), [None, None]);
    assert_eq!(hash.len("h").await.unwrap(), 0);
    let awkward = [("", "no name"), ("a\r\n", ""), ("ключ", "\u{0}"), ("a", "1")];
    hash.set_fields("h", fields(&awkward), KEEP).await.unwrap();
    hash.set_field("h", "a", vec![0, 255]).await.unwrap();
    assert_eq!(hash.len("h").await.unwrap(), 4);
    let binary = Bytes::from_static(&[0, 255]);
    assert_eq!(hash.get_field("h", "a").await.unwrap(), Some(binary.clone()));
    let some = hash.get_fields("h", &names(&["a", "none", "", "a"])).await.unwrap();
    assert_eq!(some, [Some(binary.clone()), None, Some("no name".into()), Some(binary.clone())]);
    let mut wanted: BTreeMap<String, Bytes> = fields(&awkward).into_iter().collect();
    wanted.insert("a".into(), binary);
    assert_eq!(hash.get_all("h").await.unwrap(), wanted);
    assert_eq!(hash.get_text("h", "").await.unwrap().as_deref(), Some("no name"));
}

/// Returns the number of new fields; a field that is given twice counts once and gets the later value.
pub async fn set_fields_counts_new_fields(harness: &dyn Harness) {
    let hash = durable(harness).await.hash().clone();
    assert_eq!(hash.set_fields("h", fields(&[("a", "1"), ("b", "1")]), KEEP).await.unwrap(), 2);
    assert_eq!(hash.set_fields("h", fields(&[("b", "2"), ("c", "2")]), KEEP).await.unwrap(), 1);
    assert_eq!(hash.set_fields("h", fields(&[("d", "3"), ("d", "4")]), KEEP).await.unwrap(), 1);
    assert_eq!(hash.get_field("h", "d").await.unwrap(), Some("4".into()));
    assert!(!hash.set_field("h", "d", "5").await.unwrap());
}

/// Setting no fields is rejected.
pub async fn setting_no_fields_is_an_invalid_argument(harness: &dyn Harness) {
    let database = durable(harness).await;
    let set = database.hash().set_fields("h", Vec::new(), KEEP).await;
    expect_error(set, InvalidArgument, &database, "h");
    let too_many = vec![("f".to_owned(), Bytes::new()); MAX_FIELDS_AT_ONCE + 1];
    let set = database.hash().set_fields("h", too_many, KEEP).await;
    expect_error(set, InvalidArgument, &database, "h");
}

/// A hash can have more fields than one command of a server should carry.
pub async fn a_hash_of_many_fields_reads_back(harness: &dyn Harness) {
    let hash = durable(harness).await.hash().clone();
    let many: Vec<(String, Bytes)> =
        (0..20_000).map(|i| (format!("field {i}"), Bytes::from(format!("{i}")))).collect();
    assert_eq!(hash.set_fields("h", many.clone(), KEEP).await.unwrap(), 20_000);
    assert_eq!(hash.len("h").await.unwrap(), 20_000);
    let some: Vec<String> = many.iter().step_by(2).map(|(field, _)| field.clone()).collect();
    let values = hash.get_fields("h", &some).await.unwrap();
    assert!(values.iter().zip(many.iter().step_by(2)).all(|(v, (_, w))| v.as_ref() == Some(w)));
    assert_eq!(hash.get_all("h").await.unwrap().len(), 20_000);
    assert_eq!(hash.delete_fields("h", &some).await.unwrap(), 10_000);
}

/// A hash is removed with its last field.
pub async fn a_hash_without_fields_does_not_exist(harness: &dyn Harness) {
    let database = durable(harness).await;
    let hash = database.hash();
    assert_eq!(hash.delete_fields("h", &names(&["a"])).await.unwrap(), 0);
    hash.set_fields("h", fields(&[("a", "1"), ("b", "1")]), MINUTE.into()).await.unwrap();
    assert_eq!(hash.delete_fields("h", &names(&["a", "a", "x"])).await.unwrap(), 1);
    expect_ttl(harness, &database, "h", MINUTE).await;
    assert_eq!(hash.delete_fields("h", &names(&["b"])).await.unwrap(), 1);
    assert!(!database.key_value().exists("h").await.unwrap());
    hash.set_field("h", "a", "1").await.unwrap();
    let ttl = database.key_value().ttl("h").await.unwrap();
    assert_eq!(ttl, Ttl::Unlimited, "a new hash takes nothing over from the old one");
}

/// Every operation on a key of another type fails and changes nothing.
pub async fn hash_operations_on_another_type_are_wrong_type(harness: &dyn Harness) {
    let database = durable(harness).await;
    one_of_each_type(&database).await;
    let hash = database.hash();
    for key in ["value", "counter", "window"] {
        let check = |result| expect_error(result, WrongType, &database, key);
        check(hash.get_field(key, "a").await.map(drop));
        check(hash.get_fields(key, &names(&["a"])).await.map(drop));
        check(hash.get_all(key).await.map(drop));
        check(hash.set_fields(key, fields(&[("a", "1")]), KEEP).await.map(drop));
        check(hash.set_field_if_absent(key, "a", "1".into(), KEEP).await.map(drop));
        check(hash.delete_fields(key, &names(&["a"])).await.map(drop));
        check(hash.increment_field(key, "a", 1, KEEP).await.map(drop));
        check(hash.len(key).await.map(drop));
    }
    assert_eq!(database.key_value().get("value").await.unwrap(), Some("text".into()));
}

/// A missing field counts as zero.
pub async fn increment_field_starts_at_zero(harness: &dyn Harness) {
    let hash = durable(harness).await.hash().clone();
    assert_eq!(hash.increment_field("h", "a", 5, KEEP).await.unwrap(), 5);
    assert_eq!(hash.increment_field("h", "a", -8, KEEP).await.unwrap(), -3);
    assert_eq!(hash.increment_field("h", "b", i64::MIN, KEEP).await.unwrap(), i64::MIN);
    assert_eq!(hash.get_text("h", "a").await.unwrap().as_deref(), Some("-3"));
    hash.set_field("h", "c", i64::MAX.to_string()).await.unwrap();
    assert_eq!(hash.increment_field("h", "c", 0, KEEP).await.unwrap(), i64::MAX);
}

/// A field that is not an integer, or a sum outside `i64`, is an error that changes nothing.
pub async fn increment_of_a_text_is_not_a_number(harness: &dyn Harness) {
    let database = durable(harness).await;
    let hash = database.hash();
    for text in super::counter::NOT_NUMBERS {
        hash.set_field("h", "a", text).await.unwrap();
        let sum = hash.increment_field("h", "a", 1, Expiry::After(MINUTE)).await;
        expect_error(sum, NotANumber, &database, "h");
        assert_eq!(hash.get_field("h", "a").await.unwrap(), Some(text.into()));
        assert_eq!(database.key_value().ttl("h").await.unwrap(), Ttl::Unlimited);
    }
    for (number, by) in [(i64::MAX, 1), (i64::MIN, -1), (-1, i64::MIN)] {
        hash.set_field("h", "a", number.to_string()).await.unwrap();
        let sum = hash.increment_field("h", "a", by, KEEP).await;
        expect_error(sum, NotANumber, &database, "h");
        let text = hash.get_text("h", "a").await.unwrap();
        assert_eq!(text, Some(number.to_string()));
    }
}

/// A reader sees all fields of one call or none.
pub async fn set_fields_is_atomic(harness: &dyn Harness) {
    let database = durable(harness).await;
    let hash = database.hash().clone();
    let set = |value: usize| -> Vec<(String, Bytes)> {
        (0..50).map(|i| (format!("f{i}"), Bytes::from(value.to_string()))).collect()
    };
    hash.set_fields("h", set(0), KEEP).await.unwrap();
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let (hash, sets) =
                (hash.clone(), (0..200).map(|i| set(i * 2 + writer)).collect::<Vec<_>>());
            tokio::spawn(async move {
                for fields in sets {
                    hash.set_fields("h", fields, KEEP).await.unwrap();
                }
            })
        })
        .collect();
    let fields: Vec<String> = (0..50).map(|i| format!("f{i}")).collect();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let seen = hash.get_all("h").await.unwrap();
        assert!(seen.values().all(|value| Some(value) == seen.get("f0")), "{seen:?}");
        let seen = hash.get_fields("h", &fields).await.unwrap();
        assert!(seen.iter().all(|value| value == &seen[0]), "{seen:?}");
    }
    all(writers).await;
}

/// Among many callers that set a field if it is absent, one succeeds.
pub async fn set_field_if_absent_has_one_winner(harness: &dyn Harness) {
    let hash = durable(harness).await.hash().clone();
    let tasks = (0..64)
        .map(|caller| {
            let hash = hash.clone();
            tokio::spawn(async move {
                let value = Bytes::from(caller.to_string());
                let won = hash.set_field_if_absent("h", "a", value.clone(), KEEP).await.unwrap();
                won.then_some(value)
            })
        })
        .collect();
    let winners: Vec<Bytes> = all(tasks).await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(hash.get_field("h", "a").await.unwrap().as_ref(), winners.first());
}

/// No increment among concurrent callers is lost.
pub async fn increments_of_a_field_add_up(harness: &dyn Harness) {
    let hash = durable(harness).await.hash().clone();
    let tasks = (0..32)
        .map(|caller| {
            let hash = hash.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    hash.increment_field("h", "sum", 1, KEEP).await.unwrap();
                    hash.set_field("h", &format!("other {caller}"), "x").await.unwrap();
                }
            })
        })
        .collect();
    all(tasks).await;
    assert_eq!(hash.increment_field("h", "sum", 0, KEEP).await.unwrap(), 32 * 50);
    assert_eq!(hash.len("h").await.unwrap(), 33);
}

/// A write keeps the TTL unless it sets one; a new hash gets the database's default.
pub async fn a_write_to_a_hash_keeps_its_ttl(harness: &dyn Harness) {
    let database = cache(harness).await;
    let hash = database.hash();
    hash.set_field("h", "a", "1").await.unwrap();
    expect_ttl(harness, &database, "h", MINUTE).await;
    hash.set_fields("h", fields(&[("a", "2")]), Expiry::After(MINUTE * 5)).await.unwrap();
    expect_ttl(harness, &database, "h", MINUTE * 5).await;
    for expiry in [Expiry::DatabaseDefault, Expiry::Keep] {
        hash.set_fields("h", fields(&[("b", "1")]), expiry).await.unwrap();
        hash.increment_field("h", "n", 1, expiry).await.unwrap();
        hash.set_field_if_absent("h", "c", "1".into(), expiry).await.unwrap();
        hash.delete_fields("h", &names(&["c"])).await.unwrap();
        expect_ttl(harness, &database, "h", MINUTE * 5).await;
    }
    let longer = Expiry::After(MINUTE * 9);
    assert!(!hash.set_field_if_absent("h", "a", "3".into(), longer).await.unwrap());
    expect_ttl(harness, &database, "h", MINUTE * 5).await;
    hash.increment_field("h", "n", 1, longer).await.unwrap();
    expect_ttl(harness, &database, "h", MINUTE * 9).await;
    expect_end(harness, &database, "h", MINUTE * 9).await;
}

/// A key without a TTL stays without one, whatever the default is.
pub async fn a_write_does_not_give_a_ttl_to_what_lives_for_ever(harness: &dyn Harness) {
    let database = durable_for_a_minute(harness).await;
    database.hash().set_fields("h", fields(&[("a", "1")]), Expiry::Never).await.unwrap();
    database.hash().set_field("h", "b", "1").await.unwrap();
    database.hash().increment_field("h", "n", 1, Expiry::Keep).await.unwrap();
    database.hash().set_field_if_absent("h", "c", "1".into(), Expiry::Keep).await.unwrap();
    assert_eq!(database.key_value().ttl("h").await.unwrap(), Ttl::Unlimited);
    database.counter().increment("n", 1, Expiry::Never).await.unwrap();
    database.counter().increment_one("n").await.unwrap();
    assert_eq!(database.key_value().ttl("n").await.unwrap(), Ttl::Unlimited);
    let kept = compartment_core::SetOptions::expiring(Expiry::Keep);
    database.key_value().set("n", "7".into(), kept).await.unwrap();
    assert_eq!(database.key_value().ttl("n").await.unwrap(), Ttl::Unlimited);
    database.key_value().put("n", "8").await.unwrap();
    expect_ttl(harness, &database, "n", MINUTE).await;
}

suite! { hash as hash_suite, needs Nothing:
    fields_read_back
    set_fields_counts_new_fields
    setting_no_fields_is_an_invalid_argument
    a_hash_of_many_fields_reads_back
    a_hash_without_fields_does_not_exist
    hash_operations_on_another_type_are_wrong_type
    increment_field_starts_at_zero
    increment_of_a_text_is_not_a_number
    set_fields_is_atomic
    set_field_if_absent_has_one_winner
    increments_of_a_field_add_up
    a_write_to_a_hash_keeps_its_ttl
    a_write_does_not_give_a_ttl_to_what_lives_for_ever
}
