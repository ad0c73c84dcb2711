//! What passed through: operations, bytes, hits, latencies and errors, by database, command and route.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::route::{DatabaseId, RouteId};

/// Buckets of latencies: up to 16 µs, 32 µs, and so on to 8.4 s, and longer ones.
pub(crate) const BUCKETS: usize = 21;
const FIRST: u64 = 16;

/// Accounts as one thread holds them: each request on its way does, and another hold costs no bus lock.
#[derive(Clone, Debug)]
pub(crate) struct Book(Rc<Held>);

#[derive(Debug)]
struct Held(Arc<Accounts>);

impl Book {
    pub(crate) fn new(accounts: Arc<Accounts>) -> Self {
        Self(Rc::new(Held(accounts)))
    }
}

impl std::ops::Deref for Book {
    type Target = Accounts;

    fn deref(&self) -> &Accounts {
        &self.0.0
    }
}

/// What a request is counted under. The numbers are those of one configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) command: u16,
    pub(crate) database: DatabaseId,
    pub(crate) route: RouteId,
}

/// A request that is to be counted when its reply comes.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) subject: Subject,
    /// Bytes of the request.
    pub(crate) bytes: u32,
    pub(crate) since: Instant,
    /// The accounts of the configuration by which it was sent.
    pub(crate) accounts: Book,
}

impl About {
    /// Its reply came.
    pub(crate) fn replied(&self, reply: Replied, now: Instant) {
        self.accounts.replied(self, reply, now);
    }

    /// No reply comes.
    pub(crate) fn lost(&self) {
        self.accounts.lost(self.subject);
    }
}

/// A reply, as far as it is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replied {
    pub(crate) is_error: bool,
    /// Whether nothing was found.
    pub(crate) is_nothing: bool,
    pub(crate) bytes: u64,
}

impl Replied {
    /// A whole reply.
    pub(crate) fn of(reply: &[u8]) -> Self {
        Self {
            is_error: reply.starts_with(b"-"),
            is_nothing: crate::resp::scanner::is_nothing(reply),
            bytes: reply.len() as u64,
        }
    }
}

/// The counters of one command in one database. One thread writes them, others may read.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) operations: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) nothing: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) micros: AtomicU64,
    pub(crate) latencies: [AtomicU64; BUCKETS],
}

/// Adds without a bus lock: no other thread writes.
fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

/// The counters of one thread.
#[derive(Debug)]
pub(crate) struct Accounts {
    /// By database, then by command.
    cells: Vec<Vec<OnceLock<Box<Tally>>>>,
    routes: Vec<Tally>,
    /// By database: keys that were written without the life that its contract wants.
    without_life: Vec<AtomicU64>,
    /// By database: keys that were given a life that its contract does not expect.
    with_life: Vec<AtomicU64>,
    /// Requests that took longer than this are kept.
    slow_after: u64,
    slow: Mutex<VecDeque<Slow>>,
}

/// A request that took long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slow {
    pub(crate) subject: Subject,
    pub(crate) micros: u64,
    /// Milliseconds since 1970.
    pub(crate) at_ms: u64,
}

/// Slow requests that are kept.
const SLOW: usize = 128;

impl Accounts {
    /// `slow` is how long a request may take before it is kept as a slow one.
    pub(crate) fn new(databases: usize, commands: usize, routes: usize, slow: Duration) -> Self {
        let row = || (0..=commands).map(|_| OnceLock::new()).collect();
        Self {
            cells: (0..=databases).map(|_| row()).collect(),
            routes: (0..=routes).map(|_| Tally::default()).collect(),
            without_life: (0..databases).map(|_| AtomicU64::new(0)).collect(),
            with_life: (0..databases).map(|_| AtomicU64::new(0)).collect(),
            slow_after: u64::try_from(slow.as_micros()).unwrap_or(u64::MAX),
            slow: Mutex::default(),
        }
    }

    fn cell(&self, subject: Subject) -> Option<&Tally> {
        let row = self.cells.get(subject.database.position()).or_else(|| self.cells.last())?;
        let cell = row.get(usize::from(subject.command)).or_else(|| row.last())?;
        Some(cell.get_or_init(Box::default))
    }

    fn replied(&self, about: &About, reply: Replied, now: Instant) {
        let subject = about.subject;
        let took = now.saturating_duration_since(about.since);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if micros > self.slow_after {
            self.keep(subject, micros);
        }
        let route = self.routes.get(subject.route.position()).or_else(|| self.routes.last());
        for tally in self.cell(subject).into_iter().chain(route) {
            add(&tally.operations, 1);
            add(&tally.errors, u64::from(reply.is_error));
            add(&tally.nothing, u64::from(reply.is_nothing));
            add(&tally.bytes_in, u64::from(about.bytes));
            add(&tally.bytes_out, reply.bytes);
            add(&tally.micros, micros);
            add(&tally.latencies[bucket(micros)], 1);
        }
    }

    fn keep(&self, subject: Subject, micros: u64) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let at_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let mut slow = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        if slow.len() >= SLOW {
            slow.pop_front();
        }
        slow.push_back(Slow { subject, micros, at_ms });
    }

    /// The latest slow requests.
    pub(crate) fn slow(&self) -> Vec<Slow> {
        self.slow.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Of each database the commands that were used, and what is counted of them.
    pub(crate) fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = (u16, &Tally)>> {
        self.cells.iter().map(|row| {
            let all = row.iter().enumerate();
            all.filter_map(|(at, cell)| Some((u16::try_from(at).ok()?, &**cell.get()?)))
        })
    }

    pub(crate) fn routes(&self) -> impl Iterator<Item = (usize, &Tally)> {
        self.routes.iter().enumerate()
    }

    /// Keys of a database without the life that they need, and with one that they do not.
    pub(crate) fn lives(&self, database: usize) -> (u64, u64) {
        let read = |list: &[AtomicU64]| {
            list.get(database).map_or(0, |count| count.load(Ordering::Relaxed))
        };
        (read(&self.without_life), read(&self.with_life))
    }

    /// A database got keys without a life.
    pub(crate) fn without_life(&self, database: DatabaseId, count: u64) {
        if let Some(counter) = self.without_life.get(database.position()) {
            add(counter, count);
        }
    }

    /// A key of a durable database got a life.
    pub(crate) fn durable_with_life(&self, database: DatabaseId) {
        if let Some(counter) = self.with_life.get(database.position()) {
            add(counter, 1);
        }
    }

    /// A request had no reply.
    fn lost(&self, subject: Subject) {
        if let Some(tally) = self.cell(subject) {
            add(&tally.lost, 1);
        }
    }
}

fn bucket(micros: u64) -> usize {
    let limit = micros.div_ceil(FIRST).max(1);
    let at = u64::BITS - (limit - 1).leading_zeros();
    usize::try_from(at).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The limit of a bucket; `None` for the last one.
pub(crate) fn limit(bucket: usize) -> Option<Duration> {
    (bucket + 1 < BUCKETS).then(|| Duration::from_micros(FIRST << bucket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_buckets_double() {
        for (micros, wanted) in
            [(0, 0), (16, 0), (17, 1), (32, 1), (33, 2), (8_388_608, 19), (u64::MAX, 20)]
        {
            assert_eq!(bucket(micros), wanted, "{micros}");
        }
        assert_eq!(limit(0), Some(Duration::from_micros(16)));
        assert_eq!(limit(BUCKETS - 1), None);
    }
}
