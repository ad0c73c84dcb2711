//! How long to wait before the next attempt.

use std::time::Duration;

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
        use std::hash::{BuildHasher, Hasher};
        // The standard library seeds each of these hashers at random.
        let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
        let doubled = self.first.saturating_mul(1 << attempt.saturating_sub(1).min(30));
        let pause = doubled.min(self.longest);
        // Integer arithmetic: a float may round the longest pause up beyond the maximum.
        let half = pause / 2;
        half.saturating_add(half / 1_000 * (random % 1_001) as u32).min(pause)
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
