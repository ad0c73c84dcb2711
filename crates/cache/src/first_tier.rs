//! The tier in the process: decoded values, shared and not copied, bounded by bytes.
//!
//! An entry is served while its time has not come, its stamps hold, its key was not written by
//! anybody since, and news of other processes has arrived without a gap since it was put in.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use compartment_core::Timestamp;
use quick_cache::sync::Cache as QuickCache;
use quick_cache::{DefaultHashBuilder, Lifecycle, Weighter};

use crate::envelope::StampSeen;
use crate::metrics::Counters;
use crate::policy::Times;
use crate::stamps::{StampBook, Standing};

/// A value of any type; `None`: it is known that there is none.
pub(crate) type Shared = Option<Arc<dyn Any + Send + Sync>>;

/// What is counted for an entry besides its key and encoded value.
const ENTRY_OVERHEAD: u64 = 256;
/// Keys share this many marks of when one of them was last written.
const MARKS: usize = 4_096;
/// What an entry takes on average, for the size of the tables.
const USUAL_BYTES: u64 = 1_024;

/// One entry.
#[derive(Debug)]
pub(crate) struct FirstEntry {
    pub(crate) value: Shared,
    pub(crate) times: Times,
    /// When a read loads it anew.
    pub(crate) eager_at: Timestamp,
    /// Until when it is served as fresh: earlier than its time where nothing would tell that it
    /// has been invalidated.
    pub(crate) serve_until: Timestamp,
    pub(crate) stamps: Box<[StampSeen]>,
    pub(crate) counters: Arc<Counters>,
    /// The trust it was put in under.
    trust: u64,
    /// The stamps' epoch at which they were found to hold.
    checked: AtomicU64,
    weight: u64,
}

/// What the tier has of a key.
pub(crate) enum Found {
    /// To be served.
    Fresh(Arc<FirstEntry>),
    /// It has ended, and nothing else speaks against it.
    Ended(Arc<FirstEntry>),
    /// It may have been invalidated without this process being told.
    Doubtful(Arc<FirstEntry>),
    Nothing,
}

/// What was so before an entry's value was read or loaded; it is put in only if it still is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    mark: u64,
    trust: u64,
    done: u64,
}

#[derive(Debug)]
pub(crate) struct FirstTier {
    entries: QuickCache<Box<str>, Arc<FirstEntry>, ByBytes, DefaultHashBuilder, CountEvicted>,
    marks: Box<[AtomicU64]>,
    /// Moves when this process is done with a key that others here may wait for.
    done: Box<[AtomicU64]>,
    hasher: DefaultHashBuilder,
    /// Moves when news may have been missed.
    trust: AtomicU64,
    trusted: AtomicBool,
    evicted: Arc<AtomicU64>,
}

#[derive(Clone, Debug)]
struct ByBytes;

impl Weighter<Box<str>, Arc<FirstEntry>> for ByBytes {
    fn weight(&self, _: &Box<str>, entry: &Arc<FirstEntry>) -> u64 {
        entry.weight
    }
}

#[derive(Clone, Debug)]
struct CountEvicted(Arc<AtomicU64>);

impl Lifecycle<Box<str>, Arc<FirstEntry>> for CountEvicted {
    type RequestState = ();

    fn begin_request(&self) {}

    fn before_evict(&self, (): &mut (), _: &Box<str>, _: &mut Arc<FirstEntry>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What an entry is made of.
#[derive(Debug)]
pub(crate) struct NewEntry {
    pub(crate) value: Shared,
    pub(crate) times: Times,
    pub(crate) eager_at: Timestamp,
    pub(crate) serve_until: Timestamp,
    pub(crate) stamps: Vec<StampSeen>,
    pub(crate) counters: Arc<Counters>,
    /// Bytes of the encoded value.
    pub(crate) bytes: u64,
}

impl FirstTier {
    /// An empty tier of so many bytes; distrusted until news arrives.
    pub(crate) fn new(bytes: u64) -> Self {
        let evicted = Arc::new(AtomicU64::new(0));
        let hasher = DefaultHashBuilder::default();
        let items = usize::try_from(bytes / USUAL_BYTES).unwrap_or(usize::MAX).clamp(64, 1 << 22);
        let lifecycle = CountEvicted(Arc::clone(&evicted));
        Self {
            entries: QuickCache::with(items, bytes, ByBytes, hasher.clone(), lifecycle),
            marks: (0..MARKS).map(|_| AtomicU64::new(0)).collect(),
            done: (0..MARKS).map(|_| AtomicU64::new(0)).collect(),
            hasher,
            trust: AtomicU64::new(0),
            trusted: AtomicBool::new(false),
            evicted,
        }
    }

    /// What there is of `key`.
    pub(crate) fn get(&self, key: &str, book: &StampBook, now: Timestamp) -> Found {
        let Some(entry) = self.entries.get(key) else { return Found::Nothing };
        if entry.trust != self.trust.load(Ordering::Acquire) {
            if book.standing(&entry.stamps) == Standing::Differs {
                self.entries.remove(key);
                return Found::Nothing;
            }
            return Found::Doubtful(entry);
        }
        let epoch = book.epoch();
        if entry.checked.load(Ordering::Relaxed) != epoch {
            match book.standing(&entry.stamps) {
                Standing::Holds => entry.checked.store(epoch, Ordering::Relaxed),
                Standing::Differs => {
                    self.entries.remove(key);
                    return Found::Nothing;
                }
                Standing::Unknown => return Found::Doubtful(entry),
            }
        }
        if now < entry.serve_until {
            Found::Fresh(entry)
        } else if now < entry.times.fresh_until {
            Found::Doubtful(entry)
        } else {
            Found::Ended(entry)
        }
    }

    /// To be taken before a value is read or loaded.
    pub(crate) fn moment(&self, key: &str) -> Moment {
        let place = self.place(key);
        Moment {
            mark: self.marks[place].load(Ordering::Acquire),
            trust: self.trust.load(Ordering::Acquire),
            done: self.done[place].load(Ordering::Acquire),
        }
    }

    /// Whether `key` was written, or news missed, since.
    pub(crate) fn is_past(&self, key: &str, moment: Moment) -> bool {
        let now = self.moment(key);
        (now.mark, now.trust) != (moment.mark, moment.trust)
    }

    /// Whether it is worth looking at `key` again: somebody has written it since, or this process
    /// is done with it.
    pub(crate) fn has_news(&self, key: &str, moment: Moment) -> bool {
        self.moment(key) != moment
    }

    /// This process is done with `key`: a load or a set has come to its end.
    pub(crate) fn done(&self, key: &str) {
        self.done[self.place(key)].fetch_add(1, Ordering::AcqRel);
    }

    /// Puts an entry in, unless its key was written since `moment`.
    pub(crate) fn put(&self, key: &str, new: NewEntry, moment: Moment) {
        if self.is_past(key, moment) {
            return;
        }
        let weight = new.bytes
            + key.len() as u64
            + ENTRY_OVERHEAD
            + new.stamps.iter().map(|stamp| stamp.name.len() as u64 + 32).sum::<u64>();
        let entry = FirstEntry {
            value: new.value,
            times: new.times,
            eager_at: new.eager_at,
            serve_until: new.serve_until,
            stamps: new.stamps.into(),
            counters: new.counters,
            trust: moment.trust,
            // No epoch: the first read checks.
            checked: AtomicU64::new(u64::MAX),
            weight,
        };
        self.entries.insert(key.into(), Arc::new(entry));
        // Whoever wrote the key in between has moved its mark before it looked for an entry to
        // remove: either it finds this one, or the mark is seen here.
        if self.is_past(key, moment) {
            self.entries.remove(key);
        }
    }

    /// The key was written or removed by somebody: what is here, or on its way here, is old.
    pub(crate) fn written(&self, key: &str) {
        self.mark(key).fetch_add(1, Ordering::AcqRel);
        self.entries.remove(key);
    }

    /// The key was written by this process, and by nobody else since `moment`: the moment from
    /// which on what it wrote may be put in; `None` where somebody else wrote it as well.
    pub(crate) fn written_since(&self, key: &str, moment: Moment) -> Option<Moment> {
        let mark = moment.mark;
        let moved = self.mark(key).compare_exchange(
            mark,
            mark.wrapping_add(1),
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        self.entries.remove(key);
        moved.ok().map(|_| Moment { mark: mark.wrapping_add(1), ..moment })
    }

    /// News may have been missed: nothing that is here can be trusted any more.
    pub(crate) fn distrust(&self) {
        self.trusted.store(false, Ordering::Release);
        self.trust.fetch_add(1, Ordering::AcqRel);
    }

    /// News arrives from now on; what was put in before stays distrusted.
    pub(crate) fn trust(&self) {
        self.trust.fetch_add(1, Ordering::AcqRel);
        self.trusted.store(true, Ordering::Release);
    }

    /// Whether news arrives.
    pub(crate) fn is_trusted(&self) -> bool {
        self.trusted.load(Ordering::Acquire)
    }

    pub(crate) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.entries.weight()
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    fn place(&self, key: &str) -> usize {
        self.hasher.hash_one(key) as usize % MARKS
    }

    fn mark(&self, key: &str) -> &AtomicU64 {
        // The place is below the length.
        &self.marks[self.place(key)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn entry(bytes: u64) -> NewEntry {
        let until = NOW.after(Duration::from_secs(60));
        NewEntry {
            value: Some(Arc::new(7_u32)),
            times: Times { created: NOW, fresh_until: until, stale_until: until },
            eager_at: until,
            serve_until: until,
            stamps: Vec::new(),
            counters: Arc::default(),
            bytes,
        }
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
        assert!(matches!(tier.get("a", &book, NOW), Found::Nothing));
        tier.put("a", entry(1), tier.moment("a"));
        assert!(matches!(tier.get("a", &book, NOW), Found::Fresh(_)));
        tier.distrust();
        assert!(matches!(tier.get("a", &book, NOW), Found::Doubtful(_)));
        tier.trust();
        assert!(matches!(tier.get("a", &book, NOW), Found::Doubtful(_)));
        tier.put("a", entry(1), tier.moment("a"));
        let ended = NOW.after(Duration::from_secs(60));
        assert!(matches!(tier.get("a", &book, ended), Found::Ended(_)));
    }
}
