//! The stores that a backend hands out for one database.

use std::sync::Arc;

use crate::{
    BatchEventStore, BatchStore, BatchUpkeepStore, ChannelStore, CounterStore, HashStore,
    KeyValueStore, LockStore, QueueStore, RateLimitStore, UsageStore,
};

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
