//! The first tier's map: entries are read in place.
//!
//! A lookup changes no reference count of an entry. Threads that read one entry therefore share only two cache lines
//! for it: the shard's lock and the reference count of the returned value. (An `Arc` around the entry would be a
//! third, and one more memory access.)

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hashbrown::DefaultHashBuilder;

use crate::first::name::Wanted;
use crate::first::queues::Queues;
use crate::first::slots::Weighed;

/// Shards for each CPU.
const SHARDS_EACH: usize = 4;
/// The smallest number of entries in a shard, on average.
///
/// Hashes spread names unevenly, by about the square root of this number. In a shard of few entries that is a large
/// share: the shard would evict while others have room.
const LEAST_ENTRIES: usize = 256;

/// Entries by name, limited by weight.
#[derive(Debug)]
pub(crate) struct Shards<V> {
    shards: Box<[Shard<V>]>,
    hasher: DefaultHashBuilder,
    evicted: AtomicU64,
}

/// Aligned, so that a lock does not slow down threads that lock the neighbouring shard.
#[derive(Debug)]
#[repr(align(128))]
struct Shard<V>(RwLock<Queues<V>>);

impl<V: Weighed> Shards<V> {
    /// Shards with this total weight, for about this number of entries.
    pub(crate) fn new(weight: u64, entries: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(4, std::num::NonZero::get);
        let max = (entries / LEAST_ENTRIES).max(1);
        let count = (processors * SHARDS_EACH).min(max);
        let shard = |_| Shard(RwLock::new(Queues::new(weight.div_ceil(count as u64))));
        let shards = (0..count).map(shard).collect();
        Self { shards, hasher: DefaultHashBuilder::default(), evicted: AtomicU64::new(0) }
    }

    pub(crate) fn wanted<'a>(&self, text: &'a str) -> Wanted<'a> {
        Wanted::new(self.hasher.hash_one(text), text)
    }

    /// Calls `look` with the entry, in place.
    pub(crate) fn look<R>(&self, wanted: Wanted<'_>, look: impl FnOnce(&V) -> R) -> Option<R> {
        self.shard(wanted).read().get(wanted).map(look)
    }

    pub(crate) fn insert(&self, wanted: Wanted<'_>, entry: V) {
        // A drop may take long, so it happens after the lock is released.
        let mut gone = Vec::new();
        let evicted = self.shard(wanted).write().insert(wanted, entry, &mut gone);
        if evicted > 0 {
            self.evicted.fetch_add(evicted, Ordering::Relaxed);
        }
    }

    pub(crate) fn remove(&self, wanted: Wanted<'_>) {
        let removed = self.shard(wanted).write().remove(wanted);
        drop(removed);
    }

    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let cleared = shard.write().clear();
            drop(cleared);
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
        let at = (wanted.hash() >> 24) as usize % self.shards.len();
        // The remainder is below the length.
        &self.shards[at]
    }
}

impl<V> Shard<V> {
    fn read(&self) -> RwLockReadGuard<'_, Queues<V>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Queues<V>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_tier_evicts_only_when_it_is_full() {
        for entries in [64, 100, 500] {
            let shards = Shards::<usize>::new(entries, entries as usize);
            for number in 0..entries {
                shards.insert(shards.wanted(&number.to_string()), 0);
            }
            assert_eq!((shards.len(), shards.evicted()), (entries, 0));
            shards.insert(shards.wanted("one more"), 0);
            assert_eq!((shards.len(), shards.evicted()), (entries, 1));
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
