//! The outbox, the documents and the audit of a batch.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{FencingToken, Result};

/// Something that happened to documents of a batch, kept until it is written elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxEntry {
    /// Names the entry in its batch; later ones are kept behind it.
    pub id: String,
    /// The recorded fact.
    pub fact: OutboxFact,
}

impl OutboxEntry {
    /// An entry as a backend keeps it.
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
        /// The place of the stage in the plan.
        stage: usize,
        /// The claim they were settled with.
        token: FencingToken,
        /// Documents that did not count: they were known already or did not belong to the claim.
        refused: Vec<u32>,
        /// The worker's note about all of them.
        note: Bytes,
    },
    /// Documents died because the leases of their workers expired.
    Lost {
        /// The place of the stage in the plan.
        stage: usize,
        /// The documents.
        ordinals: Vec<u32>,
        /// The error message.
        error: String,
    },
    /// Dead documents will be retried.
    Retried {
        /// The place of the stage in the plan.
        stage: usize,
        /// The documents.
        ordinals: Vec<u32>,
    },
}

/// A known fact about a document of a batch that is being rebuilt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestoredFact {
    /// A stage is done with it.
    Done,
    /// It is dead of a stage.
    Dead {
        /// Of what, in words.
        error: String,
    },
}

/// A stored count that differs from its facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CounterDrift {
    /// The count's name: `done`, `dead`, and by stage `done:0`, `dead:0`, `claimed:0`. Of a stage that comes
    /// after no other also `next:0`, the first document that was never handed out, and `restored:0`,
    /// documents from there on that are known to be done or dead.
    pub counter: String,
    /// The stored count.
    pub counted: i64,
    /// The count according to the bits.
    pub facts: i64,
}

impl CounterDrift {
    /// A difference as a backend found it.
    #[must_use]
    pub fn new(counter: impl Into<String>, counted: i64, facts: i64) -> Self {
        Self { counter: counter.into(), counted, facts }
    }
}

/// A batch's bits beside its counts, of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BatchAudit {
    /// The number of the token that the batch was born with: a repair by an audit of a former batch of its
    /// name does nothing.
    #[serde(default)]
    pub born: u64,
    /// Documents.
    pub total: u64,
    /// How often the batch was repaired before: a repair by an audit from before another does nothing.
    #[serde(default)]
    pub repairs: u64,
    /// For each stage in the plan's order a bit for each document, ordinal 0 the highest bit of the first
    /// byte: the stage is done with it.
    pub done: Vec<Vec<u8>>,
    /// For each stage the bits of the documents that died in it.
    pub dead: Vec<Vec<u8>>,
    /// Counts that differ from the bits.
    pub drift: Vec<CounterDrift>,
    /// Documents, by stage and ordinal, that could be worked on and that nobody would ever be handed:
    /// neither ready, nor delayed, nor claimed.
    pub stranded: Vec<(usize, u32)>,
    /// Whether the batch is settled and sealed, and yet its completion was never due.
    pub completion_missed: bool,
}

impl BatchAudit {
    /// Whether everything agrees.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.drift.is_empty() && self.stranded.is_empty() && !self.completion_missed
    }
}

/// The outboxes and documents of the batches of one database.
///
/// A batch that is cancelled goes on settling what was claimed, so its outbox goes on too. One that is
/// removed takes its outbox with it: read the outbox to its end before you remove a batch.
///
/// # Contract
/// - `entries_read_back_in_order`, from any ordinal on, at most [`crate::MAX_AT_ONCE`] in one request.
/// - `what_counted_is_in_the_outbox`: with [`crate::BatchPlan::outbox`] each settling is kept in the
///   step that counts it, with the documents that did not count; so is what dies of leases that end,
///   and what is retried. Without it nothing is kept.
/// - `an_outbox_is_read_until_it_is_cleared`, oldest first.
/// - `restored_facts_count_once`, and what is restored as done or dead is not handed out again; what is
///   dead can be retried.
/// - `an_audit_finds_counts_that_drifted`, and a repair sets them right while others work, once.
/// - `an_audit_finds_stranded_documents`, and a repair hands them out again.
/// - `an_audit_of_a_sound_batch_is_clean` at any moment of its life.
/// - `a_missed_completion_is_made_due`.
/// - `only_a_batch_that_is_over_goes`: a batch is removed by [`BatchUpkeepStore::remove_ended`] once it is
///   completed and its completion finished, or it is cancelled, nothing of it is claimed, and its outbox
///   is empty; all of that and the removal are one step.
///
/// # Cancellation
/// Nothing here hands anything out. Each request does all of its work or none, also if its future is
/// dropped, and says the same when it is told twice; only what it counts is lower then. A removal or a
/// repair of many parts may be left half done: told again, it is finished.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait BatchUpkeepStore: fmt::Debug + Send + Sync + 'static {
    /// This store for the one batch that was born with `token`: see [`crate::BatchStore::born_as`].
    fn born_as(&self, token: FencingToken) -> Arc<dyn BatchUpkeepStore>;

    /// What the documents from the ordinal `from` on were submitted as, at most [`crate::MAX_AT_ONCE`];
    /// empty beyond the last.
    async fn entries(&self, batch: &str, from: u32, max: usize) -> Result<Vec<Bytes>>;

    /// The oldest entries of the outbox, at most [`crate::MAX_AT_ONCE`].
    async fn outbox(&self, batch: &str, max: usize) -> Result<Vec<OutboxEntry>>;

    /// Removes entries of the outbox, at most [`crate::MAX_AT_ONCE`]; how many there were.
    async fn clear_outbox(&self, batch: &str, ids: &[String]) -> Result<u64>;

    /// How many entries the outbox holds.
    async fn outbox_len(&self, batch: &str) -> Result<u64>;

    /// Notes what was known about documents of a stage, at most [`crate::MAX_AT_ONCE`]; how many were
    /// news. Nothing of it goes to the outbox or the events, but that the batch is completed, if it is.
    ///
    /// It is for a batch that nobody works on yet: what is somebody's stays so. Restore the last stages
    /// first: then no document is queued for a stage that is known to be done with it.
    async fn restore(
        &self,
        batch: &str,
        stage: usize,
        facts: Vec<(u32, RestoredFact)>,
    ) -> Result<u64>;

    /// Compares what is counted with the bits, in one moment. Costs the server a copy of them, two bits
    /// for each document and stage, and of the ordinals that wait or are claimed.
    async fn audit(&self, batch: &str) -> Result<BatchAudit>;

    /// Sets right what an audit found: counts by their differences, so that it may be done while others
    /// work; stranded documents are handed out again, and a missed completion becomes due. `false`, and
    /// nothing is done, if there was a repair since that audit, or the batch is another.
    async fn repair(&self, batch: &str, audit: &BatchAudit) -> Result<bool>;

    /// Removes a batch if it is over and nobody needs anything of it; `false`, and it stays, otherwise.
    async fn remove_ended(&self, batch: &str) -> Result<bool>;
}
