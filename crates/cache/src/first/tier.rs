//! The tier in the process: decoded values, shared and not copied, bounded by bytes.
//!
//! An entry is served until its TTL ends, while its stamps hold, its key has not been written since,
//! and invalidations of other processes have arrived without a gap since it was stored.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::first::name::Wanted;
use crate::first::shards::Shards;
use crate::first::slots::Weighed;
use crate::life::Moment64;
use crate::metrics::counters::Counters;
use crate::second::envelope::StampSeen;
use crate::stamps::{StampBook, Standing};
use compartment_core::Timestamp;

/// A value of any type; `None` is a known absence.
pub(crate) type SharedValue = Option<Arc<dyn Any + Send + Sync>>;

/// The bytes counted for an entry besides its key and encoded value.
const ENTRY_OVERHEAD: u64 = 256;
/// The number of write counters. Several keys share one.
const MARKS: usize = 4_096;
/// The average size of an entry, to size the tables.
const USUAL_BYTES: u64 = 1_024;

/// One entry: the fields that a hit reads, kept small.
#[derive(Debug)]
pub(crate) struct FirstEntry {
    pub(crate) value: SharedValue,
    /// By its writer's clock; only compared for equality.
    pub(crate) created: Timestamp,
    /// When a read reloads the entry.
    pub(crate) eager_at: Moment64,
    /// Until when it is served as fresh: earlier than `fresh_until` if this process would not learn that it was
    /// invalidated.
    serve_until: Moment64,
    pub(crate) counters: Arc<Counters>,
    /// The value of the trust counter when the entry was stored.
    trust: u64,
    /// The epoch of the stamps at the last successful check.
    checked: AtomicU64,
    rest: Box<Rest>,
}

/// The fields that a hit does not read.
#[derive(Debug)]
struct Rest {
    fresh_until: Moment64,
    stamps: Box<[StampSeen]>,
    weight: u64,
}

impl FirstEntry {
    pub(crate) fn fresh_until(&self) -> Moment64 {
        self.rest.fresh_until
    }
}

/// The state of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It may be served.
    Fresh,
    /// It has expired and was not invalidated.
    Ended,
    /// It may have been invalidated without this process being notified.
    Doubtful,
}

impl Weighed for FirstEntry {
    fn weight(&self) -> u64 {
        self.rest.weight
    }
}

/// The counters before an entry's value was read or loaded. The entry is stored only if they have not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    mark: u64,
    trust: u64,
    done: u64,
}

#[derive(Debug)]
pub(crate) struct FirstTier {
    entries: Shards<FirstEntry>,
    marks: Box<[AtomicU64]>,
    /// Incremented when this process finishes a load or a set of a key that others here may wait for.
    done: Box<[AtomicU64]>,
    /// Incremented when messages may have been missed.
    trust: AtomicU64,
    trusted: AtomicBool,
}

/// The parts of a new entry.
#[derive(Debug)]
pub(crate) struct NewEntry {
    pub(crate) value: SharedValue,
    pub(crate) created: Timestamp,
    pub(crate) eager_at: Moment64,
    pub(crate) fresh_until: Moment64,
    pub(crate) serve_until: Moment64,
    pub(crate) stamps: Vec<StampSeen>,
    pub(crate) counters: Arc<Counters>,
    /// The size of the encoded value.
    pub(crate) bytes: u64,
}

impl FirstTier {
    /// An empty tier of this many bytes, distrusted until messages arrive.
    pub(crate) fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / USUAL_BYTES).unwrap_or(usize::MAX).clamp(64, 1 << 22);
        Self {
            entries: Shards::new(bytes, items),
            marks: (0..MARKS).map(|_| AtomicU64::new(0)).collect(),
            done: (0..MARKS).map(|_| AtomicU64::new(0)).collect(),
            trust: AtomicU64::new(0),
            trusted: AtomicBool::new(false),
        }
    }

    /// Calls `look` with the entry of `key` and its state, if there is one.
    pub(crate) fn look<R>(
        &self,
        key: &str,
        book: &StampBook,
        now: Moment64,
        look: impl FnOnce(&FirstEntry, State) -> R,
    ) -> Option<R> {
        let wanted = self.entries.wanted(key);
        let seen = self.entries.look(wanted, |entry| {
            let state = self.state(entry, book, now)?;
            Some(look(entry, state))
        });
        if let Some(None) = seen {
            // It was invalidated. If another entry has been stored meanwhile, it is loaded again.
            self.entries.remove(wanted);
        }
        seen.flatten()
    }

    /// The state of an entry; `None` if it was invalidated.
    fn state(&self, entry: &FirstEntry, book: &StampBook, now: Moment64) -> Option<State> {
        if entry.trust != self.trust.load(Ordering::Acquire) {
            let differs = book.standing(&entry.rest.stamps) == Standing::Differs;
            return (!differs).then_some(State::Doubtful);
        }
        let epoch = book.epoch();
        if entry.checked.load(Ordering::Relaxed) != epoch {
            match book.standing(&entry.rest.stamps) {
                Standing::Holds => entry.checked.store(epoch, Ordering::Relaxed),
                Standing::Differs => return None,
                Standing::Unknown => return Some(State::Doubtful),
            }
        }
        Some(if now < entry.serve_until {
            State::Fresh
        } else if now < entry.rest.fresh_until {
            State::Doubtful
        } else {
            State::Ended
        })
    }

    /// Take it before a value is read or loaded.
    pub(crate) fn moment(&self, key: &str) -> Moment {
        self.moment_of(self.entries.wanted(key))
    }

    fn moment_of(&self, wanted: Wanted<'_>) -> Moment {
        let place = wanted.place(MARKS);
        Moment {
            mark: self.marks[place].load(Ordering::Acquire),
            trust: self.trust.load(Ordering::Acquire),
            done: self.done[place].load(Ordering::Acquire),
        }
    }

    /// Whether `key` was written, or messages were missed, since.
    pub(crate) fn is_past(&self, key: &str, moment: Moment) -> bool {
        self.is_past_of(self.entries.wanted(key), moment)
    }

    fn is_past_of(&self, wanted: Wanted<'_>, moment: Moment) -> bool {
        let now = self.moment_of(wanted);
        (now.mark, now.trust) != (moment.mark, moment.trust)
    }

    /// Whether to look at `key` again, because it was written or this process has finished a load or a set of it.
    pub(crate) fn has_news(&self, key: &str, moment: Moment) -> bool {
        self.moment(key) != moment
    }

    /// This process has finished a load or a set of `key`.
    pub(crate) fn done(&self, key: &str) {
        self.done[self.entries.wanted(key).place(MARKS)].fetch_add(1, Ordering::AcqRel);
    }

    /// Stores an entry, unless its key was written since `moment`.
    pub(crate) fn put(&self, key: &str, new: NewEntry, moment: Moment) {
        let wanted = self.entries.wanted(key);
        if self.is_past_of(wanted, moment) {
            return;
        }
        let weight = new.bytes
            + key.len() as u64
            + ENTRY_OVERHEAD
            + new.stamps.iter().map(|stamp| stamp.name.len() as u64 + 32).sum::<u64>();
        let entry = FirstEntry {
            value: new.value,
            created: new.created,
            eager_at: new.eager_at,
            serve_until: new.serve_until,
            counters: new.counters,
            trust: moment.trust,
            // Not a valid epoch, so that the first read checks the stamps.
            checked: AtomicU64::new(u64::MAX),
            rest: Box::new(Rest {
                fresh_until: new.fresh_until,
                stamps: new.stamps.into(),
                weight,
            }),
        };
        self.entries.insert(wanted, entry);
        // A writer of the key increments its counter before it removes an entry: either it finds this one, or the
        // increment is seen here.
        if self.is_past_of(wanted, moment) {
            self.entries.remove(wanted);
        }
    }

    /// Records that the key was written or removed: stored and incoming entries are outdated.
    pub(crate) fn written(&self, key: &str) {
        let wanted = self.entries.wanted(key);
        self.mark(wanted).fetch_add(1, Ordering::AcqRel);
        self.entries.remove(wanted);
    }

    /// Removes all entries.
    pub(crate) fn clear(&self) {
        self.entries.clear();
    }

    /// If only this process has written the key since `moment`, returns the moment from which its value may be
    /// stored; `None` if another caller wrote it too.
    pub(crate) fn written_since(&self, key: &str, moment: Moment) -> Option<Moment> {
        let (mark, wanted) = (moment.mark, self.entries.wanted(key));
        let moved = self.mark(wanted).compare_exchange(
            mark,
            mark.wrapping_add(1),
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        self.entries.remove(wanted);
        moved.ok().map(|_| Moment { mark: mark.wrapping_add(1), ..moment })
    }

    /// Messages may have been missed: no current entry can be trusted.
    pub(crate) fn distrust(&self) {
        self.trusted.store(false, Ordering::Release);
        self.trust.fetch_add(1, Ordering::AcqRel);
    }

    /// Messages arrive from now on. Entries stored before stay distrusted.
    pub(crate) fn trust(&self) {
        self.trust.fetch_add(1, Ordering::AcqRel);
        self.trusted.store(true, Ordering::Release);
    }

    /// Whether messages arrive.
    pub(crate) fn is_trusted(&self) -> bool {
        self.trusted.load(Ordering::Acquire)
    }

    pub(crate) fn len(&self) -> u64 {
        self.entries.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.entries.weight()
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.entries.evicted()
    }

    fn mark(&self, wanted: Wanted<'_>) -> &AtomicU64 {
        // The remainder is below the length.
        &self.marks[wanted.place(MARKS)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use compartment_core::MonotonicInstant;
    use std::time::Duration;

    fn now() -> Moment64 {
        Moment64::of(MonotonicInstant::since_beginning(Duration::from_secs(1_000)))
    }

    fn entry(bytes: u64) -> NewEntry {
        let until = now().after(Duration::from_secs(60));
        NewEntry {
            value: Some(Arc::new(7_u32)),
            created: Timestamp::default(),
            eager_at: until,
            fresh_until: until,
            serve_until: until,
            stamps: Vec::new(),
            counters: Arc::default(),
            bytes,
        }
    }

    fn state(tier: &FirstTier, book: &StampBook, now: Moment64) -> Option<State> {
        tier.look("a", book, now, |_, state| state)
    }

    #[test]
    fn it_stays_within_its_bytes_and_counts_what_it_gives_up() {
        let tier = FirstTier::new(1 << 20);
        for number in 0..5_000 {
            let key = format!("key {number}");
            tier.put(&key, entry(1_000), tier.moment(&key));
        }
        assert!(tier.bytes() <= 1 << 20, "{}", tier.bytes());
        assert!(tier.len() > 500, "{}", tier.len());
        assert_eq!(tier.evicted() + tier.len(), 5_000);
    }

    #[test]
    fn a_value_read_before_a_write_is_not_put_in() {
        let (tier, book) = (FirstTier::new(1 << 20), StampBook::default());
        let moment = tier.moment("a");
        tier.written("a");
        tier.put("a", entry(1), moment);
        assert_eq!(state(&tier, &book, now()), None);
        tier.put("a", entry(1), tier.moment("a"));
        assert_eq!(state(&tier, &book, now()), Some(State::Fresh));
        tier.distrust();
        assert_eq!(state(&tier, &book, now()), Some(State::Doubtful));
        tier.trust();
        assert_eq!(state(&tier, &book, now()), Some(State::Doubtful));
        tier.put("a", entry(1), tier.moment("a"));
        let ended = now().after(Duration::from_secs(60));
        assert_eq!(state(&tier, &book, ended), Some(State::Ended));
    }
}
