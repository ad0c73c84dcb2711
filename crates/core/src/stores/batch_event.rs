//! Events of a batch, for others to follow.

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
    /// Every document is done or dead, and none comes any more.
    Completed,
}

impl BatchEventKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Submitted, Self::StageDone, Self::Failed, Self::Completed];

    /// Its name in the stream's field `event`.
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

/// One event: what happened to documents in one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BatchEvent {
    /// Names the event in its batch; later ones sort behind it.
    pub id: String,
    /// The kind of the event.
    pub kind: BatchEventKind,
    /// The name of the stage, of those that have one.
    pub stage: Option<String>,
    /// The documents.
    pub ordinals: Vec<u32>,
    /// The error of failed documents.
    pub error: Option<String>,
}

impl BatchEvent {
    /// An event as a backend keeps it.
    #[must_use]
    pub fn new(id: String, kind: BatchEventKind) -> Self {
        Self { id, kind, stage: None, ordinals: Vec::new(), error: None }
    }
}

/// Events of the batches of one database.
///
/// On Redis each batch has a stream under `{batch:NAME}:events`, which any client may read. An entry has
/// the fields `event`, `documents` (ordinals and ranges, as in `0-99,104`), and where they apply `stage`
/// and `error`.
///
/// # Contract
/// - `events_tell_what_counted`, in the step that counts it, in order, and once: one event for each kind,
///   stage and error of a request. A document that is to be tried again is none.
/// - `events_are_kept_to_their_bytes`: [`crate::BatchPlan::event_bytes`] bounds names and values of the
///   fields; the oldest events go.
/// - `a_group_shares_events_among_its_consumers`: each event is handed to one of them.
/// - `what_is_not_acknowledged_is_taken_over` by a consumer that asks for what has been idle.
/// - `events_end_with_their_batch`.
///
/// # Cancellation
/// Events that a dropped [`BatchEventStore::next`] or [`BatchEventStore::take_over`] was handed are the
/// consumer's, who named itself: it takes them over from itself, with an `idle` of zero. Everything else
/// says the same when it is told twice.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait BatchEventStore: fmt::Debug + Send + Sync + 'static {
    /// Events behind the one of the id `after`, or from the oldest that is kept on, at most
    /// [`crate::MAX_AT_ONCE`] as in all that follows.
    async fn events(
        &self,
        batch: &str,
        after: Option<String>,
        max: usize,
    ) -> Result<Vec<BatchEvent>>;

    /// Makes a group of consumers that gets every event that is kept, and all to come; `false` if there is
    /// one of that name.
    async fn join(&self, batch: &str, group: &str) -> Result<bool>;

    /// Events that no consumer of the group was handed yet. A group that is not there is unknown, here
    /// and below.
    async fn next(
        &self,
        batch: &str,
        group: &str,
        consumer: &str,
        max: usize,
    ) -> Result<Vec<BatchEvent>>;

    /// Says that events are done with; how many of them were the group's.
    async fn acknowledge(&self, batch: &str, group: &str, ids: &[String]) -> Result<u64>;

    /// Takes over events that were handed to a consumer at least `idle` ago and not acknowledged since.
    async fn take_over(
        &self,
        batch: &str,
        group: &str,
        consumer: &str,
        idle: Duration,
        max: usize,
    ) -> Result<Vec<BatchEvent>>;
}
