//! Time in one process: it starts at the wall clock's time and advances with the monotonic clock.

use std::sync::Arc;
use std::time::Instant;

use compartment_core::{Clock, MonotonicInstant, Timestamp};

/// The time source of all stores in memory. They do not outlive the process, so setting the wall clock neither
/// extends nor shortens a lifetime, a lease or a window.
#[derive(Clone, Debug)]
pub(crate) struct SteadyTime {
    clock: Arc<dyn Clock>,
    began: (Timestamp, MonotonicInstant),
    /// The beginning as the standard library's instant, if the clock is the machine's.
    began_at: Option<Instant>,
}

impl SteadyTime {
    pub(crate) fn of(clock: Arc<dyn Clock>) -> Self {
        let began = (clock.now(), clock.monotonic());
        let began_at = clock.is_wall_clock().then(Instant::now);
        Self { clock, began, began_at }
    }

    /// Whether it is the machine's time.
    pub(crate) fn is_the_machines(&self) -> bool {
        self.began_at.is_some()
    }

    /// The current time.
    pub(crate) fn now(&self) -> Timestamp {
        let (wall, monotonic) = self.began;
        match self.began_at {
            // Read at once, since each look at a key with an end needs it.
            Some(began_at) => wall.after(began_at.elapsed()),
            None => wall.after(self.clock.monotonic().since(monotonic)),
        }
    }

    /// The time at an instant that was read a moment ago: reading the clock once more costs as much as a fifth of a
    /// read. If the clock is not the machine's, it is the current time.
    pub(crate) fn at(&self, instant: Instant) -> Timestamp {
        match self.began_at {
            Some(began_at) => self.began.0.after(instant.saturating_duration_since(began_at)),
            None => self.now(),
        }
    }
}
