//! An open database, the backend that opens it, and all of them by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
#[cfg(feature = "tokio")]
use futures_util::future::join_all;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::database_map::nearest;
use crate::{
    BatchEventStore, BatchStore, BatchUpkeepStore, ChannelStore, Codec, Contract, CounterStore,
    DatabaseMap, Error, ErrorKind, Expiry, HashStore, KeyValueStore, LockStore, QueueStore,
    RateLimitStore, Result, SetOptions, Traffic, TypedKey, Unfinished, UsageStore,
};

/// What a backend can and cannot do; each backend's tests pin it, so that a conformance suite
/// that shrank by itself is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// What is written outlives the process.
    pub outlives_process: bool,
    /// Other processes see it.
    pub shared_between_processes: bool,
    /// A `cache` database stays within its `memory_budget` by itself.
    pub holds_budget: bool,
    /// Time is the injected clock for every store, not only for locks and limits.
    pub injected_clock: bool,
}

impl Capabilities {
    /// No capability at all: set the fields that apply.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            outlives_process: false,
            shared_between_processes: false,
            holds_budget: false,
            injected_clock: false,
        }
    }
}

/// Opens databases on one instance.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Opens the database of this contract.
    async fn open(&self, contract: Contract) -> Result<Database>;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Where it is, for people: no secrets.
    fn location(&self) -> String;
}

/// The stores of one database.
#[derive(Clone, Debug)]
pub struct Stores {
    /// Keys and values.
    pub key_value: Arc<dyn KeyValueStore>,
    /// Hashes.
    pub hash: Arc<dyn HashStore>,
    /// Counters.
    pub counter: Arc<dyn CounterStore>,
    /// Locks.
    pub lock: Arc<dyn LockStore>,
    /// Rate limits.
    pub rate_limit: Arc<dyn RateLimitStore>,
    /// Queues.
    pub queue: Arc<dyn QueueStore>,
    /// Batches.
    pub batch: Arc<dyn BatchStore>,
    /// What batches keep besides their progress.
    pub batch_upkeep: Arc<dyn BatchUpkeepStore>,
    /// Events of batches.
    pub batch_events: Arc<dyn BatchEventStore>,
    /// Channels.
    pub channel: Arc<dyn ChannelStore>,
    /// Keys and bytes.
    pub usage: Arc<dyn UsageStore>,
}

/// One open database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    contract: Arc<Contract>,
    traffic: Arc<Traffic>,
    unfinished: Unfinished,
    stores: Stores,
}

impl Database {
    /// A database of `stores`, for backends and wrappers.
    #[must_use]
    pub fn new(contract: Arc<Contract>, traffic: Arc<Traffic>, stores: Stores) -> Self {
        Self { contract, traffic, unfinished: Unfinished::default(), stores }
    }

    /// The database with its backend's own count of unfinished work.
    #[must_use]
    pub fn with_unfinished(mut self, unfinished: Unfinished) -> Self {
        self.unfinished = unfinished;
        self
    }

    /// What it still has to do that nobody waits for. Whoever builds on a database counts such work
    /// here, so that [`Databases::close`] waits for it.
    #[must_use]
    pub fn unfinished(&self) -> &Unfinished {
        &self.unfinished
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.contract.name
    }

    /// Its contract. The placement is the one in use: on a cluster without numbered databases it
    /// is a prefix, whatever the map asked for.
    #[must_use]
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// What has gone through it in this process.
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
        &self.stores.key_value
    }

    /// Hashes.
    #[must_use]
    pub fn hash(&self) -> &Arc<dyn HashStore> {
        &self.stores.hash
    }

    /// Counters.
    #[must_use]
    pub fn counter(&self) -> &Arc<dyn CounterStore> {
        &self.stores.counter
    }

    /// Locks.
    #[must_use]
    pub fn lock(&self) -> &Arc<dyn LockStore> {
        &self.stores.lock
    }

    /// Rate limits.
    #[must_use]
    pub fn rate_limit(&self) -> &Arc<dyn RateLimitStore> {
        &self.stores.rate_limit
    }

    /// Queues.
    #[must_use]
    pub fn queue(&self) -> &Arc<dyn QueueStore> {
        &self.stores.queue
    }

    /// Batches.
    #[must_use]
    pub fn batch(&self) -> &Arc<dyn BatchStore> {
        &self.stores.batch
    }

    /// What batches keep besides their progress.
    #[must_use]
    pub fn batch_upkeep(&self) -> &Arc<dyn BatchUpkeepStore> {
        &self.stores.batch_upkeep
    }

    /// Events of batches.
    #[must_use]
    pub fn batch_events(&self) -> &Arc<dyn BatchEventStore> {
        &self.stores.batch_events
    }

    /// Channels.
    #[must_use]
    pub fn channel(&self) -> &Arc<dyn ChannelStore> {
        &self.stores.channel
    }

    /// Keys and bytes.
    #[must_use]
    pub fn usage(&self) -> &Arc<dyn UsageStore> {
        &self.stores.usage
    }
}

/// Every database of a map, open, by name. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Databases {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    map: DatabaseMap,
    open: BTreeMap<String, Database>,
    locations: BTreeMap<String, String>,
}

impl Databases {
    /// Opens every database of `map` on the backend of its instance.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] when an instance has no backend; whatever opening fails with.
    pub async fn open(
        map: DatabaseMap,
        backends: &BTreeMap<String, Arc<dyn Backend>>,
    ) -> Result<Self> {
        let mut open = BTreeMap::new();
        for contract in map.databases() {
            let instance = contract.placement.instance();
            let backend = backends.get(instance).ok_or_else(|| {
                Error::new(
                    ErrorKind::Unknown,
                    "open database",
                    format!("no backend was given for instance {instance:?}"),
                )
                .in_database(&contract.name)
            })?;
            open.insert(contract.name.clone(), backend.open(contract.clone()).await?);
        }
        let locations = backends.iter().map(|(name, b)| (name.clone(), b.location())).collect();
        Ok(Self { inner: Arc::new(Inner { map, open, locations }) })
    }

    /// The database `name`.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`], naming the databases there are.
    pub fn get(&self, name: &str) -> Result<&Database> {
        self.inner.open.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.inner.open.keys().map(String::as_str).collect();
            let hint = nearest(name, &known)
                .map(|near| format!("; did you mean {near:?}?"))
                .unwrap_or_default();
            Error::new(
                ErrorKind::Unknown,
                "open database",
                format!("there is no database {name:?}; known: {}{hint}", known.join(", ")),
            )
        })
    }

    /// Every database, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Database> {
        self.inner.open.values()
    }

    /// Waits until nothing is left to do that nobody else waits for, at most for `limit`: locks whose
    /// guards were dropped are freed, claims and permits of callers that gave up are handed back,
    /// removals from caches and rows for the ledger are delivered.
    ///
    /// Removals whose runtime has ended are taken up again in the one that closes.
    ///
    /// To be called at the end of `main`: whatever is still on its way when the process ends is
    /// lost, and what it held is free again only when its lease has ended. The databases can be used
    /// afterwards.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], naming the databases that are not done.
    #[cfg(feature = "tokio")]
    pub async fn close(&self, limit: std::time::Duration) -> Result<()> {
        let all = async {
            // Work on one database may begin some on another: once more, until all are done at once.
            while self.iter().any(|database| database.unfinished.count() > 0) {
                // Beside each other: one that cannot be reached keeps no other from going on.
                join_all(self.iter().map(|database| database.unfinished.done())).await;
            }
        };
        if tokio::time::timeout(limit, all).await.is_ok() {
            return Ok(());
        }
        let left: Vec<String> = self
            .iter()
            .filter(|database| database.unfinished.count() > 0)
            .map(|database| format!("{} ({})", database.name(), database.unfinished.count()))
            .collect();
        Err(Error::new(
            ErrorKind::Timeout,
            "close",
            format!(
                "after {limit:?} work is not done yet in {}: what it holds is free when its leases end",
                left.join(", ")
            ),
        ))
    }

    /// The map they were opened from.
    #[must_use]
    pub fn map(&self) -> &DatabaseMap {
        &self.inner.map
    }

    /// Where each instance is, for people: no secrets.
    #[must_use]
    pub fn locations(&self) -> &BTreeMap<String, String> {
        &self.inner.locations
    }

    /// The value of a typed key.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] when the map lacks the key's database; as
    /// [`KeyValueStore::get`]; [`ErrorKind::Decode`].
    pub async fn read<V: DeserializeOwned>(&self, key: &TypedKey<V>) -> Result<Option<V>> {
        let database = self.get(key.template().database())?;
        let Some(bytes) = database.key_value().get(key.as_str()).await? else {
            return Ok(None);
        };
        Codec::decode(&bytes)
            .map(Some)
            .map_err(|error| error.in_database(database.name()).at_key(key.as_str()))
    }

    /// Writes a typed key, with the TTL that `[keys]` gives its template in this environment,
    /// else the template's own, else the database's default.
    ///
    /// # Errors
    /// As [`Databases::read`] and [`KeyValueStore::set`]; [`ErrorKind::Encode`].
    pub async fn write<V: Serialize>(&self, key: &TypedKey<V>, value: &V) -> Result<()> {
        let database = self.get(key.template().database())?;
        let bytes = key
            .template()
            .codec()
            .encode(value)
            .map_err(|error| error.in_database(database.name()).at_key(key.as_str()))?;
        let options = SetOptions::expiring(self.expiry_of(key));
        database.key_value().set(key.as_str(), bytes, options).await.map(drop)
    }

    /// Deletes a typed key; whether there was one.
    ///
    /// # Errors
    /// As [`Databases::read`] and [`KeyValueStore::delete`].
    pub async fn remove<V>(&self, key: &TypedKey<V>) -> Result<bool> {
        let database = self.get(key.template().database())?;
        Ok(database.key_value().delete(&[key.as_str().to_owned()]).await? > 0)
    }

    /// How long a typed key lives once written.
    #[must_use]
    pub fn expiry_of<V>(&self, key: &TypedKey<V>) -> Expiry {
        self.inner
            .map
            .ttl_of(key.template().name())
            .or(key.template().ttl())
            .map_or(Expiry::DatabaseDefault, Expiry::After)
    }
}
