//! Counters of this process's requests to a database: how many, how large, how fast, and how often they found a key.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::latencies::{Latencies, LatencyCounters};

/// Counters of one database, shared by its stores. They use relaxed ordering: they are metrics only.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Counters of every request, in places of their own for threads that count at once: a counter that two processors
    /// write takes longer than a read from memory.
    usual: [Usual; PLACES],
    retries: AtomicU64,
    brought: AtomicU64,
    evicted: AtomicU64,
    failures: AtomicU64,
    lock_timeouts: AtomicU64,
    connections: AtomicU64,
}

const PLACES: usize = 8;

/// On cache lines of its own, of which some processors fetch two at once.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Usual {
    hits: AtomicU64,
    misses: AtomicU64,
    writes: AtomicU64,
    requests: AtomicU64,
    sent_bytes: AtomicU64,
    received_bytes: AtomicU64,
    latencies: LatencyCounters,
}

thread_local! {
    /// This thread's place.
    static PLACE: usize = {
        static NEXT: AtomicUsize = const { AtomicUsize::new(0) };
        NEXT.fetch_add(1, Ordering::Relaxed) % PLACES
    };
}

fn add(counter: &AtomicU64, count: u64) {
    if count > 0 {
        counter.fetch_add(count, Ordering::Relaxed);
    }
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
    /// Commands sent to a server, each attempt counted; the memory backend sends none.
    pub requests: u64,
    /// Commands without an answer: the connection broke or the time was over. Errors that the server returned are
    /// answers.
    pub failures: u64,
    /// Bytes of the arguments of commands, without the protocol's own.
    pub sent_bytes: u64,
    /// Bytes of the values in answers, without the protocol's own.
    pub received_bytes: u64,
    /// Callers that waited for a lock as long as they wanted to, and did not get it.
    pub lock_timeouts: u64,
    /// Connections that the database may use now: a gauge, not a count.
    pub connections: u64,
    /// How long answers took. Commands sent together have one.
    pub latencies: Latencies,
}

impl Traffic {
    /// Counts one read.
    pub fn read(&self, found: bool) {
        self.reads(u64::from(found), u64::from(!found));
    }

    /// Counts many reads.
    pub fn reads(&self, hits: u64, misses: u64) {
        let usual = self.usual();
        add(&usual.hits, hits);
        add(&usual.misses, misses);
    }

    /// Counts writes.
    pub fn wrote(&self, count: u64) {
        add(&self.usual().writes, count);
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

    /// Counts commands that were sent together, with the bytes of their arguments.
    pub fn sent(&self, commands: u64, bytes: u64) {
        let usual = self.usual();
        add(&usual.requests, commands);
        add(&usual.sent_bytes, bytes);
    }

    /// Counts their answer, `took` after they were sent, with the bytes of its values.
    pub fn answered(&self, bytes: u64, took: Duration) {
        let usual = self.usual();
        add(&usual.received_bytes, bytes);
        usual.latencies.add(took);
    }

    /// Counts what was counted elsewhere: answers that took `sum` together, of which each number was within its limit;
    /// without a limit they took longer than all others.
    pub fn answered_many(
        &self,
        bytes: u64,
        sum: Duration,
        counts: impl IntoIterator<Item = (Option<Duration>, u64)>,
    ) {
        let usual = self.usual();
        add(&usual.received_bytes, bytes);
        usual.latencies.add_many(sum, counts);
    }

    /// Counts commands that got no answer.
    pub fn unanswered(&self, commands: u64) {
        self.failures.fetch_add(commands, Ordering::Relaxed);
    }

    /// Counts a caller that waited for a lock in vain.
    pub fn lock_timed_out(&self) {
        self.lock_timeouts.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that the database may use `count` more connections.
    pub fn connections_taken(&self, count: u64) {
        self.connections.fetch_add(count, Ordering::Relaxed);
    }

    /// Notes that it has given `count` back.
    pub fn connections_returned(&self, count: u64) {
        self.connections.fetch_sub(count, Ordering::Relaxed);
    }

    fn usual(&self) -> &Usual {
        // A thread that ends counts in any place.
        let place = PLACE.try_with(|place| *place).unwrap_or_default();
        &self.usual[place % PLACES]
    }

    /// The current counters.
    #[must_use]
    pub fn snapshot(&self) -> TrafficSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let sum = |counter: fn(&Usual) -> &AtomicU64| {
            self.usual.iter().map(|usual| read(counter(usual))).sum()
        };
        TrafficSnapshot {
            hits: sum(|usual| &usual.hits),
            misses: sum(|usual| &usual.misses),
            writes: sum(|usual| &usual.writes),
            retries: read(&self.retries),
            brought: read(&self.brought),
            evicted: read(&self.evicted),
            requests: sum(|usual| &usual.requests),
            failures: read(&self.failures),
            sent_bytes: sum(|usual| &usual.sent_bytes),
            received_bytes: sum(|usual| &usual.received_bytes),
            lock_timeouts: read(&self.lock_timeouts),
            connections: read(&self.connections),
            latencies: self.usual.iter().map(|usual| usual.latencies.snapshot()).sum(),
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

    #[test]
    fn commands_sent_together_have_one_answer() {
        let traffic = Traffic::default();
        traffic.sent(3, 120);
        traffic.answered(40, Duration::from_micros(300));
        traffic.sent(2, 10);
        traffic.unanswered(2);
        let counted = traffic.snapshot();
        assert_eq!((counted.requests, counted.failures), (5, 2));
        assert_eq!((counted.sent_bytes, counted.received_bytes), (130, 40));
        assert_eq!(counted.latencies.count(), 1);
        assert_eq!(counted.latencies.mean(), Some(Duration::from_micros(300)));
    }
}
