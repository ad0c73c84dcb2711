//! Time in one process: it starts at the wall clock's time and advances with the monotonic clock.

use std::sync::Arc;

use compartment_core::{Clock, MonotonicInstant, Timestamp};

/// The time source of all stores in memory. They do not outlive the process, so setting the wall clock neither
/// extends nor shortens a lifetime, a lease or a window.
#[derive(Clone, Debug)]
pub(crate) struct SteadyTime {
    clock: Arc<dyn Clock>,
    began: (Timestamp, MonotonicInstant),
}

impl SteadyTime {
    pub(crate) fn of(clock: Arc<dyn Clock>) -> Self {
        let began = (clock.now(), clock.monotonic());
        Self { clock, began }
    }

    /// The current time.
    pub(crate) fn now(&self) -> Timestamp {
        let (wall, monotonic) = self.began;
        wall.after(self.clock.monotonic().since(monotonic))
    }
}
