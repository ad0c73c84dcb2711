//! One load of a key at a time in the process; other callers wait for its result.
//!
//! A load is a task and lives as long as its runtime. A runtime that ends wakes the waiters, but a blocked one
//! cannot. So a running load increments a heartbeat counter, and a waiter that misses it loads again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use compartment_core::Clock;
use tokio::sync::watch;

use crate::error::LoadError;
use crate::first::tier::{FirstTier, Moment, SharedValue};
use crate::load::waits::{self, Circle, Wait};
use crate::second::envelope::StampSeen;
use crate::stamps::{StampBook, Standing};

/// The result of a flight.
pub(crate) type Landing = Result<SharedValue, LoadError>;

/// The shortest silence after which a load counts as lost: a busy machine may be this late.
const LEAST_SILENCE: Duration = Duration::from_secs(1);
/// Heartbeats within the silence after which a load counts as lost.
const SIGNS: u32 = 4;

/// The loads in progress.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    under_way: Mutex<HashMap<Arc<str>, Arc<Flight>>>,
}

/// One load in progress.
#[derive(Debug)]
pub(crate) struct Flight {
    number: u64,
    landing: watch::Sender<Option<Landing>>,
    /// A later caller must not get a value that was loaded before its key was written.
    moment: Moment,
    /// Neither may it get a value that was loaded before its document or tag was invalidated.
    stamps: OnceLock<Vec<StampSeen>>,
    /// The heartbeat counter. The load counts as lost if it does not change for `silence`.
    signs: AtomicU64,
    silence: Duration,
}

/// The role of a caller in a load.
pub(crate) enum Part {
    /// The caller loads.
    Leads(Leader),
    /// Another caller loads.
    Waits(Waiter),
    /// Another caller loads, and waits for this caller.
    WouldWaitForItself,
}

/// The caller that loads. If it is dropped without a result, the waiters learn that the load ended.
#[derive(Debug)]
pub(crate) struct Leader {
    flights: Arc<Flights>,
    key: Arc<str>,
    flight: Arc<Flight>,
    landed: bool,
}

/// A caller that waits for a load.
#[derive(Debug)]
pub(crate) struct Waiter {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    landing: watch::Receiver<Option<Landing>>,
    _wait: Wait,
}

impl Flights {
    /// Joins the load of `key`, or leads a new one. Waiters give the load up after `silence` without a heartbeat.
    pub(crate) fn join(
        self: &Arc<Self>,
        key: &str,
        tier: &FirstTier,
        book: &StampBook,
        silence: Duration,
    ) -> Part {
        let moment = tier.moment(key);
        let mut under_way = self.lock();
        if let Some(flight) = under_way.get(key) {
            let stamps = flight.stamps.get().map_or(&[][..], Vec::as_slice);
            let is_old =
                tier.is_past(key, flight.moment) || book.standing(stamps) != Standing::Holds;
            if !is_old {
                return match self.waiter(flight) {
                    Ok(waiter) => Part::Waits(waiter),
                    Err(Circle) => Part::WouldWaitForItself,
                };
            }
        }
        let (key, landing) = (Arc::<str>::from(key), watch::Sender::new(None));
        let flight = Arc::new(Flight {
            number: waits::number(),
            landing,
            moment,
            stamps: OnceLock::new(),
            signs: AtomicU64::new(0),
            silence: silence.max(LEAST_SILENCE),
        });
        under_way.insert(Arc::clone(&key), Arc::clone(&flight));
        Part::Leads(Leader { flights: Arc::clone(self), key, flight, landed: false })
    }

    fn waiter(self: &Arc<Self>, flight: &Arc<Flight>) -> Result<Waiter, Circle> {
        let _wait = waits::wait_for(flight.number)?;
        let landing = flight.landing.subscribe();
        Ok(Waiter { flights: Arc::clone(self), flight: Arc::clone(flight), landing, _wait })
    }

    /// Removes a flight, if it is still the current one of its key.
    fn forget(&self, flight: &Arc<Flight>) {
        self.lock().retain(|_, known| !Arc::ptr_eq(known, flight));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Arc<Flight>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leader {
    /// The load's number, unique in the process.
    pub(crate) fn number(&self) -> u64 {
        self.flight.number
    }

    /// The handle for the load's heartbeat.
    pub(crate) fn pulse(&self) -> Pulse {
        Pulse(Arc::clone(&self.flight))
    }

    /// Sets the stamps of the load.
    pub(crate) fn goes_by(&self, stamps: &[StampSeen]) {
        // A second attempt uses newer stamps. Callers that join then are compared with the first ones, and lead.
        let _ = self.flight.stamps.set(stamps.to_vec());
    }

    /// A further waiter, unless it would wait for itself.
    pub(crate) fn waiter(&self) -> Result<Waiter, Circle> {
        self.flights.waiter(&self.flight)
    }

    /// Ends the load.
    pub(crate) fn land(mut self, landing: Landing) {
        self.end(landing);
    }

    fn end(&mut self, landing: Landing) {
        self.landed = true;
        let mut under_way = self.flights.lock();
        // A later flight may have replaced this one.
        if under_way.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            under_way.remove(&self.key);
        }
        drop(under_way);
        self.flight.landing.send_replace(Some(landing));
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if !self.landed {
            self.end(Err(LoadError::Ended));
        }
    }
}

/// The heartbeat of a load.
#[derive(Debug)]
pub(crate) struct Pulse(Arc<Flight>);

impl Pulse {
    pub(crate) fn beat(&self) {
        self.0.signs.fetch_add(1, Ordering::Relaxed);
    }

    /// How often to beat.
    pub(crate) fn every(&self) -> Duration {
        self.0.silence / SIGNS
    }
}

impl Waiter {
    /// Resolves when the load has landed, has ended, or has no heartbeat any more.
    pub(crate) async fn landed(mut self, clock: &dyn Clock) -> Landing {
        let (mut seen, mut missed) = (self.flight.signs.load(Ordering::Relaxed), 0);
        loop {
            tokio::select! {
                biased;
                landing = self.landing.wait_for(Option::is_some) => return match landing {
                    Ok(landing) => landing.clone().unwrap_or(Err(LoadError::Ended)),
                    Err(_) => Err(LoadError::Ended),
                },
                () = clock.sleep(self.flight.silence / 2) => {}
            }
            // Two missed checks are needed: if the machine is busy, the load is as late as this waiter.
            let now = self.flight.signs.load(Ordering::Relaxed);
            missed = if now == seen { missed + 1 } else { 0 };
            seen = now;
            if missed == 2 {
                self.flights.forget(&self.flight);
                return Err(LoadError::Ended);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use compartment_core::ManualClock;

    const SILENCE: Duration = Duration::from_secs(6);

    #[tokio::test]
    async fn who_comes_after_a_write_does_not_join_a_load_from_before() {
        let flights = Arc::new(Flights::default());
        let clock = ManualClock::default();
        let (tier, book) = (FirstTier::new(1 << 20), StampBook::default());
        let join = || flights.join("a", &tier, &book, SILENCE);
        let Part::Leads(first) = join() else { panic!("nobody loads") };
        let Part::Waits(waiter) = join() else { panic!("one loads") };
        tier.written("a");
        let Part::Leads(second) = join() else { panic!("too old") };
        first.land(Ok(Some(Arc::new(1))));
        let Part::Waits(later) = join() else { panic!("one loads") };
        assert!(waiter.landed(&clock).await.is_ok());
        drop(second);
        assert!(matches!(later.landed(&clock).await, Err(LoadError::Ended)));
    }

    #[tokio::test]
    async fn a_load_without_a_sign_of_life_is_waited_for_no_longer() {
        let flights = Arc::new(Flights::default());
        let clock = ManualClock::default();
        let (tier, book) = (FirstTier::new(1 << 20), StampBook::default());
        let join = || flights.join("a", &tier, &book, SILENCE);
        let Part::Leads(still) = join() else { panic!("nobody loads") };
        let Part::Waits(waiter) = join() else { panic!("one loads") };
        let waiting = tokio::spawn({
            let clock = clock.clone();
            async move { waiter.landed(&clock).await }
        });
        let pulse = still.pulse();
        for _ in 0..4 {
            tokio::task::yield_now().await;
            pulse.beat();
            clock.advance(SILENCE / 2);
        }
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        for _ in 0..2 {
            clock.advance(SILENCE / 2);
            tokio::task::yield_now().await;
        }
        assert!(matches!(waiting.await, Ok(Err(LoadError::Ended))));
        assert!(matches!(join(), Part::Leads(_)), "the next one leads");
    }
}
