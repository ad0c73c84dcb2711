//! A planned change: what it will touch, and until when it can be acted on.

use serde::Serialize;
use serde_json::Value;

use super::Change;

/// A change as a dry run found it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PlannedChange {
    /// The id to act on it, once; empty if it is refused.
    pub id: String,
    /// The change.
    pub change: Change,
    /// What it will touch, in one sentence.
    pub summary: String,
    /// What it will touch, in up to twelve lines: patterns with counts, queues, stages.
    pub touches: Vec<String>,
    /// How many keys, documents, dead letters or settings.
    pub count: u64,
    /// A digest of everything that was counted.
    pub digest: String,
    /// The server and the place on it, with a digest of the server's identity.
    pub server: String,
    /// Reasons for a refusal. It cannot be acted on unless there are none.
    pub refusals: Vec<String>,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
    /// Until when it can be acted on, in milliseconds since 1970.
    pub expires_ms: u64,
    /// The report of the dry run.
    pub dry_run: Value,
}

/// A change that was made.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ChangeDone {
    /// The plan's id, which cannot be used again.
    pub plan_id: String,
    /// The change.
    pub change: Change,
    /// What was done, in one sentence.
    pub summary: String,
    /// How many keys, documents, dead letters or settings were changed.
    pub count: u64,
    /// The state before.
    pub before: Value,
    /// The state after.
    pub after: Value,
    /// Remarks, one sentence each: what stayed, how to take it back, where the log is.
    pub notes: Vec<String>,
}
