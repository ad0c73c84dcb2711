//! The outbox, the documents and the audit of a batch.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{FencingToken, Result};

/// A fact about documents of a batch, kept until it is written elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxEntry {
    /// The id of the entry in its batch; entries are kept in order.
    pub id: String,
    /// The recorded fact.
    pub fact: OutboxFact,
}

impl OutboxEntry {
    /// An entry; for backends.
    #[must_use]
    pub fn new(id: String, fact: OutboxFact) -> Self {
        Self { id, fact }
    }
}

/// The recorded fact.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutboxFact {
    /// A worker settled documents.
    Settled {
        /// The index of the stage in the plan.
        stage: usize,
        /// The token of the claim they were settled with.
        token: FencingToken,
        /// Documents that did not count: they were known already or did not belong to the claim.
        refused: Vec<u32>,
        /// The worker's note about all of them.
        note: Bytes,
    },
    /// Documents died because the leases of their workers expired.
    Lost {
        /// The index of the stage in the plan.
        stage: usize,
        /// The documents.
        ordinals: Vec<u32>,
        /// The error message.
        error: String,
    },
    /// Dead documents will be retried.
    Retried {
        /// The index of the stage in the plan.
        stage: usize,
        /// The documents.
        ordinals: Vec<u32>,
    },
}

/// A known fact about a document of a batch that is being rebuilt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestoredFact {
    /// A stage is done with the document.
    Done,
    /// The document died in a stage.
    Dead {
        /// The error message.
        error: String,
    },
}

/// A stored count that differs from its facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CounterDrift {
    /// The count's name: `done`, `dead`, and by stage `done:0`, `dead:0`, `claimed:0`. For a stage without
    /// dependencies also `next:0`, the first document that was never claimed, and `restored:0`, the number of
    /// documents from there on that are done or dead.
    pub counter: String,
    /// The stored count.
    pub counted: i64,
    /// The count according to the bits.
    pub facts: i64,
}

impl CounterDrift {
    /// A difference; for backends.
    #[must_use]
    pub fn new(counter: impl Into<String>, counted: i64, facts: i64) -> Self {
        Self { counter: counter.into(), counted, facts }
    }
}

/// A consistent snapshot of a batch's bits and the differences from its counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BatchAudit {
    /// The number of the batch's birth token: a repair with the audit of an earlier batch of its name does nothing.
    #[serde(default)]
    pub born: u64,
    /// The number of documents.
    pub total: u64,
    /// How often the batch was repaired before: a repair with an audit from before another repair does nothing.
    #[serde(default)]
    pub repairs: u64,
    /// For each stage in the plan's order, one bit for each document that is done; ordinal 0 is the highest bit of
    /// the first byte.
    pub done: Vec<Vec<u8>>,
    /// For each stage the bits of the documents that died in it.
    pub dead: Vec<Vec<u8>>,
    /// Counts that differ from the bits.
    pub drift: Vec<CounterDrift>,
    /// Stages and ordinals of documents that are due and that no claim would ever return: they are neither ready, nor
    /// delayed, nor claimed.
    pub stranded: Vec<(usize, u32)>,
    /// Whether the batch is sealed and settled but its completion never became due.
    pub completion_missed: bool,
}

impl BatchAudit {
    /// Whether there are no differences.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.drift.is_empty() && self.stranded.is_empty() && !self.completion_missed
    }
}

/// The outboxes and documents of the batches of one database.
///
/// A cancelled batch still accepts outcomes of claimed documents, and its outbox grows accordingly. The removal of a
/// batch removes its outbox: read the outbox to its end first.
///
/// # Contract
/// - `entries_read_back_in_order`, from any ordinal on, at most [`crate::MAX_AT_ONCE`] in one request.
/// - `what_counted_is_in_the_outbox`: with [`crate::BatchPlan::outbox`], the request that counts a settlement
///   also records it, with the documents that did not count. Deaths by expired leases and retries are recorded too.
///   Without it nothing is recorded.
/// - `an_outbox_is_read_until_it_is_cleared`, oldest first.
/// - `restored_facts_count_once`: documents restored as done or dead cannot be claimed again, and dead ones can be
///   retried.
/// - `an_audit_finds_counts_that_drifted`, and a repair corrects them, once, while workers continue.
/// - `an_audit_finds_stranded_documents`, and a repair makes them ready again.
/// - `an_audit_of_a_sound_batch_is_clean` at any time of its life.
/// - `a_missed_completion_is_made_due`.
/// - `only_a_batch_that_is_over_goes`: [`BatchUpkeepStore::remove_ended`] removes a batch only if it is cancelled, or
///   completed with its completion finished, and if no document is claimed and its outbox is empty. The check and the
///   removal are atomic.
///
/// # Cancellation
/// Nothing here claims anything. Each request does all of its work or none, even if its future is dropped, and may be
/// repeated without harm; only its count may then be lower. A removal or a repair of many parts may be left half
/// done; repeating it finishes it.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait BatchUpkeepStore: fmt::Debug + Send + Sync + 'static {
    /// This store restricted to the batch born with `token`: see [`crate::BatchStore::born_as`].
    fn born_as(&self, token: FencingToken) -> Arc<dyn BatchUpkeepStore>;

    /// The submitted entries from the ordinal `from` on, at most [`crate::MAX_AT_ONCE`]; empty after the last.
    async fn entries(&self, batch: &str, from: u32, max: usize) -> Result<Vec<Bytes>>;

    /// The oldest entries of the outbox, at most [`crate::MAX_AT_ONCE`].
    async fn outbox(&self, batch: &str, max: usize) -> Result<Vec<OutboxEntry>>;

    /// Removes entries of the outbox, at most [`crate::MAX_AT_ONCE`]; returns how many there were.
    async fn clear_outbox(&self, batch: &str, ids: &[String]) -> Result<u64>;

    /// The number of entries in the outbox.
    async fn outbox_len(&self, batch: &str) -> Result<u64>;

    /// Restores known outcomes of documents in a stage, at most [`crate::MAX_AT_ONCE`]; returns how many were new.
    /// This writes nothing to the outbox, and to the events only the completion of the batch, if it completes.
    ///
    /// Use it for a batch without workers: claimed documents stay claimed. Restore the last stages first, so that no
    /// document is queued for a stage that it has completed.
    async fn restore(
        &self,
        batch: &str,
        stage: usize,
        facts: Vec<(u32, RestoredFact)>,
    ) -> Result<u64>;

    /// Compares the counts with the bits in a consistent snapshot. The server copies two bits for each document and
    /// stage, and the ordinals of waiting and claimed documents.
    async fn audit(&self, batch: &str) -> Result<BatchAudit>;

    /// Repairs the findings of an audit: counts are corrected by their differences, so that workers can continue;
    /// stranded documents become ready again, and a missed completion becomes due. Returns `false` and does nothing
    /// if there was a repair since that audit, or the batch was replaced.
    async fn repair(&self, batch: &str, audit: &BatchAudit) -> Result<bool>;

    /// Removes a batch that has ended and is not needed any more; otherwise returns `false` and keeps it.
    async fn remove_ended(&self, batch: &str) -> Result<bool>;
}
