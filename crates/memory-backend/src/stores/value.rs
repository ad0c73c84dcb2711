//! The value of a key, its expiry, and its size in bytes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use compartment_core::Timestamp;

use crate::stores::batch_state::Batch;
use crate::stores::window::Window;

/// Bytes counted for each key in addition to its name and value: moka's records of an entry, and the allocator's
/// overhead. Measured with a million small keys as the growth of the process minus names and values: 433 bytes
/// without TTLs, 481 with.
pub const ENTRY_OVERHEAD: u64 = 480;
/// Bytes counted for each field of a hash besides its name and value; measured likewise: 143.
const FIELD_OVERHEAD: u64 = 144;
/// Bytes counted for each entry of a rate limit's log.
const GIVEN_OVERHEAD: u64 = 24;

/// A key's value and its expiry.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) value: Value,
    pub(crate) expires_at: Option<Timestamp>,
    /// The bytes of name, value and overhead at the last write. Stored here because moka weighs an entry while its
    /// writer may have the value locked.
    pub(crate) weight: u64,
}

impl Entry {
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// The value of a key. Cheap to clone, because moka clones a value on every read.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Bytes; a counter is stored as its decimal digits.
    Bytes(Bytes),
    /// A hash, or a lock, which is a hash of four fields. It is changed in place under the write lock of its key, so
    /// that a change of one field does not copy a large hash.
    Hash(Shared<Fields>),
    /// The granted permits within a rate limit's window.
    Window(Shared<Window>),
    /// A batch.
    Batch(Shared<Batch>),
}

impl Value {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "a value",
            Self::Hash(_) => "a hash or lock",
            Self::Window(_) => "a rate limit's window",
            Self::Batch(_) => "a batch",
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Hash(fields) => fields.lock().bytes,
            Self::Window(window) => window.lock().len() as u64 * GIVEN_OVERHEAD,
            Self::Batch(batch) => batch.lock().weight(),
        }
    }
}

/// A value shared by its readers and its one writer.
#[derive(Debug, Default)]
pub(crate) struct Shared<T>(Arc<Mutex<T>>);

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(value)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        // A writer checks before it changes, so a panic leaves no partial change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// The fields of a hash and their total size, updated with every change.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    map: BTreeMap<String, Bytes>,
    bytes: u64,
}

impl Fields {
    pub(crate) fn all(&self) -> &BTreeMap<String, Bytes> {
        &self.map
    }

    pub(crate) fn get(&self, field: &str) -> Option<&Bytes> {
        self.map.get(field)
    }

    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.map.get(field).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Sets a field; returns whether it is new.
    pub(crate) fn set(&mut self, field: String, value: Bytes) -> bool {
        let name = field.len() as u64;
        self.bytes += value.len() as u64;
        match self.map.insert(field, value) {
            Some(old) => {
                self.bytes -= old.len() as u64;
                false
            }
            None => {
                self.bytes += name + FIELD_OVERHEAD;
                true
            }
        }
    }

    /// Removes a field; returns whether it existed.
    pub(crate) fn remove(&mut self, field: &str) -> bool {
        let Some(old) = self.map.remove(field) else {
            return false;
        };
        self.bytes -= old.len() as u64 + field.len() as u64 + FIELD_OVERHEAD;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_hash_are_those_of_its_fields_now() {
        let mut fields = Fields::default();
        assert!(fields.set("ab".into(), "xyz".into()));
        assert!(!fields.set("ab".into(), "x".into()));
        assert!(fields.set(String::new(), Bytes::new()));
        assert_eq!(fields.bytes, 3 + 2 * FIELD_OVERHEAD);
        assert!(fields.remove("ab"));
        assert!(!fields.remove("ab"));
        assert!(fields.remove(""));
        assert_eq!(fields.bytes, 0);
    }
}
