//! Events of a run, and its observers.

use std::time::Duration;

use compartment_core::Error;

use crate::StageError;

/// Whether a result was made or found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The stage ran.
    Computed,
    /// The cache had it, or another process made it meanwhile.
    Cached,
}

/// An event of a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The number of documents that a stage will process.
    StageTotal {
        /// The stage's name.
        stage: &'static str,
        /// Documents.
        total: u64,
    },
    /// A stage is done with a document.
    StageDone {
        /// The stage's name.
        stage: &'static str,
        /// Whether the result was made or found.
        origin: Origin,
    },
    /// A stage failed on a document.
    StageFailed {
        /// The stage's name.
        stage: &'static str,
        /// The document's name.
        document: &'a str,
        /// Why.
        error: &'a StageError,
    },
    /// A store is away and is being waited for.
    Waiting {
        /// For how long it has been away.
        away: Duration,
        /// How long it is waited for in all.
        limit: Duration,
        /// The store's error.
        error: &'a Error,
    },
    /// A store that was away has answered.
    Resumed {
        /// How long it was away.
        away: Duration,
    },
}

/// Watches a run. Called from many tasks: return quickly.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event<'_>) {}
}
