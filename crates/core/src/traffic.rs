//! Counters of this process's requests to a database, for hit rates.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one database, shared by its stores. They use relaxed ordering: they are metrics only.
#[derive(Debug, Default)]
pub struct Traffic {
    hits: AtomicU64,
    misses: AtomicU64,
    writes: AtomicU64,
    retries: AtomicU64,
    brought: AtomicU64,
    evicted: AtomicU64,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrafficSnapshot {
    /// Reads of an existing key.
    pub hits: u64,
    /// Reads of a missing key.
    pub misses: u64,
    /// Writes sent.
    pub writes: u64,
    /// Requests repeated after a failure.
    pub retries: u64,
    /// Keys moved from the database's previous place to the new one. Once this stays constant in every process, the
    /// previous place can be removed from the configuration.
    pub brought: u64,
    /// Keys that this process evicted to enforce the memory budget on a server; the memory backend does not count
    /// evictions.
    pub evicted: u64,
}

impl Traffic {
    /// Counts one read.
    pub fn read(&self, found: bool) {
        self.reads(u64::from(found), u64::from(!found));
    }

    /// Counts many reads.
    pub fn reads(&self, hits: u64, misses: u64) {
        self.hits.fetch_add(hits, Ordering::Relaxed);
        self.misses.fetch_add(misses, Ordering::Relaxed);
    }

    /// Counts writes.
    pub fn wrote(&self, count: u64) {
        self.writes.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts a repeated request.
    pub fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts keys that were moved from the previous place.
    pub fn brought(&self, count: u64) {
        self.brought.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts evicted keys.
    pub fn evicted(&self, count: u64) {
        self.evicted.fetch_add(count, Ordering::Relaxed);
    }

    /// The current counters.
    #[must_use]
    pub fn snapshot(&self) -> TrafficSnapshot {
        TrafficSnapshot {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            brought: self.brought.load(Ordering::Relaxed),
            evicted: self.evicted.load(Ordering::Relaxed),
        }
    }
}

impl TrafficSnapshot {
    /// The share of hits among reads, 0 to 1; `None` before the first read.
    #[must_use]
    pub fn hit_rate(&self) -> Option<f64> {
        let reads = self.hits + self.misses;
        // Counters stay far below 2^52.
        (reads > 0).then(|| self.hits as f64 / reads as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hit_rate_is_hits_among_reads() {
        let traffic = Traffic::default();
        assert_eq!(traffic.snapshot().hit_rate(), None);
        traffic.read(true);
        traffic.reads(2, 1);
        assert_eq!(traffic.snapshot().hit_rate(), Some(0.75));
    }
}
