//! One open database: its contract and its stores.

use std::sync::Arc;

use crate::backend::{Stores, Traffic, Unfinished};
use crate::{
    BatchEventStore, BatchStore, BatchUpkeepStore, ChannelStore, Contract, CounterStore, HashStore,
    KeyValueStore, LockStore, QueueStore, RateLimitStore, UsageStore,
};

/// One open database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    contract: Arc<Contract>,
    traffic: Arc<Traffic>,
    unfinished: Unfinished,
    stores: Stores,
}

impl Database {
    /// A database with these stores; for backends and wrappers.
    #[must_use]
    pub fn new(contract: Arc<Contract>, traffic: Arc<Traffic>, stores: Stores) -> Self {
        Self { contract, traffic, unfinished: Unfinished::default(), stores }
    }

    /// Sets the backend's own count of unfinished work.
    #[must_use]
    pub fn with_unfinished(mut self, unfinished: Unfinished) -> Self {
        self.unfinished = unfinished;
        self
    }

    /// The database with other stores, and with the contract, traffic and unfinished work of this one; for wrappers.
    #[must_use]
    pub fn with_stores(mut self, stores: Stores) -> Self {
        self.stores = stores;
        self
    }

    /// Background work that no caller waits for. Code built on a database counts such work here, so that
    /// [`crate::Databases::close`] waits for it.
    #[must_use]
    pub fn unfinished(&self) -> &Unfinished {
        &self.unfinished
    }

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.contract.name
    }

    /// The database's contract. The placement is the one in use: on a cluster without numbered databases it is a
    /// prefix, whatever the map requests.
    #[must_use]
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// Counters of this process's requests to the database.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// All its stores, for wrappers.
    #[must_use]
    pub fn stores(&self) -> &Stores {
        &self.stores
    }

    /// Keys and values.
    #[must_use]
    pub fn key_value(&self) -> &Arc<dyn KeyValueStore> {
        self.stores.key_value()
    }

    /// Hashes.
    #[must_use]
    pub fn hash(&self) -> &Arc<dyn HashStore> {
        self.stores.hash()
    }

    /// Counters.
    #[must_use]
    pub fn counter(&self) -> &Arc<dyn CounterStore> {
        self.stores.counter()
    }

    /// Locks.
    #[must_use]
    pub fn lock(&self) -> &Arc<dyn LockStore> {
        self.stores.lock()
    }

    /// Rate limits.
    #[must_use]
    pub fn rate_limit(&self) -> &Arc<dyn RateLimitStore> {
        self.stores.rate_limit()
    }

    /// Queues.
    #[must_use]
    pub fn queue(&self) -> &Arc<dyn QueueStore> {
        self.stores.queue()
    }

    /// Batches.
    #[must_use]
    pub fn batch(&self) -> &Arc<dyn BatchStore> {
        self.stores.batch()
    }

    /// The outbox and the documents of batches.
    #[must_use]
    pub fn batch_upkeep(&self) -> &Arc<dyn BatchUpkeepStore> {
        self.stores.batch_upkeep()
    }

    /// Events of batches.
    #[must_use]
    pub fn batch_events(&self) -> &Arc<dyn BatchEventStore> {
        self.stores.batch_events()
    }

    /// Channels.
    #[must_use]
    pub fn channel(&self) -> &Arc<dyn ChannelStore> {
        self.stores.channel()
    }

    /// Keys and bytes.
    #[must_use]
    pub fn usage(&self) -> &Arc<dyn UsageStore> {
        self.stores.usage()
    }
}
