//! The names that lanes are moving, so that no two lanes have one key.
//!
//! `SCAN` may return a name twice. If two lanes had it at once, one could remove the key from the source, and the other
//! would find it deleted there and remove its copy from the target.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use super::Item;

/// Hashes of the names under way. Two names with one hash cost a wait, no more.
#[derive(Debug, Default)]
pub(crate) struct UnderWay {
    hasher: RandomState,
    hashes: Mutex<HashSet<u64>>,
}

impl UnderWay {
    /// Adds the names; `false` and none if one of them is under way already.
    pub(crate) fn add(&self, items: &[Item]) -> bool {
        let new: HashSet<u64> = self.hashes_of(items).collect();
        let mut hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = new.is_disjoint(&hashes);
        if is_free {
            hashes.extend(new);
        }
        is_free
    }

    /// Removes the names of a page that has been carried.
    pub(crate) fn remove(&self, items: &[Item]) {
        let mut hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        if hashes.is_empty() {
            return;
        }
        for hash in self.hashes_of(items) {
            hashes.remove(&hash);
        }
    }

    fn hashes_of(&self, items: &[Item]) -> impl Iterator<Item = u64> {
        items.iter().map(|item| self.hasher.hash_one(&item.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(names: &[&str]) -> Vec<Item> {
        names.iter().map(|name| Item { name: name.as_bytes().to_vec(), rule: 0 }).collect()
    }

    #[test]
    fn a_name_is_under_way_once_at_a_time() {
        let under_way = UnderWay::default();
        let first = items(&["a", "b"]);
        assert!(under_way.add(&first));
        assert!(!under_way.add(&items(&["c", "b"])));
        assert!(under_way.add(&items(&["c"])), "a page that is refused adds none of its names");
        under_way.remove(&first);
        assert!(under_way.add(&items(&["a", "b"])));
    }
}
