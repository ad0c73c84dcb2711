//! Random programs, with awkward values drawn often.

use std::time::Duration;

use bytes::Bytes;
use compartment_core::{Condition, Expiry, MAX_TTL, RateLimit};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::GRID;
use super::op::{CounterOp, HashOp, KEYS, KeyValueOp, LockOp, Op, Step};

/// None is a field of a lock: the contract does not cover a hash that imitates a lock.
const FIELDS: [&str; 4] = ["f", "", "поле", "a\0b"];
const VALUES: [&[u8]; 12] = [
    b"",
    b"text",
    b"\0\xff\r\n",
    b"0",
    b"-1",
    b"41",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"+1",
    b"007",
    b" 1",
];
const NUMBERS: [i64; 8] = [0, 1, -1, 2, 41, i64::MAX, i64::MIN, -i64::MAX];
const PATTERNS: [&str; 8] = ["*", "", "?", "a", "*c", "\\[\\*\\?\\]", "[^a]", "ключ*"];

/// Generates programs of up to 200 operations. They shrink by omitting operations.
pub fn operations() -> impl Strategy<Value = Vec<Op>> {
    vec(op(), 1..200)
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (0..3_usize, step()).prop_map(|(database, step)| Op::In(database, step)),
        1 => (1..5_u32).prop_map(Op::Advance),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => key_value().prop_map(Step::KeyValue),
        3 => (key(), hash()).prop_map(|(key, op)| Step::Hash(key, op)),
        2 => counter().prop_map(Step::Counter),
        3 => (key(), lock()).prop_map(|(key, op)| Step::Lock(key, op)),
        2 => (key(), limit(), 0..7_u32).prop_map(|(key, limit, n)| Step::Acquire(key, limit, n)),
    ]
}

fn key_value() -> impl Strategy<Value = KeyValueOp> {
    use KeyValueOp::*;
    prop_oneof![
        key().prop_map(Get),
        keys().prop_map(GetMany),
        (key(), value(), expiry(), condition()).prop_map(|(k, v, e, c)| Set(k, v, e, c)),
        (vec((key(), value()), 0..4), expiry()).prop_map(|(entries, e)| SetMany(entries, e)),
        keys().prop_map(Delete),
        key().prop_map(Exists),
        (key(), expiry()).prop_map(|(k, e)| Expire(k, e)),
        (key(), option::of(value()), option::of(value()), expiry())
            .prop_map(|(k, old, new, e)| CompareAndSet(k, old, new, e)),
        select(&PATTERNS[..]).prop_map(|pattern| Scan(pattern.to_owned())),
    ]
}

fn hash() -> impl Strategy<Value = HashOp> {
    use HashOp::*;
    prop_oneof![
        field().prop_map(GetField),
        fields().prop_map(GetFields),
        Just(GetAll),
        (vec((field(), value()), 0..4), expiry()).prop_map(|(fields, e)| SetFields(fields, e)),
        (field(), value(), expiry()).prop_map(|(f, v, e)| SetFieldIfAbsent(f, v, e)),
        fields().prop_map(DeleteFields),
        (field(), number(), expiry()).prop_map(|(f, by, e)| IncrementField(f, by, e)),
        Just(Len),
    ]
}

fn counter() -> impl Strategy<Value = CounterOp> {
    use CounterOp::*;
    prop_oneof![
        (key(), number(), expiry()).prop_map(|(k, by, e)| Increment(k, by, e)),
        (vec((key(), number()), 0..4), expiry()).prop_map(|(entries, e)| IncrementMany(entries, e)),
        key().prop_map(Count),
        keys().prop_map(CountMany),
        key().prop_map(Take),
    ]
}

fn lock() -> impl Strategy<Value = LockOp> {
    use LockOp::*;
    prop_oneof![
        3 => (select(&["me", "", "другой"][..]), lease())
            .prop_map(|(owner, lease)| TryAcquire(owner.to_owned(), lease)),
        2 => (any::<bool>(), lease()).prop_map(|(is_holders, lease)| Renew(is_holders, lease)),
        1 => any::<bool>().prop_map(Release),
        1 => Just(Holder),
    ]
}

fn key() -> impl Strategy<Value = String> {
    select(&KEYS[..]).prop_map(str::to_owned)
}

fn keys() -> impl Strategy<Value = Vec<String>> {
    vec(key(), 0..4)
}

fn field() -> impl Strategy<Value = String> {
    select(&FIELDS[..]).prop_map(str::to_owned)
}

fn fields() -> impl Strategy<Value = Vec<String>> {
    vec(field(), 0..4)
}

fn value() -> impl Strategy<Value = Bytes> {
    select(&VALUES[..]).prop_map(Bytes::from_static)
}

fn number() -> impl Strategy<Value = i64> {
    select(&NUMBERS[..])
}

fn condition() -> impl Strategy<Value = Condition> {
    select(&[Condition::Always, Condition::IfAbsent, Condition::IfPresent][..])
}

fn time() -> impl Strategy<Value = Duration> {
    (1..9_u32).prop_map(|grids| GRID * grids)
}

fn lease() -> impl Strategy<Value = Duration> {
    prop_oneof![20 => time(), 1 => Just(Duration::ZERO)]
}

fn expiry() -> impl Strategy<Value = Expiry> {
    prop_oneof![
        6 => time().prop_map(Expiry::After),
        3 => Just(Expiry::DatabaseDefault),
        3 => Just(Expiry::Keep),
        2 => Just(Expiry::Never),
        1 => select(&[Duration::ZERO, MAX_TTL, Duration::MAX][..]).prop_map(Expiry::After),
    ]
}

fn limit() -> impl Strategy<Value = RateLimit> {
    (0..7_u32, lease()).prop_map(|(permits, window)| RateLimit::new(permits, window))
}
