//! Watches a server that is written to for keys that it evicts: what has left its old place must not be
//! lost in its new one.

use compartment_redis::Connection;

use crate::condition::Condition;
use crate::size::size;
use crate::{AdminError, Place, Result};

/// A server with no limit yet is looked at after so many batches: its settings may change.
const SELDOM: u32 = 16;
/// What a batch may take of the server's memory besides its values.
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
    /// Begins to watch the server of `place`.
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

    /// Whether values that take so many bytes of memory fit without an eviction, by what was seen last.
    ///
    /// # Errors
    /// [`AdminError::Unsafe`] where they may not.
    pub(crate) fn room_for(&self, bytes: u64) -> Result<()> {
        // On its way a value is in the server twice: in the request, and stored.
        let needed = bytes.saturating_mul(2).saturating_add(BESIDES);
        for node in self.nodes.iter().filter(|node| node.now.may_evict()) {
            if node.now.free_memory().is_some_and(|free| free < needed) {
                return Err(self.full(node, "is about to evict keys"));
            }
        }
        Ok(())
    }

    /// Looks whether keys have been evicted, after each batch where the server has a limit.
    ///
    /// # Errors
    /// [`AdminError::Unsafe`] where some have: they may be keys that were just brought.
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

    /// How many keys its servers have evicted since the watch began.
    pub(crate) async fn evicted(&mut self) -> u64 {
        self.ask_again().await;
        // Counters that were reset tell nothing of what happened before.
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
