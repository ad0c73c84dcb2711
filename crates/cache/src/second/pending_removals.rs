//! Removals that could not be delivered, kept until they are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use compartment_core::MonotonicInstant;
use compartment_core::backend::{Unfinished, UnfinishedWork};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::stamps::{Stamp, WHOLE};

/// The removals to deliver. If there are more than the limit, they are replaced by an invalidation of everything in
/// the database: the stamp of the whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    removals: u64,
    pub(crate) keys: HashMap<String, PendingKey>,
    pub(crate) stamps: HashMap<Arc<str>, NewStamp>,
}

/// A key that other processes must forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PendingKey {
    /// The number of its latest removal.
    number: u64,
    /// Whether it must also be deleted from the database. A value that was set stays there; only the message to other
    /// processes is missing.
    pub(crate) removes: bool,
}

/// A stamp to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewStamp {
    pub(crate) stamp: Stamp,
    /// Whether the document's mark could not be read: then the mark in the database is kept.
    pub(crate) keeps_mark: bool,
}

#[derive(Debug)]
pub(crate) struct PendingRemovals {
    max: usize,
    any: AtomicBool,
    kept: Mutex<Kept>,
    turn: Mutex<Option<Turn>>,
    turns: AtomicU64,
    /// Failed deliveries.
    failures: AtomicU64,
    /// Notified when a delivery ends.
    ended: Notify,
    /// The number of the courier that delivers in the background; 0 if there is none.
    courier: AtomicU64,
    couriers: AtomicU64,
    unfinished: Unfinished,
}

#[derive(Debug, Default)]
struct Kept {
    pending: Pending,
    /// Held while there are pending removals.
    work: Option<UnfinishedWork>,
}

/// The caller that delivers, and its last heartbeat.
#[derive(Clone, Copy, Debug)]
struct Turn {
    number: u64,
    since: MonotonicInstant,
}

/// The right to deliver, held by one caller at a time.
#[derive(Debug)]
pub(crate) struct Delivery<'a> {
    of: &'a PendingRemovals,
    number: u64,
    succeeded: bool,
}

impl PendingRemovals {
    pub(crate) fn new(max: usize, unfinished: Unfinished) -> Self {
        Self {
            max,
            any: AtomicBool::new(false),
            kept: Mutex::default(),
            turn: Mutex::default(),
            turns: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            ended: Notify::new(),
            courier: AtomicU64::new(0),
            couriers: AtomicU64::new(0),
            unfinished,
        }
    }

    /// Whether there is something to deliver. This must be cheap.
    pub(crate) fn any(&self) -> bool {
        // Sequentially consistent with `courier`: either the ending courier sees a new removal, or its sender sees
        // that the courier has gone.
        self.any.load(Ordering::SeqCst)
    }

    pub(crate) fn len(&self) -> usize {
        let kept = self.lock();
        kept.pending.keys.len() + kept.pending.stamps.len()
    }

    /// Keeps removals until they are delivered; `resume` continues the delivery in the runtime of a caller that waits
    /// for it.
    pub(crate) fn add(
        &self,
        keys: impl IntoIterator<Item = String>,
        stamps: impl IntoIterator<Item = (Arc<str>, NewStamp)>,
        resume: impl Fn() + Send + Sync + 'static,
    ) {
        let mut kept = self.lock();
        keys.into_iter().for_each(|key| kept.pending.add_key(key, true));
        kept.pending.stamps.extend(stamps);
        self.begin_work(&mut kept, resume);
    }

    /// Keeps the message that a key was written.
    pub(crate) fn add_news(&self, key: &str, resume: impl Fn() + Send + Sync + 'static) {
        let mut kept = self.lock();
        kept.pending.add_key(key.to_owned(), false);
        self.begin_work(&mut kept, resume);
    }

    fn begin_work(&self, kept: &mut Kept, resume: impl Fn() + Send + Sync + 'static) {
        kept.pending.bound(self.max);
        if kept.pending.is_any() && kept.work.is_none() {
            kept.work = Some(self.unfinished.begin_resumable(resume));
        }
        self.any.store(kept.pending.is_any(), Ordering::SeqCst);
    }

    /// A copy of the removals to deliver now.
    pub(crate) fn take_copy(&self) -> Pending {
        self.lock().pending.clone()
    }

    /// Forgets delivered removals. A removal that was repeated meanwhile is kept, because the delivery may have come
    /// before it.
    pub(crate) fn delivered(&self, delivered: &Pending) {
        let mut kept = self.lock();
        let is_new = |name: &Arc<str>, new: &NewStamp| {
            delivered.stamps.get(name).is_none_or(|old| old.stamp.token != new.stamp.token)
        };
        kept.pending.keys.retain(|key, number| delivered.keys.get(key) != Some(number));
        kept.pending.stamps.retain(|name, new| is_new(name, new));
        let any = kept.pending.is_any();
        self.any.store(any, Ordering::SeqCst);
        let done = if any { None } else { kept.work.take() };
        drop(kept);
        // After the lock is released: the work owns the cache, and its drop wakes waiters.
        drop(done);
    }

    /// The right to deliver, unless another caller holds it and has had a heartbeat within `silence`.
    pub(crate) fn begin(&self, now: MonotonicInstant, silence: Duration) -> Option<Delivery<'_>> {
        let mut turn = self.turn();
        if turn.is_some_and(|turn| now < turn.since.after(silence)) {
            return None;
        }
        let number = self.turns.fetch_add(1, Ordering::Relaxed);
        *turn = Some(Turn { number, since: now });
        Some(Delivery { of: self, number, succeeded: false })
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Acquire)
    }

    /// Resolves when a delivery ends after this call.
    pub(crate) fn ended(&self) -> Notified<'_> {
        self.ended.notified()
    }

    /// The right to deliver in the background, if no courier has it.
    pub(crate) fn takes_courier(&self) -> Option<u64> {
        let number = self.next_courier();
        let taken = self.courier.compare_exchange(0, number, Ordering::SeqCst, Ordering::SeqCst);
        taken.is_ok().then_some(number)
    }

    /// Replaces the courier even if there is one, since its runtime may be blocked or about to end.
    pub(crate) fn replaces_courier(&self) -> u64 {
        let number = self.next_courier();
        self.courier.store(number, Ordering::SeqCst);
        number
    }

    pub(crate) fn is_courier(&self, number: u64) -> bool {
        self.courier.load(Ordering::SeqCst) == number
    }

    /// The courier has ended. A caller that waits for pending removals takes them over.
    pub(crate) fn courier_has_gone(&self, number: u64) {
        let gone = self.courier.compare_exchange(number, 0, Ordering::SeqCst, Ordering::SeqCst);
        if gone.is_ok() && self.any() {
            self.unfinished.stalled();
        }
    }

    /// Nobody delivers, because there is no runtime here.
    pub(crate) fn waits_for_courier(&self) {
        self.unfinished.stalled();
    }

    fn next_courier(&self) -> u64 {
        self.couriers.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn turn(&self) -> MutexGuard<'_, Option<Turn>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Delivery<'_> {
    /// Records a heartbeat at `now`.
    pub(crate) fn lives(&self, now: MonotonicInstant) {
        if let Some(turn) = self.of.turn().as_mut().filter(|turn| turn.number == self.number) {
            turn.since = now;
        }
    }

    pub(crate) fn succeeded(mut self) {
        self.succeeded = true;
    }
}

impl Drop for Delivery<'_> {
    fn drop(&mut self) {
        if !self.succeeded {
            self.of.failures.fetch_add(1, Ordering::AcqRel);
        }
        let mut turn = self.of.turn();
        // Another caller may have taken over if this one had no heartbeat.
        if turn.is_some_and(|turn| turn.number == self.number) {
            *turn = None;
        }
        drop(turn);
        self.of.ended.notify_waiters();
    }
}

impl Pending {
    fn is_any(&self) -> bool {
        !self.keys.is_empty() || !self.stamps.is_empty()
    }

    fn add_key(&mut self, key: String, removes: bool) {
        self.removals += 1;
        let number = self.removals;
        let before = self.keys.get(&key).is_some_and(|before| before.removes);
        self.keys.insert(key, PendingKey { number, removes: removes || before });
    }

    fn bound(&mut self, max: usize) {
        if self.keys.len() + self.stamps.len() > max {
            // Marks of documents are kept: the stamp of the whole does not replace them.
            self.stamps.retain(|_, new| new.stamp.no_cache);
            self.keys.clear();
            let whole = NewStamp { stamp: Stamp::new(false), keeps_mark: false };
            self.stamps.insert(WHOLE.into(), whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(max: usize) -> (PendingRemovals, Unfinished) {
        let unfinished = Unfinished::default();
        (PendingRemovals::new(max, unfinished.clone()), unfinished)
    }

    fn tag() -> (Arc<str>, NewStamp) {
        ("tag:t".into(), NewStamp { stamp: Stamp::new(false), keeps_mark: false })
    }

    #[test]
    fn beyond_the_bound_the_whole_is_invalidated() {
        let (pending, unfinished) = pending(3);
        pending.add(["a", "b", "c"].map(str::to_owned), [], || {});
        assert_eq!((pending.len(), unfinished.count()), (3, 1));
        pending.add(["d".to_owned()], [], || {});
        let copy = pending.take_copy();
        assert!(copy.keys.is_empty() && copy.stamps.contains_key(WHOLE));
        pending.delivered(&copy);
        assert_eq!((pending.any(), unfinished.count()), (false, 0));
    }

    #[test]
    fn what_was_added_meanwhile_stays() {
        let (pending, _) = pending(10);
        pending.add(["a", "c"].map(str::to_owned), [tag()], || {});
        let copy = pending.take_copy();
        pending.add(["b", "c"].map(str::to_owned), [tag()], || {});
        pending.delivered(&copy);
        let left = pending.take_copy();
        assert!(left.keys.contains_key("b") && left.keys.contains_key("c"));
        assert_eq!((left.keys.len(), left.stamps.len()), (2, 1));
    }

    #[test]
    fn one_delivers_at_a_time_and_one_that_stands_still_is_replaced() {
        let (pending, _) = pending(10);
        let silence = Duration::from_secs(1);
        let at = |millis| MonotonicInstant::since_beginning(Duration::from_millis(millis));
        let first = pending.begin(at(0), silence).unwrap();
        assert!(pending.begin(at(900), silence).is_none());
        first.lives(at(900));
        assert!(pending.begin(at(1_800), silence).is_none());
        let second = pending.begin(at(1_900), silence).unwrap();
        drop(first);
        assert!(pending.begin(at(2_000), silence).is_none(), "it is the second's turn");
        second.succeeded();
        assert!(pending.begin(at(2_000), silence).is_some());
    }

    #[test]
    fn a_courier_that_was_replaced_takes_no_place_with_it() {
        let (pending, _) = pending(10);
        let first = pending.takes_courier().unwrap();
        assert!(pending.takes_courier().is_none());
        let second = pending.replaces_courier();
        assert!(!pending.is_courier(first) && pending.is_courier(second));
        pending.courier_has_gone(first);
        assert!(pending.takes_courier().is_none(), "the second delivers");
        pending.courier_has_gone(second);
        assert!(pending.takes_courier().is_some());
    }
}
