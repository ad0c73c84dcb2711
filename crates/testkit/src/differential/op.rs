//! The operations of a program.

use bytes::Bytes;
use compartment_core::{Condition, Expiry, RateLimit};
use std::time::Duration;

/// Few keys, so that operations of different stores meet on one key.
pub(super) const KEYS: [&str; 5] = ["a", "", "{b}: c", "ключ\r\n", "[*?]"];
/// One operation of a program.
#[derive(Clone, Debug)]
pub enum Op {
    /// A step in one of the databases.
    In(usize, Step),
    /// Advances the clock by this many [`super::GRID`]s.
    Advance(u32),
}

/// A step in one database.
#[derive(Clone, Debug)]
pub enum Step {
    /// On keys and values.
    KeyValue(KeyValueOp),
    /// On the hash at a key.
    Hash(String, HashOp),
    /// On counters.
    Counter(CounterOp),
    /// On the lock at a key.
    Lock(String, LockOp),
    /// Requests this many permits.
    Acquire(String, RateLimit, u32),
}

/// A step on keys and values.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is the store's operation of that name")]
pub enum KeyValueOp {
    Get(String),
    GetMany(Vec<String>),
    Set(String, Bytes, Expiry, Condition),
    SetMany(Vec<(String, Bytes)>, Expiry),
    Delete(Vec<String>),
    Exists(String),
    Expire(String, Expiry),
    CompareAndSet(String, Option<Bytes>, Option<Bytes>, Expiry),
    Scan(String),
}

/// A step on a hash.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is the store's operation of that name")]
pub enum HashOp {
    GetField(String),
    GetFields(Vec<String>),
    GetAll,
    SetFields(Vec<(String, Bytes)>, Expiry),
    SetFieldIfAbsent(String, Bytes, Expiry),
    DeleteFields(Vec<String>),
    IncrementField(String, i64, Expiry),
    Len,
}

/// A step on counters.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is the store's operation of that name")]
pub enum CounterOp {
    Increment(String, i64, Expiry),
    IncrementMany(Vec<(String, i64)>, Expiry),
    Count(String),
    CountMany(Vec<String>),
    Take(String),
}

/// A step on a lock. `true` stands for the current holder's token, `false` for one that is too low.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is the store's operation of that name")]
pub enum LockOp {
    TryAcquire(String, Duration),
    Renew(bool, Duration),
    Release(bool),
    Holder,
}

impl Op {
    /// The keys whose TTLs are compared afterwards; every key if time has advanced.
    pub(super) fn touches(&self) -> Vec<(usize, String)> {
        match self {
            Self::In(database, step) => {
                step.keys().into_iter().map(|key| (*database, key)).collect()
            }
            Self::Advance(_) => (0..super::contracts().len())
                .flat_map(|database| KEYS.iter().map(move |key| (database, (*key).to_owned())))
                .collect(),
        }
    }
}

impl Step {
    fn keys(&self) -> Vec<String> {
        match self {
            Self::Hash(key, _) | Self::Lock(key, _) | Self::Acquire(key, ..) => vec![key.clone()],
            Self::KeyValue(op) => match op {
                KeyValueOp::Get(key)
                | KeyValueOp::Set(key, ..)
                | KeyValueOp::Exists(key)
                | KeyValueOp::Expire(key, _)
                | KeyValueOp::CompareAndSet(key, ..) => vec![key.clone()],
                KeyValueOp::GetMany(keys) | KeyValueOp::Delete(keys) => keys.clone(),
                KeyValueOp::SetMany(entries, _) => {
                    entries.iter().map(|(key, _)| key.clone()).collect()
                }
                KeyValueOp::Scan(_) => Vec::new(),
            },
            Self::Counter(op) => match op {
                CounterOp::Increment(key, ..) | CounterOp::Count(key) | CounterOp::Take(key) => {
                    vec![key.clone()]
                }
                CounterOp::IncrementMany(entries, _) => {
                    entries.iter().map(|(key, _)| key.clone()).collect()
                }
                CounterOp::CountMany(keys) => keys.clone(),
            },
        }
    }
}
