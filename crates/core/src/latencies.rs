//! How long answers took: their sum, and counts in buckets whose limits double.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets: answers within 64 µs, 128 µs, and so on to 2.1 s, and those that took longer.
pub(crate) const BUCKETS: usize = 17;
/// The limit of the first, in microseconds.
const FIRST: u64 = 64;

/// Counters of answers.
#[derive(Debug, Default)]
pub(crate) struct LatencyCounters {
    micros: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

/// How long answers took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// The sum, in microseconds.
    pub(crate) micros: u64,
    /// How many were within the limit of each bucket, and not of the one before.
    pub(crate) buckets: [u64; BUCKETS],
}

impl LatencyCounters {
    pub(crate) fn add(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        self.buckets[bucket(micros)].fetch_add(1, Ordering::Relaxed);
    }

    /// Adds counts whose limits are known; one without a limit is above all.
    pub(crate) fn add_many(
        &self,
        sum: Duration,
        counts: impl IntoIterator<Item = (Option<Duration>, u64)>,
    ) {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros(sum), Ordering::Relaxed);
        for (limit, count) in counts {
            let at = limit.map_or(BUCKETS - 1, |limit| bucket(micros(limit)));
            self.buckets[at].fetch_add(count, Ordering::Relaxed);
        }
    }

    pub(crate) fn snapshot(&self) -> Latencies {
        Latencies {
            micros: self.micros.load(Ordering::Relaxed),
            buckets: std::array::from_fn(|at| self.buckets[at].load(Ordering::Relaxed)),
        }
    }
}

fn bucket(micros: u64) -> usize {
    (0..BUCKETS - 1).find(|at| micros <= FIRST << at).unwrap_or(BUCKETS - 1)
}

impl std::iter::Sum for Latencies {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            micros: sum.micros + one.micros,
            buckets: std::array::from_fn(|at| sum.buckets[at] + one.buckets[at]),
        })
    }
}

impl Latencies {
    /// How many answers there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// How long they took together.
    #[must_use]
    pub const fn sum(&self) -> Duration {
        Duration::from_micros(self.micros)
    }

    /// The limit of each bucket and how many answers were within it, the shortest first; the last bucket has no limit
    /// and holds all.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let limit = |at| (at < BUCKETS - 1).then(|| Duration::from_micros(FIRST << at));
        self.buckets.into_iter().enumerate().scan(0, move |seen, (at, count)| {
            *seen += count;
            Some((limit(at), *seen))
        })
    }

    /// How long they took on average; `None` without an answer.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        self.micros.checked_div(self.count()).map(Duration::from_micros)
    }

    /// A time that the share `quantile` of the answers (0 to 1) took at most: the limit of their bucket, which is
    /// less than twice the exact time. `None` without an answer, and if it is longer than the last limit, 2.1 s.
    #[must_use]
    pub fn at_most(&self, quantile: f64) -> Option<Duration> {
        let all = self.count();
        let rank = ((all as f64 * quantile.clamp(0.0, 1.0)).ceil() as u64).clamp(1, all.max(1));
        let mut seen = 0;
        let reached = self.buckets.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        (reached < BUCKETS - 1).then(|| Duration::from_micros(FIRST << reached))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: &[u64]) -> Latencies {
        let counters = LatencyCounters::default();
        micros.iter().for_each(|one| counters.add(Duration::from_micros(*one)));
        counters.snapshot()
    }

    #[test]
    fn a_quantile_is_the_limit_of_its_bucket() {
        let mut all = vec![64; 98];
        all.extend([65, 5_000]);
        let latencies = of(&all);
        assert_eq!(latencies.count(), 100);
        assert_eq!(latencies.at_most(0.5), Some(Duration::from_micros(64)));
        assert_eq!(latencies.at_most(0.99), Some(Duration::from_micros(128)));
        assert_eq!(latencies.at_most(1.0), Some(Duration::from_micros(8_192)));
        assert_eq!(latencies.mean(), Some(Duration::from_micros((98 * 64 + 5_065) / 100)));
    }

    #[test]
    fn buckets_add_up_to_all_answers() {
        let all: Vec<_> = of(&[10, 64, 65, 3_000_000]).cumulative().collect();
        assert_eq!(all.len(), BUCKETS);
        assert_eq!(all[0], (Some(Duration::from_micros(64)), 2));
        assert_eq!(all[1], (Some(Duration::from_micros(128)), 3));
        assert_eq!(all[BUCKETS - 1], (None, 4));
        assert_eq!(of(&[10, 20]).sum(), Duration::from_micros(30));
    }

    #[test]
    fn no_answer_has_no_time_and_a_very_long_one_no_limit() {
        assert_eq!((of(&[]).mean(), of(&[]).at_most(0.5)), (None, None));
        let long = of(&[10, 3_000_000, u64::MAX / 4]);
        assert_eq!(long.at_most(0.3), Some(Duration::from_micros(64)));
        assert_eq!(long.at_most(0.99), None);
        assert_eq!(long.count(), 3);
    }
}
