//! The metrics of a process that have been added to those of all processes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::metrics::figures::CacheMetrics;

/// The metrics at the last addition.
#[derive(Debug)]
pub(crate) struct Published {
    said: Mutex<Option<CacheMetrics>>,
}

impl Published {
    pub(crate) fn nothing() -> Self {
        Self { said: Mutex::new(None) }
    }

    pub(crate) fn said(&self) -> MutexGuard<'_, Option<CacheMetrics>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
