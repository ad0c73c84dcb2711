//! The trait of extractors: what finds mentions in a text, and what it costs.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{Backoff, RateLimit};
use compartment_pipeline::StageError;
use serde::{Deserialize, Serialize};

use super::spent::Spent;
use crate::model::Mention;

/// A part of a document's text that is read at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Window {
    /// Its first byte in the document's text.
    pub start: usize,
    /// Its text.
    pub text: String,
}

impl Window {
    /// The window of `text` that begins at byte `start` of the document's text.
    #[must_use]
    pub fn new(start: usize, text: impl Into<String>) -> Self {
        Self { start, text: text.into() }
    }
}

/// The mentions that an extractor found in a window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Findings {
    /// The mentions, with places in the document's text. A mention without a normal form gets that of the rules.
    pub mentions: Vec<Mention>,
    /// Quotes that do not occur in the text, which are no mentions.
    pub unfounded: u64,
    /// Answers that could not be used.
    pub refused: u64,
    /// Their cost.
    pub spent: Spent,
}

/// The outcome of one request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Asked {
    /// Its cost, also if it failed.
    pub spent: Spent,
    /// Its outcome.
    pub outcome: Outcome,
}

/// What a request led to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// Mentions.
    Found(Findings),
    /// An answer that cannot be used, and why. It is asked for once more. Then the document goes on without it: a paper
    /// that spoils the answer about itself must not fail by that.
    Refused(String),
    /// The service is busy or away. It is asked again after the time it wants, or after a pause.
    Again {
        /// The failure of the document if no later request succeeds.
        error: StageError,
        /// How long the service wants to be left alone.
        after: Option<Duration>,
    },
    /// The failure of the document.
    Failed(StageError),
}

impl Asked {
    /// A request that cost `spent` and ended with `outcome`.
    #[must_use]
    pub fn new(spent: Spent, outcome: Outcome) -> Self {
        Self { spent, outcome }
    }
}

/// Finds mentions in a text. [`super::Rules`] are one, [`super::model::ModelExtractor`] is another; those of
/// [`super::Extractors`] run beside the rules.
///
/// A request is sent at most a few times for each window of a document: the pipeline waits for permits, makes the pauses,
/// counts the cost and keeps the answers.
#[async_trait]
pub trait Extractor: fmt::Debug + Send + Sync + 'static {
    /// Its name in `sources` of mentions, as a stage, and in counters.
    fn name(&self) -> &'static str;

    /// A text that changes whenever an equal window may get another answer. It is a part of the key of answers.
    fn version(&self) -> String;

    /// A key of the database `rate_limit`, and how many requests all workers together may send.
    fn rate_limit(&self) -> Option<(String, RateLimit)>;

    /// The pauses between requests if the service does not say how long it wants to be left alone.
    fn pauses(&self) -> Backoff;

    /// Sends one request about a window. It must not block.
    async fn find(&self, window: &Window) -> Asked;
}
