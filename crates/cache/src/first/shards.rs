//! The first tier's map: entries are read in place.
//!
//! A lookup changes no reference count of an entry. Threads that read one entry therefore share only two cache lines
//! for it: the shard's lock and the reference count of the returned value. (An `Arc` around the entry would be a
//! third, and one more memory access.)

use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use quick_cache::unsync::Cache as QuickCache;
use quick_cache::{DefaultHashBuilder, Equivalent, Lifecycle, Weighter};

/// Shards for each CPU.
const SHARDS_EACH: usize = 4;
/// The smallest number of entries in a shard.
const LEAST_ENTRIES: usize = 32;

/// A value that knows its weight.
pub(crate) trait Weighed {
    fn weight(&self) -> u64;
}

/// Entries by name, limited by weight.
#[derive(Debug)]
pub(crate) struct Shards<V: Weighed> {
    shards: Box<[Shard<V>]>,
    hasher: DefaultHashBuilder,
    evicted: Arc<AtomicU64>,
}

/// Aligned, so that a lock does not slow down threads that lock the neighbouring shard.
#[derive(Debug)]
#[repr(align(128))]
struct Shard<V: Weighed>(RwLock<Entries<V>>);

type Entries<V> = QuickCache<Name, V, ByWeight, BuildHasherDefault<AsItIs>, KeepEvicted>;

/// A key with its hash, to avoid hashing it twice.
#[derive(Debug)]
struct Name {
    hash: u64,
    text: Text,
}

/// The bytes of a key. Most keys are stored inline, beside the entry.
#[derive(Debug)]
enum Text {
    Short(u8, [u8; Text::SHORT]),
    Long(Box<[u8]>),
}

impl Text {
    /// Enough for a prefix and a number or two; the whole takes 32 bytes. A larger limit would cost short keys a
    /// cache line.
    const SHORT: usize = 30;

    fn of(text: &str) -> Self {
        let mut bytes = [0; Self::SHORT];
        match bytes.get_mut(..text.len()) {
            Some(short) => {
                short.copy_from_slice(text.as_bytes());
                Self::Short(text.len() as u8, bytes)
            }
            None => Self::Long(text.as_bytes().into()),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            // The length is at most `SHORT`.
            Self::Short(length, bytes) => &bytes[..usize::from(*length)],
            Self::Long(bytes) => bytes,
        }
    }
}

/// A key to look up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    hash: u64,
    text: &'a str,
}

impl Wanted<'_> {
    /// The key's index among `places`.
    pub(crate) fn place(self, places: usize) -> usize {
        // The remainder is below the number of places.
        (self.hash % places as u64) as usize
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.text.bytes() == other.text.bytes()
    }
}

impl Eq for Name {}

impl Equivalent<Name> for Wanted<'_> {
    fn equivalent(&self, name: &Name) -> bool {
        self.hash == name.hash && self.text.as_bytes() == name.text.bytes()
    }
}

/// A hasher for values that are already hashes.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Clone, Debug)]
struct ByWeight;

impl<V: Weighed> Weighter<Name, V> for ByWeight {
    fn weight(&self, _: &Name, entry: &V) -> u64 {
        entry.weight()
    }
}

/// Counts evicted entries, and keeps them until the lock is released.
#[derive(Clone, Debug)]
struct KeepEvicted(Arc<AtomicU64>);

impl<V> Lifecycle<Name, V> for KeepEvicted {
    type RequestState = Vec<V>;

    fn begin_request(&self) -> Vec<V> {
        Vec::new()
    }

    fn before_evict(&self, _: &mut Vec<V>, _: &Name, _: &mut V) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn on_evict(&self, evicted: &mut Vec<V>, _: Name, entry: V) {
        evicted.push(entry);
    }
}

impl<V: Weighed> Shards<V> {
    /// Shards with this total weight, sized for this number of entries.
    pub(crate) fn new(weight: u64, entries: usize) -> Self {
        let evicted = Arc::new(AtomicU64::new(0));
        let processors = std::thread::available_parallelism().map_or(4, std::num::NonZero::get);
        let max = (entries / LEAST_ENTRIES).max(1);
        let count = (processors * SHARDS_EACH).min(max);
        let shard = |_| {
            Shard(RwLock::new(QuickCache::with(
                entries.div_ceil(count),
                weight.div_ceil(count as u64),
                ByWeight,
                BuildHasherDefault::default(),
                KeepEvicted(Arc::clone(&evicted)),
            )))
        };
        let shards = (0..count).map(shard).collect();
        Self { shards, hasher: DefaultHashBuilder::default(), evicted }
    }

    pub(crate) fn wanted<'a>(&self, text: &'a str) -> Wanted<'a> {
        Wanted { hash: self.hasher.hash_one(text), text }
    }

    /// Calls `look` with the entry, in place.
    pub(crate) fn look<R>(&self, wanted: Wanted<'_>, look: impl FnOnce(&V) -> R) -> Option<R> {
        self.shard(wanted).read().get(&wanted).map(look)
    }

    pub(crate) fn insert(&self, wanted: Wanted<'_>, entry: V) {
        let name = Name { hash: wanted.hash, text: Text::of(wanted.text) };
        let evicted = self.shard(wanted).write().insert_with_lifecycle(name, entry);
        // A drop may take long, so it happens after the lock is released.
        drop(evicted);
    }

    pub(crate) fn remove(&self, wanted: Wanted<'_>) {
        let removed = self.shard(wanted).write().remove(&wanted);
        drop(removed);
    }

    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            shard.write().clear();
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.shards.iter().map(|shard| shard.read().len() as u64).sum()
    }

    pub(crate) fn weight(&self) -> u64 {
        self.shards.iter().map(|shard| shard.read().weight()).sum()
    }

    /// The number of evicted entries.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    fn shard(&self, wanted: Wanted<'_>) -> &Shard<V> {
        // The table within a shard uses the lowest and highest bits of the hash.
        let at = (wanted.hash >> 24) as usize % self.shards.len();
        // The remainder is below the length.
        &self.shards[at]
    }
}

impl<V: Weighed> Shard<V> {
    fn read(&self) -> RwLockReadGuard<'_, Entries<V>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries<V>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weighed for usize {
        fn weight(&self) -> u64 {
            1
        }
    }

    #[test]
    fn names_of_any_length_are_told_apart() {
        let shards = Shards::<usize>::new(1_000, 1_000);
        let names: Vec<String> = (0..200).map(|length| "n".repeat(length)).collect();
        for (length, name) in names.iter().enumerate() {
            shards.insert(shards.wanted(name), length);
        }
        for (length, name) in names.iter().enumerate() {
            assert_eq!(shards.look(shards.wanted(name), |entry| *entry), Some(length));
        }
        shards.remove(shards.wanted(&names[30]));
        assert_eq!(shards.look(shards.wanted(&names[30]), |entry| *entry), None);
        assert_eq!((shards.len(), shards.weight(), shards.evicted()), (199, 199, 0));
    }
}
