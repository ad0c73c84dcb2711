//! Databases without async, for programs that have no runtime.
//!
//! Every call blocks its thread. In async code that would block the runtime, so there it fails with
//! [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) instead. It works in `spawn_blocking`, and
//! the databases can be dropped anywhere.
//!
//! ```
//! use compartment::blocking;
//! use compartment::key_value::SetOptions;
//! use compartment::{DatabaseMap, Preset};
//!
//! let databases = blocking::open(DatabaseMap::preset(Preset::Pipeline, "memory://")?)?;
//! let cache = databases.get("cache")?;
//! cache.key_value().set("greeting", "good morning", SetOptions::default())?;
//! assert_eq!(cache.key_value().get("greeting")?.as_deref(), Some(b"good morning".as_slice()));
//! # Ok::<(), compartment::Error>(())
//! ```

mod stores;
mod waiter;

use std::time::Duration;

use compartment_core::{DatabaseMap, Result, TypedKey, Usage};
pub use stores::{
    Batch, BatchEvents, BatchUpkeep, Counter, Hash, KeyValue, Lock, Queue, RateLimiter,
};

use waiter::Waiter;

/// Opens every database of `map`. See [`crate::open`].
///
/// # Errors
/// As [`crate::open`]; [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) in async code.
pub fn open(map: DatabaseMap) -> Result<Databases> {
    let waiter = Waiter::new()?;
    let inner = waiter.wait(crate::open(map))?;
    Ok(Databases { inner, waiter })
}

/// All open databases of a map, by name. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Databases {
    inner: crate::Databases,
    waiter: Waiter,
}

impl Databases {
    /// The database `name`.
    ///
    /// # Errors
    /// As [`crate::Databases::get`].
    pub fn get(&self, name: &str) -> Result<Database> {
        Ok(Database { inner: self.inner.get(name)?.clone(), waiter: self.waiter.clone() })
    }

    /// The value of a typed key.
    ///
    /// # Errors
    /// As [`crate::Databases::read`].
    pub fn read<V: serde::de::DeserializeOwned>(&self, key: &TypedKey<V>) -> Result<Option<V>> {
        self.waiter.wait(self.inner.read(key))
    }

    /// Writes a typed key.
    ///
    /// # Errors
    /// As [`crate::Databases::write`].
    pub fn write<V: serde::Serialize>(&self, key: &TypedKey<V>, value: &V) -> Result<()> {
        self.waiter.wait(self.inner.write(key, value))
    }

    /// Deletes a typed key; `false` if it did not exist.
    ///
    /// # Errors
    /// As [`crate::Databases::remove`].
    pub fn remove<V>(&self, key: &TypedKey<V>) -> Result<bool> {
        self.waiter.wait(self.inner.remove(key))
    }

    /// Waits for background work: see [`crate::Databases::close`].
    ///
    /// # Errors
    /// As [`crate::Databases::close`].
    pub fn close(&self, limit: Duration) -> Result<()> {
        self.waiter.wait(self.inner.close(limit))
    }

    /// The async form of these databases.
    #[must_use]
    pub fn as_async(&self) -> &crate::Databases {
        &self.inner
    }
}

/// One open database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    inner: crate::Database,
    waiter: Waiter,
}

impl Database {
    /// Keys and values.
    #[must_use]
    pub fn key_value(&self) -> KeyValue {
        KeyValue::new(self.inner.key_value(), &self.waiter)
    }

    /// Hashes.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::new(self.inner.hash(), &self.waiter)
    }

    /// Counters.
    #[must_use]
    pub fn counter(&self) -> Counter {
        Counter::new(self.inner.counter(), &self.waiter)
    }

    /// Locks.
    #[must_use]
    pub fn lock(&self) -> Lock {
        Lock::new(self.inner.lock(), &self.waiter)
    }

    /// Rate limits.
    #[must_use]
    pub fn rate_limit(&self) -> RateLimiter {
        RateLimiter::new(self.inner.rate_limit(), &self.waiter)
    }

    /// Batches.
    #[must_use]
    pub fn batch(&self) -> Batch {
        Batch::new(self.inner.batch(), &self.waiter)
    }

    /// The outbox and the documents of batches.
    #[must_use]
    pub fn batch_upkeep(&self) -> BatchUpkeep {
        BatchUpkeep::new(self.inner.batch_upkeep(), &self.waiter)
    }

    /// Events of batches.
    #[must_use]
    pub fn batch_events(&self) -> BatchEvents {
        BatchEvents::new(self.inner.batch_events(), &self.waiter)
    }

    /// Queues.
    #[must_use]
    pub fn queue(&self) -> Queue {
        Queue::new(self.inner.queue(), &self.waiter)
    }

    /// Keys and bytes.
    ///
    /// # Errors
    /// As [`crate::usage::UsageStore::usage`].
    pub fn usage(&self) -> Result<Usage> {
        self.waiter.wait(self.inner.usage().usage())
    }
}
