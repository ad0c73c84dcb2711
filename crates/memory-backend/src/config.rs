//! The options of a memory backend.

use std::sync::Arc;

use compartment_core::{Clock, SystemClock};

/// Settings of a [`crate::MemoryBackend`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemoryConfig {
    /// The clock of expiry, locks and limits; by default the system's.
    pub clock: Arc<dyn Clock>,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock) }
    }
}

impl MemoryConfig {
    /// Sets the clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}
