//! Decides which requests are repeated after a failure, and after which pause.

use std::time::Duration;

use compartment_core::{Error, Retry};

/// The first pause before a request is repeated; doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

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

/// The pause after an attempt of this number, counted from 0: between half of the longest pause and all of it, so
/// that many clients do not retry at once.
pub(crate) fn pause_before_retry(attempt: u32) -> Duration {
    let share = (crate::attempt::random() % 1_000) as u32;
    let longest = longest_pause(attempt);
    longest / 2 + longest * share / 2_000
}

/// The sum of the longest pauses of this many retries.
pub(crate) fn longest_pauses(retries: u32) -> Duration {
    // From some attempt on all pauses are equal.
    let growing = retries.min(16);
    let sum = (0..growing).map(longest_pause).fold(Duration::ZERO, Duration::saturating_add);
    sum.saturating_add(LONGEST_PAUSE.saturating_mul(retries - growing))
}

fn longest_pause(attempt: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << attempt.min(10)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_second() {
        assert_eq!(longest_pauses(0), Duration::ZERO);
        assert_eq!(longest_pauses(3), Duration::from_millis(25 + 50 + 100));
        assert_eq!(longest_pauses(100) - longest_pauses(99), LONGEST_PAUSE);
        for attempt in [0, 3, 50, u32::MAX] {
            let pause = pause_before_retry(attempt);
            assert!(pause >= longest_pause(attempt) / 2 && pause <= longest_pause(attempt));
        }
    }
}
