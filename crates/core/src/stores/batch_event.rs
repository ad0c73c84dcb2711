//! Events of a batch, for followers.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::Result;

/// The kind of an event of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BatchEventKind {
    /// Documents were submitted.
    Submitted,
    /// A stage is done with documents.
    StageDone,
    /// Documents are dead.
    Failed,
    /// Every document is done or dead, and the batch is sealed.
    Completed,
}

impl BatchEventKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Submitted, Self::StageDone, Self::Failed, Self::Completed];

    /// The kind's name in the stream's field `event`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::StageDone => "stage_done",
            Self::Failed => "failed",
            Self::Completed => "completed",
        }
    }
}

/// One event about the documents of one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BatchEvent {
    /// The id of the event in its batch; ids of later events are greater.
    pub id: String,
    /// The kind of the event.
    pub kind: BatchEventKind,
    /// The name of the stage, for kinds that have one.
    pub stage: Option<String>,
    /// The documents.
    pub ordinals: Vec<u32>,
    /// The error of failed documents.
    pub error: Option<String>,
}

impl BatchEvent {
    /// An event; for backends.
    #[must_use]
    pub fn new(id: String, kind: BatchEventKind) -> Self {
        Self { id, kind, stage: None, ordinals: Vec::new(), error: None }
    }
}

/// Events of the batches of one database.
///
/// On Redis each batch has a stream under `{batch:NAME}:events`, which any client may read. An entry has the fields
/// `event` and `documents` (ordinals and ranges, for example `0-99,104`), and if they apply `stage` and `error`.
///
/// # Contract
/// - `events_tell_what_counted`, written by the request that counts it, in order and once: one event for each kind,
///   stage and error of a request. A document that will be retried causes no event.
/// - `events_are_kept_to_their_bytes`: [`crate::BatchPlan::event_bytes`] bounds names and values of the fields; the
///   oldest events are removed.
/// - `a_group_shares_events_among_its_consumers`: each event is handed to one of them.
/// - `what_is_not_acknowledged_is_taken_over` by a consumer that asks for idle events.
/// - `events_end_with_their_batch`.
///
/// # Cancellation
/// Events delivered to a dropped [`BatchEventStore::next`] or [`BatchEventStore::take_over`] belong to the named
/// consumer, which can take them over from itself with an `idle` of zero. Any other request may be repeated without
/// harm.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait BatchEventStore: fmt::Debug + Send + Sync + 'static {
    /// Events after the one with the id `after`, or from the oldest kept one; at most [`crate::MAX_AT_ONCE`], as in
    /// all methods below.
    async fn events(
        &self,
        batch: &str,
        after: Option<String>,
        max: usize,
    ) -> Result<Vec<BatchEvent>>;

    /// Creates a group of consumers that gets every kept event and all later ones; `false` if the name exists.
    async fn join(&self, batch: &str, group: &str) -> Result<bool>;

    /// Events that no consumer of the group has received yet. Here and below, a group that does not exist is unknown.
    async fn next(
        &self,
        batch: &str,
        group: &str,
        consumer: &str,
        max: usize,
    ) -> Result<Vec<BatchEvent>>;

    /// Acknowledges events; returns how many of them the group had pending.
    async fn acknowledge(&self, batch: &str, group: &str, ids: &[String]) -> Result<u64>;

    /// Takes over events that were delivered to a consumer at least `idle` ago and not acknowledged since.
    async fn take_over(
        &self,
        batch: &str,
        group: &str,
        consumer: &str,
        idle: Duration,
        max: usize,
    ) -> Result<Vec<BatchEvent>>;
}
