//! How a worker left the documents of a claim.

use std::time::Duration;

use bytes::Bytes;

use crate::FencingToken;

/// How a stage left a document.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is done with it.
    Done,
    /// It failed, and is tried again after a while, unless it has been tried too often.
    Retry {
        /// Why, in words.
        error: String,
        /// Not before this time has passed.
        after: Duration,
    },
    /// It failed for good: the document is dead.
    Dead {
        /// Why, in words.
        error: String,
    },
    /// It did not look at it: the attempt does not count.
    HandedBack,
}

/// How a worker left documents of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settlement {
    /// The place of the stage in the plan.
    pub stage: usize,
    /// The claim.
    pub token: FencingToken,
    /// How each document was left, at most [`crate::MAX_AT_ONCE`].
    pub outcomes: Vec<(u32, Outcome)>,
    /// The note that the outbox keeps about them, if the plan has an outbox.
    pub note: Bytes,
}

impl Settlement {
    /// Without a note.
    #[must_use]
    pub fn new(stage: usize, token: FencingToken, outcomes: Vec<(u32, Outcome)>) -> Self {
        Self { stage, token, outcomes, note: Bytes::new() }
    }

    /// With a note for the outbox.
    #[must_use]
    pub fn note(mut self, note: impl Into<Bytes>) -> Self {
        self.note = note.into();
        self
    }
}
