//! Outcomes of the documents of a claim.

use std::time::Duration;

use bytes::Bytes;

use crate::FencingToken;

/// The outcome of a stage for a document.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The stage is done with the document.
    Done,
    /// It failed and will be retried, unless it has reached the maximum number of attempts.
    Retry {
        /// The error message.
        error: String,
        /// The pause before the retry.
        after: Duration,
    },
    /// It failed permanently: the document is dead.
    Dead {
        /// The error message.
        error: String,
    },
    /// The worker has not processed it; the attempt does not count.
    HandedBack,
}

/// Outcomes of documents of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settlement {
    /// The index of the stage in the plan.
    pub stage: usize,
    /// The token of the claim.
    pub token: FencingToken,
    /// The outcome of each document, at most [`crate::MAX_AT_ONCE`].
    pub outcomes: Vec<(u32, Outcome)>,
    /// The note that the outbox keeps about them, if the plan has an outbox.
    pub note: Bytes,
}

impl Settlement {
    /// A settlement without a note.
    #[must_use]
    pub fn new(stage: usize, token: FencingToken, outcomes: Vec<(u32, Outcome)>) -> Self {
        Self { stage, token, outcomes, note: Bytes::new() }
    }

    /// Sets the note for the outbox.
    #[must_use]
    pub fn note(mut self, note: impl Into<Bytes>) -> Self {
        self.note = note.into();
        self
    }
}
