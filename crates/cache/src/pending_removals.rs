//! Removals that could not be delivered, kept until they are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::stamps::{Stamp, WHOLE};

/// What is to be delivered. Where there is more than is kept, everything in the database is
/// invalidated instead: the stamp of the whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    removals: u64,
    /// Each with which of its removals it is.
    pub(crate) keys: HashMap<String, u64>,
    pub(crate) stamps: HashMap<Arc<str>, Stamp>,
}

#[derive(Debug)]
pub(crate) struct PendingRemovals {
    most: usize,
    any: AtomicBool,
    pending: Mutex<Pending>,
    /// Held by the one that delivers.
    pub(crate) delivery: tokio::sync::Mutex<()>,
}

impl PendingRemovals {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            any: AtomicBool::new(false),
            pending: Mutex::default(),
            delivery: tokio::sync::Mutex::new(()),
        }
    }

    /// Whether there is something to deliver: as cheap as it can be.
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    pub(crate) fn len(&self) -> usize {
        let pending = self.lock();
        pending.keys.len() + pending.stamps.len()
    }

    pub(crate) fn add_keys(&self, keys: impl IntoIterator<Item = String>) {
        let mut pending = self.lock();
        for key in keys {
            pending.removals += 1;
            let number = pending.removals;
            pending.keys.insert(key, number);
        }
        self.bound(&mut pending);
        self.any.store(pending.is_any(), Ordering::Release);
    }

    pub(crate) fn add_stamp(&self, name: &str, stamp: Stamp) {
        let mut pending = self.lock();
        pending.stamps.insert(name.into(), stamp);
        self.bound(&mut pending);
        self.any.store(true, Ordering::Release);
    }

    /// What is to be delivered now.
    pub(crate) fn take_copy(&self) -> Pending {
        self.lock().clone()
    }

    /// Forgets what was delivered. What was removed again meanwhile is delivered again: the first
    /// delivery may have come before the second removal.
    pub(crate) fn delivered(&self, delivered: &Pending) {
        let mut pending = self.lock();
        pending.keys.retain(|key, number| delivered.keys.get(key) != Some(number));
        pending.stamps.retain(|name, stamp| delivered.stamps.get(name) != Some(stamp));
        self.any.store(pending.is_any(), Ordering::Release);
    }

    fn bound(&self, pending: &mut Pending) {
        if pending.keys.len() + pending.stamps.len() > self.most {
            // Marks of documents are kept: they say more than that something has changed.
            pending.stamps.retain(|_, stamp| stamp.no_cache);
            pending.keys.clear();
            pending.stamps.insert(WHOLE.into(), Stamp::new(false));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    fn is_any(&self) -> bool {
        !self.keys.is_empty() || !self.stamps.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_bound_the_whole_is_invalidated() {
        let pending = PendingRemovals::new(3);
        pending.add_keys(["a", "b", "c"].map(str::to_owned));
        assert_eq!(pending.len(), 3);
        pending.add_keys(["d".to_owned()]);
        let copy = pending.take_copy();
        assert!(copy.keys.is_empty() && copy.stamps.contains_key(WHOLE));
        pending.delivered(&copy);
        assert!(!pending.any());
    }

    #[test]
    fn what_was_added_meanwhile_stays() {
        let pending = PendingRemovals::new(10);
        pending.add_keys(["a", "c"].map(str::to_owned));
        pending.add_stamp("tag:t", Stamp::new(false));
        let copy = pending.take_copy();
        pending.add_keys(["b", "c"].map(str::to_owned));
        pending.add_stamp("tag:t", Stamp::new(false));
        pending.delivered(&copy);
        let left = pending.take_copy();
        assert!(left.keys.contains_key("b") && left.keys.contains_key("c"));
        assert_eq!((left.keys.len(), left.stamps.len()), (2, 1));
    }
}
