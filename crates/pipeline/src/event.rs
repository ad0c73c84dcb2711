//! Events of a run, and its observers.

use std::time::Duration;

use compartment_core::Error;

use crate::StageError;

/// Whether a result was computed or found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The stage ran.
    Computed,
    /// The cache had the result, or another process computed it meanwhile.
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
    /// A stage has a document's result.
    StageDone {
        /// The stage's name.
        stage: &'static str,
        /// Whether the result was computed or found.
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
    /// A store is unavailable, and the run waits for it.
    Waiting {
        /// How long it has been unavailable.
        away: Duration,
        /// The longest wait in total.
        limit: Duration,
        /// The store's error.
        error: &'a Error,
    },
    /// A store is available again.
    Resumed {
        /// How long it was unavailable.
        away: Duration,
    },
}

/// Observes a run. It is called from many tasks: return quickly.
pub trait Observer: Send + Sync + 'static {
    /// Called for every event.
    fn event(&self, event: &Event<'_>);
}

/// An observer that ignores all events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event<'_>) {}
}
