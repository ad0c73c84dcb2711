//! How long to wait before the next attempt.

use std::time::Duration;

use crate::random::random;

/// Pauses between attempts: doubling, with jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backoff {
    /// The pause before the second attempt.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(600) }
    }
}

impl Backoff {
    /// Pauses from `first`, doubling up to `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The pause after attempt number `attempt` (from 1) failed: between half of the doubled pause and all of it, so
    /// that attempts which failed together are not repeated together.
    #[must_use]
    pub fn after(&self, attempt: u32) -> Duration {
        let pause = self.longest_after(attempt);
        // Integer arithmetic: a float may round the longest pause up beyond the maximum.
        let half = pause / 2;
        half.saturating_add(half / 1_000 * (random() % 1_001) as u32).min(pause)
    }

    /// The pauses of one series of attempts.
    #[must_use]
    pub const fn pauses(self) -> Pauses {
        Pauses { backoff: self, failures: 0 }
    }

    /// The sum of the first `pauses` pauses, each at its longest.
    #[must_use]
    pub fn longest_total(&self, pauses: u32) -> Duration {
        // From the 32nd attempt on all are equally long.
        let growing = pauses.min(31);
        let sum = (1..=growing).map(|attempt| self.longest_after(attempt));
        let rest = self.longest_after(u32::MAX).saturating_mul(pauses - growing);
        sum.fold(rest, Duration::saturating_add)
    }

    fn longest_after(&self, attempt: u32) -> Duration {
        self.first.saturating_mul(1 << attempt.saturating_sub(1).min(30)).min(self.longest)
    }
}

/// The pauses of one series of attempts, by [`Backoff::pauses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    backoff: Backoff,
    failures: u32,
}

impl Pauses {
    /// Counts a failure; the pause before the next attempt.
    #[must_use]
    pub fn next_pause(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.backoff.after(self.failures)
    }

    /// Begins a new series: an attempt has succeeded.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_differ() {
        let backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(60));
        for (attempt, longest) in [(1, 2), (2, 4), (5, 32), (6, 60), (4_000_000_000, 60)] {
            for _ in 0..50 {
                let pause = backoff.after(attempt);
                let longest = Duration::from_secs(longest);
                assert!((longest / 2..=longest).contains(&pause), "{pause:?} after {attempt}");
            }
        }
        let pauses: std::collections::HashSet<_> = (0..50).map(|_| backoff.after(6)).collect();
        assert!(pauses.len() > 10);
    }

    #[test]
    fn a_series_doubles_until_it_begins_again() {
        let mut pauses = Backoff::new(Duration::from_secs(2), Duration::from_secs(60)).pauses();
        for longest in [2, 4, 8] {
            assert!(
                pauses.next_pause() > Duration::from_secs(longest) / 2 - Duration::from_nanos(1)
            );
        }
        pauses.reset();
        assert!(pauses.next_pause() <= Duration::from_secs(2));
    }

    #[test]
    fn all_pauses_together_are_bounded() {
        let backoff = Backoff::new(Duration::from_millis(25), Duration::from_secs(1));
        assert_eq!(backoff.longest_total(0), Duration::ZERO);
        assert_eq!(backoff.longest_total(3), Duration::from_millis(25 + 50 + 100));
        let longer = backoff.longest_total(100) - backoff.longest_total(99);
        assert_eq!(longer, Duration::from_secs(1));
        assert!(
            Backoff::new(Duration::MAX, Duration::MAX).longest_total(u32::MAX) == Duration::MAX
        );
    }

    #[test]
    fn the_longest_and_the_shortest_pauses_there_are_do_not_overflow() {
        for (first, longest) in [
            (Duration::MAX, Duration::MAX),
            (Duration::from_secs(200 * 366 * 86_400), Duration::MAX),
            (Duration::ZERO, Duration::MAX),
            (Duration::MAX, Duration::ZERO),
        ] {
            let backoff = Backoff::new(first, longest);
            for attempt in [0, 1, 31, u32::MAX].repeat(1_000) {
                assert!(backoff.after(attempt) <= longest);
            }
        }
    }
}
