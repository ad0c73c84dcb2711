//! Options of an engine: its concurrency, clock and progress counters.

use std::fmt;
use std::sync::Arc;

use compartment_core::{Clock, SystemClock};

use crate::{Progress, Silent};

/// How an [`crate::Engine`] runs its stages. [`EngineOptions::default`] has the defaults.
#[derive(Clone)]
#[non_exhaustive]
pub struct EngineOptions {
    /// The counters of the stages; by default new ones without an observer.
    pub progress: Progress,
    /// The number of results that are computed at the same time; by default the number of CPUs.
    pub concurrency: usize,
    /// The clock of locks and limits; by default the system's.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for EngineOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineOptions")
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            progress: Progress::new(Arc::new(Silent)),
            concurrency: std::thread::available_parallelism().map_or(2, usize::from),
            clock: Arc::new(SystemClock),
        }
    }
}

impl EngineOptions {
    /// Sets the counters.
    #[must_use]
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Sets how many results are computed at the same time, at least one.
    #[must_use]
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// Sets the clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}
