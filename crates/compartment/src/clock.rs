//! Clocks: the system's, and one for tests that is advanced manually.

pub use compartment_core::{Clock, ManualClock, MonotonicInstant, SystemClock, Timestamp};
