//! The stores that a backend provides for one database.

use std::sync::Arc;

use super::unsupported::Unsupported;
use crate::{
    BatchEventStore, BatchStore, BatchUpkeepStore, ChannelStore, CounterStore, HashStore,
    KeyValueStore, LockStore, QueueStore, RateLimitStore, UsageStore,
};

/// Declares the stores once: their fields, accessors and setters.
macro_rules! stores {
    ($($(#[$about:meta])* $name:ident: $trait:ident, $text:literal;)+) => {
        /// The stores of one database. Cheap to clone.
        ///
        /// ```
        /// # use std::sync::Arc;
        /// # use compartment_core::{CounterStore, KeyValueStore};
        /// use compartment_core::backend::Stores;
        ///
        /// # fn stores(key_value: Arc<dyn KeyValueStore>, counter: Arc<dyn CounterStore>) -> Stores {
        /// // A call to any other store answers `ErrorKind::Unsupported`.
        /// Stores::builder("etcd", key_value).counter(counter).build()
        /// # }
        /// ```
        #[derive(Clone, Debug)]
        pub struct Stores {
            key_value: Arc<dyn KeyValueStore>,
            $($name: Arc<dyn $trait>,)+
        }

        impl Stores {
            /// Begins with the store that every backend has. Each call to a store that is not set returns
            /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported), naming the store and `backend`.
            #[must_use]
            pub fn builder(backend: &str, key_value: Arc<dyn KeyValueStore>) -> StoresBuilder {
                let stores = Self {
                    key_value,
                    $($name: Arc::new(Unsupported::new(backend, $text)),)+
                };
                StoresBuilder { stores }
            }

            /// A builder with these stores, for a wrapper that replaces some of them.
            #[must_use]
            pub fn into_builder(self) -> StoresBuilder {
                StoresBuilder { stores: self }
            }

            /// Keys and values.
            #[must_use]
            pub fn key_value(&self) -> &Arc<dyn KeyValueStore> {
                &self.key_value
            }

            $($(#[$about])*
            #[must_use]
            pub fn $name(&self) -> &Arc<dyn $trait> {
                &self.$name
            })+
        }

        impl StoresBuilder {
            /// Keys and values.
            #[must_use]
            pub fn key_value(mut self, store: Arc<dyn KeyValueStore>) -> Self {
                self.stores.key_value = store;
                self
            }

            $($(#[$about])*
            #[must_use]
            pub fn $name(mut self, store: Arc<dyn $trait>) -> Self {
                self.stores.$name = store;
                self
            })+
        }
    };
}

stores! {
    /// Hashes.
    hash: HashStore, "hashes";
    /// Counters.
    counter: CounterStore, "counters";
    /// Locks.
    lock: LockStore, "locks";
    /// Rate limits.
    rate_limit: RateLimitStore, "rate limits";
    /// Queues.
    queue: QueueStore, "queues";
    /// Batches.
    batch: BatchStore, "batches";
    /// The outbox and the documents of batches.
    batch_upkeep: BatchUpkeepStore, "upkeep of batches";
    /// Events of batches.
    batch_events: BatchEventStore, "events of batches";
    /// Channels.
    channel: ChannelStore, "channels";
    /// Keys and bytes.
    usage: UsageStore, "usage";
}

/// Builds [`Stores`].
#[derive(Clone, Debug)]
pub struct StoresBuilder {
    stores: Stores,
}

impl StoresBuilder {
    /// Builds the stores.
    #[must_use]
    pub fn build(self) -> Stores {
        self.stores
    }
}
