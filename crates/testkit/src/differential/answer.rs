//! Runs a step on a database and returns the answer as text that can be compared.

use std::fmt::Debug;

use compartment_core::{Database, FencingToken, KeyValueStoreExt, Result, SetOptions};

use super::op::{CounterOp, HashOp, KeyValueOp, LockOp, Step};

pub(super) async fn of(database: &Database, step: &Step) -> String {
    match step {
        Step::KeyValue(op) => key_value(database, op.clone()).await,
        Step::Hash(key, op) => hash(database, key, op.clone()).await,
        Step::Counter(op) => counter(database, op.clone()).await,
        Step::Lock(key, op) => lock(database, key, op).await,
        Step::Acquire(key, limit, permits) => {
            text(database.rate_limit().acquire(key, *limit, *permits).await)
        }
    }
}

/// The value as text; for an error its kind and the database it names.
pub(super) fn text<T: Debug>(result: Result<T>) -> String {
    match result {
        Ok(answer) => format!("{answer:?}"),
        Err(error) => format!("{:?} in {:?}", error.kind(), error.database()),
    }
}

async fn key_value(database: &Database, op: KeyValueOp) -> String {
    let store = database.key_value();
    match op {
        KeyValueOp::Get(key) => text(store.get(&key).await),
        KeyValueOp::GetMany(keys) => text(store.get_many(&keys).await),
        KeyValueOp::Set(key, value, expiry, condition) => {
            let mut options = SetOptions::expiring(expiry);
            options.condition = condition;
            text(store.set(&key, value, options).await)
        }
        KeyValueOp::SetMany(entries, expiry) => text(store.set_many(entries, expiry).await),
        KeyValueOp::Delete(keys) => text(store.delete(&keys).await),
        KeyValueOp::Exists(key) => text(store.exists(&key).await),
        KeyValueOp::Expire(key, expiry) => text(store.expire(&key, expiry).await),
        KeyValueOp::CompareAndSet(key, expected, replacement, expiry) => {
            text(store.compare_and_set(&key, expected, replacement, expiry).await)
        }
        KeyValueOp::Scan(pattern) => text(store.keys(&pattern).await),
    }
}

async fn hash(database: &Database, key: &str, op: HashOp) -> String {
    let store = database.hash();
    match op {
        HashOp::GetField(field) => text(store.get_field(key, &field).await),
        HashOp::GetFields(fields) => text(store.get_fields(key, &fields).await),
        HashOp::GetAll => {
            let mut all = store.get_all(key).await;
            if let Ok(fields) = &mut all {
                // The name of the attempt is random, so it is not compared.
                fields.entry("attempt".to_owned()).and_modify(|name| *name = Default::default());
            }
            text(all)
        }
        HashOp::SetFields(fields, expiry) => text(store.set_fields(key, fields, expiry).await),
        HashOp::SetFieldIfAbsent(field, value, expiry) => {
            text(store.set_field_if_absent(key, &field, value, expiry).await)
        }
        HashOp::DeleteFields(fields) => text(store.delete_fields(key, &fields).await),
        HashOp::IncrementField(field, by, expiry) => {
            text(store.increment_field(key, &field, by, expiry).await)
        }
        HashOp::Len => text(store.len(key).await),
    }
}

async fn counter(database: &Database, op: CounterOp) -> String {
    let store = database.counter();
    match op {
        CounterOp::Increment(key, by, expiry) => text(store.increment(&key, by, expiry).await),
        CounterOp::IncrementMany(entries, expiry) => {
            text(store.increment_many(entries, expiry).await)
        }
        CounterOp::Count(key) => text(store.count(&key).await),
        CounterOp::CountMany(keys) => text(store.count_many(&keys).await),
        CounterOp::Take(key) => text(store.take(&key).await),
    }
}

async fn lock(database: &Database, key: &str, op: &LockOp) -> String {
    let store = database.lock();
    // The token of this side's holder; earlier answers have shown that both sides have the same one.
    let token = |is_holders: bool| async move {
        let holder = database.lock().holder(key).await.ok().flatten();
        let held = holder.map_or(FencingToken::from_number(1), |holder| holder.token);
        if is_holders { held } else { FencingToken::from_number(held.number() - 1) }
    };
    match op {
        LockOp::TryAcquire(owner, lease) => text(store.try_acquire(key, owner, *lease).await),
        LockOp::Renew(is_holders, lease) => {
            text(store.renew(key, token(*is_holders).await, *lease).await)
        }
        LockOp::Release(is_holders) => text(store.release(key, token(*is_holders).await).await),
        LockOp::Holder => text(store.holder(key).await),
    }
}
