//! What a backend says that it can do.

/// What a backend can and cannot do; each backend's tests pin it, so that a conformance suite
/// that shrank by itself is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// What is written outlives the process.
    pub outlives_process: bool,
    /// Other processes see it.
    pub shared_between_processes: bool,
    /// A `cache` database stays within its `memory_budget` by itself.
    pub holds_budget: bool,
    /// Time is the injected clock for every store, not only for locks and limits.
    pub injected_clock: bool,
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
        }
    }
}
