//! Clocks: the system's, and one that tests move.

pub use compartment_core::{Clock, ManualClock, MonotonicInstant, SystemClock, Timestamp};
