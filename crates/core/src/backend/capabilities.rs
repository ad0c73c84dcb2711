//! The capabilities that a backend reports.

/// The abilities of a backend.
///
/// Every backend has keys and values, hashes, counters, locks, rate limits and usage. It may lack the
/// stores that have a field here; it then leaves them out of its [`Stores`](super::Stores), and the
/// conformance suite demands that they answer
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported). Each backend's tests pin its
/// capabilities, so that a suite that shrank by itself is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Written data outlives the process.
    pub outlives_process: bool,
    /// Other processes see it.
    pub shared_between_processes: bool,
    /// A `cache` database stays within its `memory_budget` by itself.
    pub holds_budget: bool,
    /// Time is the injected clock for every store, not only for locks and limits.
    pub injected_clock: bool,
    /// It has queues.
    pub queues: bool,
    /// It has batches, their upkeep and their events.
    pub batches: bool,
    /// It has channels.
    pub channels: bool,
}

impl Capabilities {
    /// No capability at all: set the fields that apply.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            outlives_process: false,
            shared_between_processes: false,
            holds_budget: false,
            injected_clock: false,
            queues: false,
            batches: false,
            channels: false,
        }
    }
}
