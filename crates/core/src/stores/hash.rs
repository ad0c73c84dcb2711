//! Hashes: fields and values under one key.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Expiry, Result};

/// Hashes of one database. [`crate::KeyValueStore`] deletes and expires a whole hash, and reads its TTL.
///
/// # Contract
/// - `fields_read_back`: each field holds the bytes of its last acknowledged set.
/// - `set_fields_counts_new_fields`: it returns how many did not exist before.
/// - `a_hash_without_fields_does_not_exist`: the hash is removed with its last field.
/// - `hash_operations_on_another_type_are_wrong_type`.
/// - `increment_field_starts_at_zero`, and `increment_of_a_text_is_not_a_number`.
///
/// # Atomicity
/// - `set_fields_is_atomic`: a reader sees all fields of one call or none. One call takes at most
///   [`MAX_FIELDS_AT_ONCE`](crate::MAX_FIELDS_AT_ONCE) fields.
/// - Reads and deletions are atomic for each thousand fields.
/// - `set_field_if_absent_has_one_winner`, `increments_of_a_field_add_up` among concurrent callers.
///
/// # Cancellation
/// A dropped future may or may not have written; it never writes only some fields of a call.
///
/// # Expiry
/// - `a_write_to_a_hash_keeps_its_ttl` unless it sets one; a new hash gets the database's default.
/// - A write that the contract refuses changes nothing.
///
/// # Example
/// ```
/// use compartment_core::{Database, Expiry, HashStoreExt, Result};
///
/// async fn note_state(database: &Database) -> Result<()> {
///     let store = database.hash();
///     store.set_field("doc:state:7f3a", "extract", "done").await?;
///     store.increment_field("doc:state:7f3a", "attempts", 1, Expiry::Keep).await?;
///     assert_eq!(store.get_text("doc:state:7f3a", "attempts").await?.as_deref(), Some("1"));
///     Ok(())
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait HashStore: fmt::Debug + Send + Sync + 'static {
    /// The value of one field.
    async fn get_field(&self, key: &str, field: &str) -> Result<Option<Bytes>>;

    /// The values of `fields`, in order.
    async fn get_fields(&self, key: &str, fields: &[String]) -> Result<Vec<Option<Bytes>>>;

    /// Every field and its value; empty if the hash does not exist. A field name that is not UTF-8 is an error of
    /// kind [`crate::ErrorKind::Decode`].
    async fn get_all(&self, key: &str) -> Result<BTreeMap<String, Bytes>>;

    /// Sets fields; returns how many are new (after a retry perhaps too few). A call without fields is an invalid
    /// argument.
    async fn set_fields(
        &self,
        key: &str,
        fields: Vec<(String, Bytes)>,
        expiry: Expiry,
    ) -> Result<u64>;

    /// Sets a field if it does not exist; `false` if it does, and then the TTL stays too.
    async fn set_field_if_absent(
        &self,
        key: &str,
        field: &str,
        value: Bytes,
        expiry: Expiry,
    ) -> Result<bool>;

    /// Deletes fields; returns how many there were. After a retry the count may be too low.
    async fn delete_fields(&self, key: &str, fields: &[String]) -> Result<u64>;

    /// Adds `by` to a field that holds a whole number; returns the sum.
    async fn increment_field(&self, key: &str, field: &str, by: i64, expiry: Expiry)
    -> Result<i64>;

    /// The number of fields.
    async fn len(&self, key: &str) -> Result<u64>;
}

/// Shorthand methods for any [`HashStore`].
#[async_trait]
pub trait HashStoreExt: HashStore {
    /// Sets one field with the database's default expiry; `true` if it is new.
    ///
    /// # Errors
    /// As [`HashStore::set_fields`].
    async fn set_field(
        &self,
        key: &str,
        field: &str,
        value: impl Into<Bytes> + Send,
    ) -> Result<bool> {
        let fields = vec![(field.to_owned(), value.into())];
        Ok(self.set_fields(key, fields, Expiry::DatabaseDefault).await? > 0)
    }

    /// One field as text; bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// As [`HashStore::get_field`].
    async fn get_text(&self, key: &str, field: &str) -> Result<Option<String>> {
        let value = self.get_field(key, field).await?;
        Ok(value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }
}

impl<S: HashStore + ?Sized> HashStoreExt for S {}
