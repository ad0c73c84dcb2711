//! Time in one process: it begins as the wall clock's and goes on as the monotonic clock does.

use std::sync::Arc;

use compartment_core::{Clock, MonotonicInstant, Timestamp};

/// The time that everything in memory goes by. Nothing here outlives the process, so a wall clock that
/// is set back or forward lengthens and shortens no life, lease or window.
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

    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        let (wall, monotonic) = self.began;
        wall.after(self.clock.monotonic().since(monotonic))
    }
}
