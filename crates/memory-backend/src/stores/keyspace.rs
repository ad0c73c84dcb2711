//! The keys of one numbered database: expiry, eviction and locks for writers.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ahash::RandomState;
use compartment_core::{Clock, Timestamp};
use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::error::Refusal;
use crate::steady_time::SteadyTime;
use crate::stores::queue_state::Queue;
use crate::stores::value::{ENTRY_OVERHEAD, Entry, Value};

/// Writers of one key are serialised by one of these locks; there are more locks than concurrent writers. Measured, a
/// set takes 1.3 times as long as a bare insert into moka; moka's own per-key compute takes 1.5 times.
const WRITE_LOCKS: usize = 256;

/// moka drops an expired entry this much later than its end. Its housekeeping may remove a value that is written at the
/// moment at which the old one of the key ends, so it must not be the one that decides.
const HOUSEKEEPING_GRACE: Duration = Duration::from_secs(1);

/// A writer's decision about a key.
pub(crate) enum Change {
    Nothing,
    Remove,
    Put(Value, Option<Timestamp>),
}

/// Every key of one numbered database.
#[derive(Debug)]
pub(crate) struct Keyspace {
    time: SteadyTime,
    entries: Cache<String, Entry, RandomState>,
    write_locks: Box<[Mutex<()>]>,
    hasher: RandomState,
    budget: Option<u64>,
    queues: Mutex<HashMap<String, Queue>>,
}

impl Keyspace {
    /// An empty keyspace. With a budget it evicts the least recently used entries.
    pub(crate) fn new(clock: Arc<dyn Clock>, budget: Option<u64>) -> Self {
        let time = SteadyTime::of(Arc::clone(&clock));
        let mut builder = Cache::builder()
            .eviction_policy(EvictionPolicy::lru())
            .weigher(|_, entry: &Entry| u32::try_from(entry.weight).unwrap_or(u32::MAX));
        if let Some(bytes) = budget {
            builder = builder.max_capacity(bytes);
        }
        if time.is_the_machines() {
            builder = builder.expire_after(Housekeeping { time: time.clone() });
        }
        let hasher = RandomState::new();
        Self {
            time,
            entries: builder.build_with_hasher(hasher.clone()),
            write_locks: (0..WRITE_LOCKS).map(|_| Mutex::new(())).collect(),
            hasher,
            budget,
            queues: Mutex::default(),
        }
    }

    /// Lets `change` use the queue `name` exclusively.
    pub(crate) fn in_queue<T>(
        &self,
        name: &str,
        change: impl FnOnce(&mut Queue, Timestamp) -> T,
    ) -> T {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.time.now();
        match queues.get_mut(name) {
            Some(queue) => change(queue, now),
            None => change(queues.entry(name.to_owned()).or_default(), now),
        }
    }

    pub(crate) fn budget(&self) -> Option<u64> {
        self.budget
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// The live entry of `name`.
    pub(crate) fn read(&self, name: &str) -> Option<Entry> {
        let entry = self.entries.get(name)?;
        // Most keys of a durable database have no TTL: do not read the clock for those.
        let Some(end) = entry.expires_at else { return Some(entry) };
        let now = READ_AT.take().map_or_else(|| self.time.now(), |instant| self.time.at(instant));
        (now < end).then_some(entry)
    }

    /// Stores a value, whatever `name` has, while no other writer changes that key. `end` says until when.
    pub(crate) fn put(
        &self,
        name: &str,
        value: Value,
        end: impl FnOnce(Timestamp) -> Option<Timestamp>,
    ) {
        let _turn = self.turn(name);
        self.insert(name, value, end(self.time.now()));
    }

    fn insert(&self, name: &str, value: Value, expires_at: Option<Timestamp>) {
        let weight = value.bytes() + name.len() as u64 + ENTRY_OVERHEAD;
        self.entries.insert(name.to_owned(), Entry { value, expires_at, weight });
    }

    /// Waits until no other writer changes the key.
    fn turn(&self, name: &str) -> Option<MutexGuard<'_, ()>> {
        let lock = self.hasher.hash_one(name) as usize % WRITE_LOCKS;
        let lock = self.write_locks.get(lock);
        lock.map(|lock| lock.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Passes the live entry of `name` to `decide` and applies its decision, while no other writer changes that key.
    pub(crate) fn update<T>(
        &self,
        name: &str,
        decide: impl FnOnce(Option<Entry>, Timestamp) -> Result<(Change, T), Refusal>,
    ) -> Result<T, Refusal> {
        let _turn = self.turn(name);
        let now = self.time.now();
        let stored = self.entries.get(name);
        let has_ended = stored.as_ref().is_some_and(|entry| !entry.is_live(now));
        let (change, answer) = decide(stored.filter(|_| !has_ended), now)?;
        match change {
            Change::Put(value, expires_at) => self.insert(name, value, expires_at),
            Change::Remove => self.entries.invalidate(name),
            Change::Nothing if has_ended => self.entries.invalidate(name),
            Change::Nothing => {}
        }
        Ok(answer)
    }

    /// The names of the live keys that `wanted` selects.
    pub(crate) fn names(&self, wanted: impl Fn(&str) -> bool) -> Vec<Arc<String>> {
        let now = self.time.now();
        self.entries
            .iter()
            .filter(|(name, entry)| entry.is_live(now) && wanted(name))
            .map(|(name, _)| name)
            .collect()
    }

    /// The number and bytes of the keys whose names begin with `prefix`.
    pub(crate) fn keys_and_bytes(&self, prefix: &str) -> (u64, u64) {
        // moka counts and evicts with a delay; this makes it catch up.
        self.entries.run_pending_tasks();
        if prefix.is_empty() {
            return (self.entries.entry_count(), self.entries.weighted_size());
        }
        self.entries
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .fold((0, 0), |(keys, bytes), (_, entry)| (keys + 1, bytes + entry.weight))
    }
}

thread_local! {
    /// When moka looked at the entry that this thread reads: moka reads the clock for each, and tells only its expiry
    /// policy.
    static READ_AT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Tells moka when it may drop an entry.
struct Housekeeping {
    time: SteadyTime,
}

impl Housekeeping {
    fn time_left(&self, entry: &Entry, now: Instant) -> Option<Duration> {
        let end = entry.expires_at?;
        Some(end.since(self.time.at(now)) + HOUSEKEEPING_GRACE)
    }
}

impl Expiry<String, Entry> for Housekeeping {
    fn expire_after_create(&self, _: &String, entry: &Entry, now: Instant) -> Option<Duration> {
        self.time_left(entry, now)
    }

    fn expire_after_update(
        &self,
        _: &String,
        entry: &Entry,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.time_left(entry, now)
    }

    fn expire_after_read(
        &self,
        _: &String,
        _: &Entry,
        read_at: Instant,
        left: Option<Duration>,
        _: Instant,
    ) -> Option<Duration> {
        READ_AT.set(Some(read_at));
        left
    }
}
