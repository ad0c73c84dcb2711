//! Watches a target server for evictions, because a moved key exists only there.

use compartment_redis::Connection;

use crate::condition::Condition;
use crate::size::size;
use crate::{AdminError, Place, Result};

/// A server without a limit is checked after this many batches, since its settings may change.
const SELDOM: u32 = 16;
/// Allowance in bytes for a batch's memory besides its values.
const BESIDES: u64 = 64 * 1024;

/// The evictions of one server since the watch began.
#[derive(Debug)]
pub(crate) struct EvictionWatch {
    place: String,
    nodes: Vec<Node>,
    unlooked: u32,
}

#[derive(Debug)]
struct Node {
    connection: Connection,
    began: u64,
    now: Condition,
}

impl EvictionWatch {
    /// Starts watching the server of `place`.
    ///
    /// # Errors
    /// When a node cannot be reached.
    pub(crate) async fn start(place: &Place) -> Result<Self> {
        let mut nodes = Vec::new();
        for mut connection in place.open_nodes("evictions").await? {
            let now = Condition::ask(&mut connection).await;
            nodes.push(Node { connection, began: now.evicted.unwrap_or(0), now });
        }
        Ok(Self { place: place.to_string(), nodes, unlooked: 0 })
    }

    /// Whether the server evicts keys when it is full.
    pub(crate) fn is_needed(&self) -> bool {
        self.nodes.iter().any(|node| node.now.may_evict())
    }

    /// Checks, by the last reading, that values of this many bytes fit without an eviction.
    ///
    /// # Errors
    /// [`AdminError::Unsafe`] if they may not fit.
    pub(crate) fn room_for(&self, bytes: u64) -> Result<()> {
        // During the write the server holds a value twice: in the request and stored.
        let needed = bytes.saturating_mul(2).saturating_add(BESIDES);
        for node in self.nodes.iter().filter(|node| node.now.may_evict()) {
            if node.now.free_memory().is_some_and(|free| free < needed) {
                return Err(self.full(node, "is about to evict keys"));
            }
        }
        Ok(())
    }

    /// Checks for evictions, after each batch if the server has a limit.
    ///
    /// # Errors
    /// [`AdminError::Unsafe`] if keys were evicted, since they may be keys that were just moved.
    pub(crate) async fn look(&mut self) -> Result<()> {
        self.unlooked += 1;
        if !self.is_needed() && self.unlooked < SELDOM {
            return Ok(());
        }
        self.unlooked = 0;
        self.ask_again().await;
        for node in &self.nodes {
            let evicted = node.now.evicted.unwrap_or(0).saturating_sub(node.began);
            if evicted > 0 {
                return Err(self.full(node, &format!("has evicted {evicted} keys meanwhile")));
            }
        }
        Ok(())
    }

    /// Number of keys that the servers have evicted since the watch began.
    pub(crate) async fn evicted(&mut self) -> u64 {
        self.ask_again().await;
        // `abs_diff`, because a counter may have been reset.
        self.nodes.iter().map(|node| node.now.evicted.unwrap_or(0).abs_diff(node.began)).sum()
    }

    async fn ask_again(&mut self) {
        for node in &mut self.nodes {
            let location = std::mem::take(&mut node.now.location);
            node.now = Condition { location, ..Condition::ask(&mut node.connection).await };
        }
    }

    fn full(&self, node: &Node, what: &str) -> AdminError {
        let policy = node.now.policy.as_deref().unwrap_or("unknown");
        let (used, max) = (node.now.used_memory, node.now.max_memory);
        AdminError::Unsafe(format!(
            "{} {what} (it uses {} of {}, maxmemory-policy {policy}), so written keys could be lost. Keys \
             that have not moved yet stay in the source: raise maxmemory there, or use \
             --accept-eviction",
            self.place,
            size(used.unwrap_or(0)),
            size(max.unwrap_or(0)),
        ))
    }
}
