//! Keys and values.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Codec, Expiry, Result};

/// The keys of a scan, one by one.
pub type KeyStream = BoxStream<'static, Result<String>>;

/// When a set takes effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Always.
    #[default]
    Always,
    /// Only if the key does not exist.
    IfAbsent,
    /// Only if the key exists.
    IfPresent,
}

/// Options of a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SetOptions {
    /// The lifetime of the value.
    pub expiry: Expiry,
    /// When the set takes effect.
    pub condition: Condition,
}

impl SetOptions {
    /// An unconditional set with this expiry.
    #[must_use]
    pub fn expiring(expiry: impl Into<Expiry>) -> Self {
        Self { expiry: expiry.into(), condition: Condition::Always }
    }

    /// Writes the value if the key does not exist.
    #[must_use]
    pub fn if_absent(self) -> Self {
        Self { condition: Condition::IfAbsent, ..self }
    }

    /// Writes the value if the key exists.
    #[must_use]
    pub fn if_present(self) -> Self {
        Self { condition: Condition::IfPresent, ..self }
    }
}

/// The remaining lifetime of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ttl {
    /// The key does not exist.
    Missing,
    /// The key has no TTL.
    Unlimited,
    /// The remaining time, with a precision of a millisecond.
    Remaining(Duration),
}

/// Keys and values of one database.
///
/// # Contract
/// - `get_returns_what_was_set`: the bytes of the last acknowledged set, or nothing.
/// - `keys_are_separate_between_databases`: a key of one database is not seen in another.
/// - `set_replaces_any_type`: a set replaces a hash, counter, lock or window.
/// - `get_of_another_type_is_wrong_type`: `get` and `get_many` of a hash, lock or window fail.
/// - `set_if_absent_and_if_present`: a conditional set returns whether it took effect.
/// - `delete_counts_what_existed`, keys of any type; a name given twice counts once.
/// - `scan_returns_every_key_present_throughout` at least once, perhaps more often. Names that are not UTF-8 (written
///   by other programs) are left out; the administration commands see them.
/// - `cache_and_coordination_keys_always_have_a_ttl`: a write that would leave a key without one is refused.
///
/// # Atomicity
/// - `compare_and_set_is_atomic`: among any number of callers one succeeds for each expected value.
/// - Each entry of `set_many`, `get_many` and `delete` is atomic, but not all together.
///
/// # Expiry
/// - `a_key_is_gone_when_its_ttl_has_passed`, for every operation and to the millisecond.
/// - `a_set_replaces_the_ttl`, except with [`Expiry::Keep`].
/// - `expire_and_ttl_work_on_every_type`.
///
/// # Cancellation
/// A dropped future may or may not have written; it never writes half an entry.
///
/// # Errors
/// Reads are retried after a transient failure, writes only if that is safe; see [`crate::ErrorKind`] for the errors
/// that remain.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use compartment_core::{Database, Expiry, KeyValueStoreExt, Result, SetOptions};
///
/// async fn greet(database: &Database) -> Result<()> {
///     let store = database.key_value();
///     let hour = SetOptions::expiring(Expiry::After(Duration::from_secs(3_600)));
///     store.set("greeting:anna", "good morning".into(), hour).await?;
///     assert_eq!(store.get("greeting:anna").await?.as_deref(), Some(&b"good morning"[..]));
///     assert!(store.remove("greeting:anna").await?);
///     Ok(())
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait KeyValueStore: fmt::Debug + Send + Sync + 'static {
    /// The value of `key`.
    async fn get(&self, key: &str) -> Result<Option<Bytes>>;

    /// The values of `keys`, in order.
    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>>;

    /// Sets `key`; returns whether the set took effect, which an unconditional set always does.
    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<bool>;

    /// Sets every entry.
    async fn set_many(&self, entries: Vec<(String, Bytes)>, expiry: Expiry) -> Result<()>;

    /// Deletes `keys` of any type; returns how many there were. After a retry the count may be too low.
    async fn delete(&self, keys: &[String]) -> Result<u64>;

    /// Whether a key of any type exists.
    async fn exists(&self, key: &str) -> Result<bool>;

    /// Changes the TTL of a key of any type; `false` if the key does not exist. [`Expiry::Keep`] changes nothing.
    async fn expire(&self, key: &str, expiry: Expiry) -> Result<bool>;

    /// The remaining lifetime of a key of any type.
    async fn ttl(&self, key: &str) -> Result<Ttl>;

    /// Sets `key` to `replacement` (`None` deletes it) if it holds `expected` (`None`: if it does not exist); returns
    /// whether it did.
    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<Bytes>,
        replacement: Option<Bytes>,
        expiry: Expiry,
    ) -> Result<bool>;

    /// The keys of any type whose name matches Redis's glob `pattern`.
    fn scan(&self, pattern: &str) -> KeyStream;
}

/// Typed and shorthand methods for any [`KeyValueStore`].
#[async_trait]
pub trait KeyValueStoreExt: KeyValueStore {
    /// The decoded value of `key`.
    ///
    /// # Errors
    /// Also [`crate::ErrorKind::Decode`] if the bytes are not a `T`.
    async fn get_as<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        match self.get(key).await? {
            Some(bytes) => Codec::decode(&bytes).map(Some).map_err(|error| error.at_key(key)),
            None => Ok(None),
        }
    }

    /// Sets `key` to `value`, encoded with `codec`.
    ///
    /// # Errors
    /// Also [`crate::ErrorKind::Encode`].
    async fn set_as<T: Serialize + Sync + ?Sized>(
        &self,
        key: &str,
        value: &T,
        codec: Codec,
        options: SetOptions,
    ) -> Result<bool> {
        let bytes = codec.encode(value).map_err(|error| error.at_key(key))?;
        self.set(key, bytes, options).await
    }

    /// Sets `key` to `value` with the database's default TTL.
    ///
    /// # Errors
    /// As [`KeyValueStore::set`].
    async fn put(&self, key: &str, value: impl Into<Bytes> + Send) -> Result<()> {
        self.set(key, value.into(), SetOptions::default()).await.map(drop)
    }

    /// Deletes one key; `false` if it did not exist.
    ///
    /// # Errors
    /// As [`KeyValueStore::delete`].
    async fn remove(&self, key: &str) -> Result<bool> {
        Ok(self.delete(&[key.to_owned()]).await? > 0)
    }

    /// Every matching key, once and sorted: for small databases and tests.
    ///
    /// # Errors
    /// As [`KeyValueStore::scan`].
    async fn keys(&self, pattern: &str) -> Result<Vec<String>> {
        let mut scan = self.scan(pattern);
        let mut keys = std::collections::BTreeSet::new();
        while let Some(key) = scan.next().await {
            keys.insert(key?);
        }
        Ok(keys.into_iter().collect())
    }
}

impl<S: KeyValueStore + ?Sized> KeyValueStoreExt for S {}
