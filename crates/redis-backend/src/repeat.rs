//! Decides which requests are repeated after a failure, and after which pause.

use std::time::Duration;

use compartment_core::{Backoff, Error, Retry};

/// The pauses before a request is repeated, or a lost subscription is renewed.
pub(crate) const BACKOFF: Backoff = Backoff::new(Duration::from_millis(25), Duration::from_secs(1));

/// Whether a request may be repeated if it is unknown whether it was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Reads, and writes that change nothing the second time.
    Idempotent,
    /// Everything else.
    OnlyIfNotSent,
}

impl Repeat {
    /// Whether a request with this error may be repeated.
    pub(crate) fn allows(self, error: &Error) -> bool {
        match error.retry() {
            Retry::Safe => true,
            Retry::IfIdempotent => self == Self::Idempotent,
            Retry::Never => false,
        }
    }
}
