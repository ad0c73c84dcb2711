//! A circuit breaker: after failures in a row requests stop for a while, then one is tried.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use compartment_core::MonotonicInstant;

/// Whether the database is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BreakerState {
    /// Requests are made.
    Closed,
    /// Requests fail at once.
    Open,
    /// One request is a trial; the others fail at once.
    HalfOpen,
}

impl BreakerState {
    /// Whether the database is asked.
    #[must_use]
    pub fn is_closed(self) -> bool {
        self == Self::Closed
    }
}

const CLOSED: u8 = 0;
const OPEN: u8 = 1;
const HALF_OPEN: u8 = 2;

#[derive(Debug)]
pub(crate) struct Breaker {
    failures_to_open: u32,
    open_for: Duration,
    state: AtomicU8,
    failures: AtomicU32,
    /// When the next trial is allowed, in microseconds of the monotonic clock.
    until: AtomicU64,
    opened: AtomicU64,
}

/// A request that was let through. If it is dropped without an answer, it counts neither as success nor as failure.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    is_trial: bool,
    answered: bool,
}

impl Breaker {
    pub(crate) fn new(failures_to_open: u32, open_for: Duration) -> Self {
        Self {
            failures_to_open,
            open_for,
            state: AtomicU8::new(CLOSED),
            failures: AtomicU32::new(0),
            until: AtomicU64::new(0),
            opened: AtomicU64::new(0),
        }
    }

    /// Lets a request through, or returns `None`.
    pub(crate) fn permit(&self, now: MonotonicInstant) -> Option<Permit<'_>> {
        let permit = |is_trial| Some(Permit { breaker: self, is_trial, answered: false });
        if self.is_closed() {
            return permit(false);
        }
        let until = self.until.load(Ordering::Acquire);
        if micros(now) < until {
            return None;
        }
        // Among concurrent callers the one that changes `until` wins. A trial that never answers is followed by
        // another after the same time.
        let next = micros(now.after(self.open_for));
        self.until.compare_exchange(until, next, Ordering::AcqRel, Ordering::Relaxed).ok()?;
        self.state.store(HALF_OPEN, Ordering::Release);
        permit(true)
    }

    /// Whether it lets every request through.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) == CLOSED
    }

    pub(crate) fn state(&self) -> BreakerState {
        match self.state.load(Ordering::Acquire) {
            CLOSED => BreakerState::Closed,
            HALF_OPEN => BreakerState::HalfOpen,
            _ => BreakerState::Open,
        }
    }

    /// How often it has opened.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    fn open(&self, now: MonotonicInstant) {
        self.until.store(micros(now.after(self.open_for)), Ordering::Release);
        if self.state.swap(OPEN, Ordering::AcqRel) == CLOSED {
            self.opened.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn micros(now: MonotonicInstant) -> u64 {
    let since = now.since(MonotonicInstant::default());
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl Permit<'_> {
    /// The database answered.
    pub(crate) fn succeeded(mut self) {
        self.answered = true;
        let breaker = self.breaker;
        // A late success of a request from before the opening does not close the breaker.
        if self.is_trial || breaker.state.load(Ordering::Acquire) == CLOSED {
            if breaker.failures.load(Ordering::Relaxed) != 0 {
                breaker.failures.store(0, Ordering::Relaxed);
            }
            if self.is_trial {
                breaker.state.store(CLOSED, Ordering::Release);
            }
        }
    }

    /// The database did not answer this request, which replaced `requests` requests.
    pub(crate) fn failed(mut self, now: MonotonicInstant, requests: usize) {
        self.answered = true;
        let breaker = self.breaker;
        let requests = u32::try_from(requests).unwrap_or(u32::MAX);
        let failures =
            breaker.failures.fetch_add(requests, Ordering::Relaxed).saturating_add(requests);
        let is_closed = breaker.state.load(Ordering::Acquire) == CLOSED;
        if self.is_trial || (is_closed && failures >= breaker.failures_to_open) {
            breaker.open(now);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        // A cancelled trial may be repeated at once.
        if self.is_trial && !self.answered {
            self.breaker.until.store(0, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> MonotonicInstant {
        MonotonicInstant::since_beginning(Duration::from_secs(1_000 + seconds))
    }

    fn breaker() -> Breaker {
        Breaker::new(3, Duration::from_secs(5))
    }

    fn fail(breaker: &Breaker, times: u32, now: MonotonicInstant) {
        for _ in 0..times {
            breaker.permit(now).unwrap().failed(now, 1);
        }
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let breaker = breaker();
        fail(&breaker, 2, at(0));
        breaker.permit(at(0)).unwrap().succeeded();
        fail(&breaker, 2, at(0));
        assert_eq!(breaker.state(), BreakerState::Closed);
        fail(&breaker, 1, at(0));
        assert_eq!(breaker.state(), BreakerState::Open);
        assert_eq!(breaker.opened(), 1);
        assert!(breaker.permit(at(4)).is_none());
    }

    #[test]
    fn one_tries_and_decides() {
        let breaker = breaker();
        fail(&breaker, 3, at(0));
        let trial = breaker.permit(at(5)).unwrap();
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert!(breaker.permit(at(5)).is_none());
        trial.failed(at(6), 1);
        assert_eq!(breaker.state(), BreakerState::Open);
        assert!(breaker.permit(at(10)).is_none());
        breaker.permit(at(11)).unwrap().succeeded();
        assert_eq!(breaker.state(), BreakerState::Closed);
        fail(&breaker, 2, at(12));
        assert_eq!(breaker.state(), BreakerState::Closed, "failures before do not count");
        assert_eq!(breaker.opened(), 1);
    }

    #[test]
    fn a_trial_that_was_given_up_is_made_again() {
        let breaker = breaker();
        fail(&breaker, 3, at(0));
        drop(breaker.permit(at(5)).unwrap());
        breaker.permit(at(5)).unwrap().succeeded();
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn a_late_success_does_not_close_it() {
        let breaker = breaker();
        let late = breaker.permit(at(0)).unwrap();
        fail(&breaker, 3, at(0));
        late.succeeded();
        assert_eq!(breaker.state(), BreakerState::Open);
    }
}
