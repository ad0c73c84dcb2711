//! Limits the requests of merged reads in progress, and queues the batches that wait for a place.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use crate::MonotonicInstant;
use crate::merge::batch::{Batch, LeadOf};

/// The maximum number of keys in one request. With more, server and client take turns with a long answer, and other
/// clients notice the delay.
const MAX_KEYS: usize = 32;
/// Requests in progress before a batch that others may still join has to wait. A second one keeps the server busy while
/// an answer travels; more make the batches smaller. (Measured at 64 tasks: two reach 1.1 to 1.2 times the throughput of
/// four, four 1.1 times that of eight. One is as fast as two on loopback, and a read that arrives behind it waits longer.)
const MAX_UNDER_WAY: usize = 2;
/// Requests in progress before a full batch has to wait: server and client are then busy at once.
const MAX_WITH_FULL: usize = 8;
/// A reader waits for others for this fraction of its patience, then makes the request itself; a place that is held
/// longer counts as free.
pub(crate) const PARTS_OF_PATIENCE: u32 = 2;

/// The source of merged reads.
pub trait ReadSource: Sync {
    /// The value of a key.
    type Value: Send + Sync;
    /// The error of a request; each reader of a batch gets a clone.
    type Error: Clone + Send + Sync;

    /// Reads one key.
    fn one(&self, key: &str) -> impl Future<Output = Result<Self::Value, Self::Error>> + Send;

    /// Reads several keys in one request, which is given up at `until`; returns the answers in the order of the keys.
    fn many(
        &self,
        keys: &[String],
        until: MonotonicInstant,
    ) -> impl Future<Output = Result<Vec<Self::Value>, Self::Error>> + Send;

    /// The total time that one read may take.
    fn patience(&self) -> Duration;

    /// The current reading of the clock that [`ReadSource::sleep`] uses.
    fn now(&self) -> MonotonicInstant;

    /// Resolves after `duration`.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;

    /// The error of a read that was not answered in time.
    fn timed_out(&self, key: &str) -> Self::Error;
}

/// The places for requests of one database.
#[derive(Debug)]
pub(crate) struct ReadPlaces<V, E> {
    state: Mutex<State<V, E>>,
}

#[derive(Debug)]
pub(crate) struct State<V, E> {
    /// The taken places, and since when.
    under_way: Vec<(u64, MonotonicInstant)>,
    last_place: u64,
    pub(crate) waiting: VecDeque<Arc<Batch<V, E>>>,
}

impl<V, E> Default for ReadPlaces<V, E> {
    fn default() -> Self {
        let state = State { under_way: Vec::new(), last_place: 0, waiting: VecDeque::new() };
        Self { state: Mutex::new(state) }
    }
}

/// The way a read begins.
pub(crate) enum Entered<'a, S: ReadSource> {
    /// It is sent at once, and holds a place until that is dropped.
    Alone(Place<'a, S>),
    /// It waits in a batch, with this number.
    Waits(Arc<Batch<S::Value, S::Error>>, usize),
}

impl<V: Send + Sync, E: Clone + Send + Sync> ReadPlaces<V, E> {
    pub(crate) fn enter<'a, S>(
        &'a self,
        source: &'a S,
        key: String,
        now: MonotonicInstant,
    ) -> Entered<'a, S>
    where
        S: ReadSource<Value = V, Error = E>,
    {
        let mut state = self.lock();
        if state.under_way.len() >= MAX_UNDER_WAY {
            // A reader that has held a place this long is blocked, or its request fails.
            let limit = source.patience() / PARTS_OF_PATIENCE;
            state.under_way.retain(|(_, since)| now < since.after(limit));
        }
        if state.under_way.len() < MAX_UNDER_WAY && state.waiting.is_empty() {
            let number = state.take_place(now);
            return Entered::Alone(Place { places: self, source, number });
        }
        let (batch, number) = state.join(key);
        let called = state.call_all(now);
        drop(state);
        called.into_iter().for_each(Waker::wake);
        Entered::Waits(batch, number)
    }

    pub(crate) fn leave(&self, number: u64, now: impl FnOnce() -> MonotonicInstant) {
        let mut state = self.lock();
        state.under_way.retain(|(place, _)| *place != number);
        if state.waiting.is_empty() {
            return;
        }
        let called = state.call_all(now());
        drop(state);
        called.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<V, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V, E> State<V, E> {
    pub(crate) fn take_place(&mut self, now: MonotonicInstant) -> u64 {
        self.last_place += 1;
        self.under_way.push((self.last_place, now));
        self.last_place
    }

    /// Gives the place of a blocked request to another one, whose time starts now.
    pub(crate) fn exchange_place(&mut self, number: u64, now: MonotonicInstant) -> u64 {
        self.under_way.retain(|(place, _)| *place != number);
        self.take_place(now)
    }

    /// Gives each free place to the next batch that still has waiting readers; returns the wakers to call.
    fn call_all(&mut self, now: MonotonicInstant) -> Vec<Waker> {
        let mut called = Vec::new();
        while self.has_place() {
            let Some(batch) = self.waiting.pop_front() else { break };
            let mut joined = batch.lock();
            // A replaced leader may have answered the batch.
            if !joined.is_left() && !batch.is_answered() {
                joined.lead = LeadOf::WhoComesFirst(self.take_place(now));
                called.extend(joined.one_waker());
            }
        }
        called
    }

    /// Whether the next batch may leave.
    fn has_place(&self) -> bool {
        let under_way = self.under_way.len();
        let is_full = |batch: &Arc<Batch<V, E>>| batch.lock().readers.len() >= MAX_KEYS;
        under_way < MAX_UNDER_WAY
            || (under_way < MAX_WITH_FULL && self.waiting.front().is_some_and(is_full))
    }

    /// A seat in the last batch.
    fn join(&mut self, mut key: String) -> (Arc<Batch<V, E>>, usize) {
        if let Some(batch) = self.waiting.back()
            && let Some(number) = batch.take_in(&mut key, MAX_KEYS)
        {
            return (Arc::clone(batch), number);
        }
        let batch = Arc::new(Batch::of(key));
        self.waiting.push_back(Arc::clone(&batch));
        (batch, 0)
    }
}

/// A place for a request in progress. It is dropped when the request has returned or its caller gave up; in both
/// cases the waiting batches may continue.
pub(crate) struct Place<'a, S: ReadSource> {
    pub(crate) places: &'a ReadPlaces<S::Value, S::Error>,
    pub(crate) source: &'a S,
    pub(crate) number: u64,
}

impl<S: ReadSource> Drop for Place<'_, S> {
    fn drop(&mut self) {
        self.places.leave(self.number, || self.source.now());
    }
}
