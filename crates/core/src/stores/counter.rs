//! Counters: whole numbers that many callers add to.

use std::fmt;

use async_trait::async_trait;

use crate::{Expiry, Result};

/// Counters of one database. A counter is a value of decimal digits, as in Redis, so [`crate::KeyValueStore`] can
/// read, delete and expire it.
///
/// # Contract
/// - `a_counter_starts_at_zero`.
/// - `a_counter_reads_as_decimal_text` through the key/value store, and a decimal text as a counter.
/// - `increment_of_a_text_is_not_a_number`: it is an error that changes nothing, as is a sum outside `i64`.
/// - `counter_operations_on_another_type_are_wrong_type`.
///
/// # Atomicity
/// - `increments_add_up` among any number of callers; `take` loses none of them.
///
/// # Cancellation
/// A dropped increment may or may not have been executed. A dropped [`CounterStore::take`] may have removed the
/// counter, and the value is then lost.
///
/// # Expiry
/// - `an_increment_keeps_the_ttl` unless it sets one; a new counter gets the database's default.
///
/// # Example
/// ```
/// use compartment_core::{CounterStoreExt, Database, Result};
///
/// async fn count_request(metrics: &Database) -> Result<i64> {
///     metrics.counter().increment_one("requests:today").await
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait CounterStore: fmt::Debug + Send + Sync + 'static {
    /// Adds `by` (negative to subtract); returns the sum.
    async fn increment(&self, key: &str, by: i64, expiry: Expiry) -> Result<i64>;

    /// Adds to many counters in one round trip; returns the sums in order. Each addition is atomic, but not all
    /// together.
    async fn increment_many(&self, entries: Vec<(String, i64)>, expiry: Expiry)
    -> Result<Vec<i64>>;

    /// The counter's value, if it exists.
    async fn count(&self, key: &str) -> Result<Option<i64>>;

    /// The values of many counters, in order.
    async fn count_many(&self, keys: &[String]) -> Result<Vec<Option<i64>>>;

    /// Reads and removes a counter atomically; 0 if there was none.
    async fn take(&self, key: &str) -> Result<i64>;
}

/// Shorthand methods for any [`CounterStore`].
#[async_trait]
pub trait CounterStoreExt: CounterStore {
    /// Adds one with the database's default expiry; returns the sum.
    ///
    /// # Errors
    /// As [`CounterStore::increment`].
    async fn increment_one(&self, key: &str) -> Result<i64> {
        self.increment(key, 1, Expiry::DatabaseDefault).await
    }
}

impl<S: CounterStore + ?Sized> CounterStoreExt for S {}
