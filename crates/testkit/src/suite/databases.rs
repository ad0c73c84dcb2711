//! The databases opened by the suite, and checks on their keys.

use std::time::Duration;

use compartment_core::{
    Contract, CounterStoreExt, Database, DatabaseKind, Error, ErrorKind, HashStoreExt,
    KeyValueStoreExt, RateLimit, Result, Ttl,
};

use crate::Harness;

/// The TTL of most tests. A server's clock continues while a test runs, so keys that must not expire get far more
/// time than a test takes.
pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// A key on a server may have this much less time left than was set, since the test takes time.
const SLACK: Duration = Duration::from_secs(10);

/// A database that needs no TTLs.
pub(super) async fn durable(harness: &dyn Harness) -> Database {
    harness.open(Contract::new("results", DatabaseKind::Durable).with_index(1)).await
}

/// A database with a default TTL of one minute.
pub(super) async fn durable_for_a_minute(harness: &dyn Harness) -> Database {
    let contract = Contract::new("reports", DatabaseKind::Durable).with_index(4);
    harness.open(contract.default_ttl(MINUTE)).await
}

/// A cache with a default TTL of one minute.
pub(super) async fn cache(harness: &dyn Harness) -> Database {
    let contract = Contract::new("cache", DatabaseKind::Cache).with_index(2);
    harness.open(contract.default_ttl(MINUTE)).await
}

/// A database for locks and limits.
pub(super) async fn coordination(harness: &dyn Harness) -> Database {
    harness.open(Contract::new("locks", DatabaseKind::Coordination).with_index(3)).await
}

/// The names of the keys created by [`one_of_each_type`].
pub(super) const EACH_TYPE: [&str; 5] = ["value", "counter", "hash", "lock", "window"];

/// Creates one key of each type.
pub(super) async fn one_of_each_type(database: &Database) {
    database.key_value().put("value", "text").await.unwrap();
    database.counter().increment_one("counter").await.unwrap();
    database.hash().set_field("hash", "field", "1").await.unwrap();
    let _ = database.lock().try_acquire("lock", "me", MINUTE).await.unwrap();
    let limit = RateLimit::new(5, MINUTE);
    let _ = database.rate_limit().acquire("window", limit, 1).await.unwrap();
}

/// Checks the kind of an error, and that it names the database and the key.
#[track_caller]
pub(super) fn expect_error<T>(result: Result<T>, kind: ErrorKind, database: &Database, key: &str) {
    let error: Error = result.err().expect("an error was expected");
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(error.database(), Some(database.name()), "{error}");
    assert_eq!(error.key(), Some(key), "{error}");
    assert!(!error.operation().is_empty() && !error.message().is_empty(), "{error:?}");
}

/// Checks the remaining TTL of a key: exactly with an injected clock, approximately with a server's.
pub(super) async fn expect_ttl(
    harness: &dyn Harness,
    database: &Database,
    key: &str,
    wanted: Duration,
) {
    let Ttl::Remaining(left) = database.key_value().ttl(key).await.unwrap() else {
        panic!("{key:?} has no TTL");
    };
    let least =
        if harness.capabilities().injected_clock { wanted } else { wanted.saturating_sub(SLACK) };
    assert!(least <= left && left <= wanted, "{key:?} has {left:?} left, wanted {wanted:?}");
}

/// Checks that `key` exists just before `ttl` has passed, and not afterwards.
pub(super) async fn expect_end(
    harness: &dyn Harness,
    database: &Database,
    key: &str,
    ttl: Duration,
) {
    let moment =
        if harness.capabilities().injected_clock { Duration::from_millis(1) } else { SLACK };
    harness.advance(ttl - moment).await;
    assert!(database.key_value().exists(key).await.unwrap(), "{key:?} ended too early");
    harness.advance(moment).await;
    assert!(!database.key_value().exists(key).await.unwrap(), "{key:?} did not end");
    assert_eq!(database.key_value().ttl(key).await.unwrap(), Ttl::Missing);
}

/// Names in the form that the stores take.
pub(super) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Waits for every task and returns their answers.
pub(super) async fn all<T: Send + 'static>(tasks: Vec<tokio::task::JoinHandle<T>>) -> Vec<T> {
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        answers.push(task.await.expect("the task does not panic"));
    }
    answers
}
