//! Opens databases; the databases of one index share one keyspace.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::backend::{Backend, Capabilities, Stores, Traffic, TtlRule};
use compartment_core::{
    Contract, Database, DatabaseKind, Error, ErrorKind, Placement, Result, Timestamp,
};

use crate::MemoryConfig;

use crate::error::Refusal;
use crate::stores::hub::Hub;
use crate::stores::keyspace::{Change, Keyspace};
use crate::stores::value::Entry;

/// Databases in the memory of this process. Clones share them.
///
/// ```
/// use compartment_core::backend::Backend;
/// use compartment_core::{Contract, DatabaseKind, KeyValueStoreExt};
/// use compartment_memory::MemoryBackend;
///
/// # futures_util::FutureExt::now_or_never(async {
/// let backend = MemoryBackend::default();
/// let results = backend.open(Contract::new("results", DatabaseKind::Durable)).await?;
/// results.key_value().put("doc:1", "done").await?;
/// assert_eq!(results.key_value().get("doc:1").await?.as_deref(), Some(&b"done"[..]));
/// # Ok::<(), compartment_core::Error>(())
/// # }).expect("memory answers at once")?;
/// # Ok::<(), compartment_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryBackend {
    config: MemoryConfig,
    keyspaces: Arc<Mutex<HashMap<KeyspaceId, Arc<Keyspace>>>>,
    hub: Arc<Hub>,
}

/// Identifies a keyspace: databases with equal ids see the same keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum KeyspaceId {
    /// An index, including prefixes in it.
    Index(u32),
    /// A prefix with a budget, which can only be enforced in a separate keyspace.
    BudgetedPrefix(u32, String),
}

impl MemoryBackend {
    /// An empty backend.
    #[must_use]
    pub fn new(config: MemoryConfig) -> Self {
        Self { config, keyspaces: Arc::default(), hub: Arc::default() }
    }

    fn keyspace(&self, contract: &Contract) -> Result<Arc<Keyspace>> {
        let budget = contract
            .memory_budget
            .filter(|_| contract.kind == DatabaseKind::Cache && !contract.is_shared);
        let id = match &contract.placement {
            Placement::Prefix { index, prefix, .. } if budget.is_some() => {
                KeyspaceId::BudgetedPrefix(*index, prefix.clone())
            }
            placement => KeyspaceId::Index(placement.index()),
        };
        let mut keyspaces = self.keyspaces.lock().unwrap_or_else(PoisonError::into_inner);
        let keyspace = keyspaces
            .entry(id)
            .or_insert_with(|| Arc::new(Keyspace::new(Arc::clone(&self.config.clock), budget)));
        if keyspace.budget().is_some() && budget.is_none() {
            return Err(Error::new(
                ErrorKind::Configuration,
                "open database",
                format!(
                    "{} is open as a cache with a budget, which evicts: give each database an \
                     index of its own, or let both say shared = true",
                    contract.placement
                ),
            )
            .in_database(&contract.name));
        }
        if contract.kind == DatabaseKind::Cache
            && contract.memory_budget.is_some()
            && keyspace.budget() != contract.memory_budget
        {
            tracing::warn!(
                database = contract.name,
                "the memory budget has no effect: the keyspace is shared, or open with another"
            );
        }
        Ok(Arc::clone(keyspace))
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    async fn open(&self, contract: Contract) -> Result<Database> {
        let keyspace = self.keyspace(&contract)?;
        let contract = Arc::new(contract);
        let traffic = Arc::new(Traffic::default());
        let stores = Arc::new(MemoryStores {
            contract: Arc::clone(&contract),
            traffic: Arc::clone(&traffic),
            keyspace,
            hub: Arc::clone(&self.hub),
            born: None,
        });
        let stores = Stores::builder("memory", stores.clone())
            .hash(stores.clone())
            .counter(stores.clone())
            .lock(stores.clone())
            .rate_limit(stores.clone())
            .queue(stores.clone())
            .batch(stores.clone())
            .batch_upkeep(stores.clone())
            .batch_events(stores.clone())
            .channel(stores.clone())
            .usage(stores)
            .build();
        Ok(Database::new(contract, traffic, stores))
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::none();
        capabilities.holds_budget = true;
        capabilities.injected_clock = true;
        (capabilities.queues, capabilities.batches, capabilities.channels) = (true, true, true);
        capabilities
    }

    fn location(&self) -> String {
        "memory of this process".to_owned()
    }
}

/// Every store of one database; each trait is implemented in a separate file.
#[derive(Clone, Debug)]
pub(crate) struct MemoryStores {
    pub(crate) contract: Arc<Contract>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) keyspace: Arc<Keyspace>,
    pub(crate) hub: Arc<Hub>,
    /// If set, only the batch with this birth token is visible.
    pub(crate) born: Option<u64>,
}

impl MemoryStores {
    /// The name of `key` in the keyspace.
    pub(crate) fn name<'a>(&self, key: &'a str) -> Cow<'a, str> {
        match self.contract.placement.prefix() {
            "" => Cow::Borrowed(key),
            prefix => Cow::Owned(format!("{prefix}{key}")),
        }
    }

    /// The live entry of `key`.
    pub(crate) fn read(&self, key: &str) -> Option<Entry> {
        self.keyspace.read(&self.name(key))
    }

    /// The expiry of a key that is written now over `old`, according to `rule`.
    pub(crate) fn end_by(
        &self,
        rule: TtlRule,
        old: Option<&Entry>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let in_millis = |millis| now.after(Duration::from_millis(millis));
        match (rule, old) {
            (TtlRule::Set(millis), _) => Some(in_millis(millis)),
            (TtlRule::Clear, _) => None,
            // In a shared keyspace another database may have left a key without a TTL.
            (TtlRule::Keep { new_key }, Some(old)) if self.contract.kind.requires_ttl() => {
                old.expires_at.or(new_key.map(in_millis))
            }
            (TtlRule::Keep { .. }, Some(old)) => old.expires_at,
            (TtlRule::Keep { new_key }, None) => new_key.map(in_millis),
        }
    }

    /// Lets `decide` change `key` while no other writer does, and counts the write.
    pub(crate) fn update<T>(
        &self,
        operation: &'static str,
        key: &str,
        decide: impl FnOnce(Option<Entry>, Timestamp) -> Result<(Change, T), Refusal>,
    ) -> Result<T> {
        self.traffic.wrote(1);
        self.keyspace.update(&self.name(key), decide).map_err(self.refused(operation, key))
    }

    /// Converts a refusal to an error.
    pub(crate) fn refused(
        &self,
        operation: &'static str,
        key: &str,
    ) -> impl FnOnce(Refusal) -> Error {
        move |refusal| refusal.into_error(&self.contract, operation, key)
    }
}
