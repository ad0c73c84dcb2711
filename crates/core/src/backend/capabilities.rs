//! The capabilities that a backend reports.

/// The abilities of a backend.
///
/// Every backend has keys and values, hashes, counters, locks, rate limits and usage. It may lack the stores that
/// have a field here; it then leaves them out of its [`Stores`](super::Stores), and the conformance suite requires
/// that they return [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported). Each backend's tests pin its
/// capabilities, so that a smaller suite is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Written data outlives the process.
    pub outlives_process: bool,
    /// Other processes see the data.
    pub shared_between_processes: bool,
    /// The backend keeps a `cache` database within its `memory_budget`.
    pub holds_budget: bool,
    /// All stores use the injected clock, not only locks and limits.
    pub injected_clock: bool,
    /// The backend has queues.
    pub queues: bool,
    /// The backend has batches, their upkeep and their events.
    pub batches: bool,
    /// The backend has channels.
    pub channels: bool,
}

impl Capabilities {
    /// No capabilities: set the fields that apply.
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
