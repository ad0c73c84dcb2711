//! One load of a key at a time in the process; other callers wait for its result.
//!
//! A load is a task, and a task lives as long as its runtime. A runtime that ends wakes the waiters,
//! but a blocked one cannot. So a running load gives a sign of life now and then, and a waiter that
//! misses it loads again.

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

/// What a flight ends with.
pub(crate) type Landing = Result<SharedValue, LoadError>;

/// No load is given up sooner for want of a sign of life: a busy machine may be this late.
const LEAST_SILENCE: Duration = Duration::from_secs(1);
/// Signs of life in the time after which a load counts as lost.
const SIGNS: u32 = 4;

/// The loads that are under way.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    under_way: Mutex<HashMap<Arc<str>, Arc<Flight>>>,
}

/// One load.
#[derive(Debug)]
pub(crate) struct Flight {
    number: u64,
    landing: watch::Sender<Option<Landing>>,
    /// Who joins later must not get what was loaded before its key was written.
    moment: Moment,
    /// Nor what was loaded before its document or a tag was invalidated.
    stamps: OnceLock<Vec<StampSeen>>,
    /// Signs of life; after so long without one it counts as lost.
    signs: AtomicU64,
    silence: Duration,
}

/// A caller's part in a load.
pub(crate) enum Part {
    /// It has to load.
    Leads(Leader),
    /// Somebody else does.
    Waits(Waiter),
    /// Somebody else does who waits for the caller.
    WouldWaitForItself,
}

/// The one that loads. Dropped without a landing, it tells those who wait that the load ended.
#[derive(Debug)]
pub(crate) struct Leader {
    flights: Arc<Flights>,
    key: Arc<str>,
    flight: Arc<Flight>,
    landed: bool,
}

/// One that waits for a load.
#[derive(Debug)]
pub(crate) struct Waiter {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    landing: watch::Receiver<Option<Landing>>,
    _wait: Wait,
}

impl Flights {
    /// Joins the load of `key`, or leads one; others give it up after so long without a sign of
    /// life.
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

    /// Takes a flight out, if it is still the one of its key.
    fn forget(&self, flight: &Arc<Flight>) {
        self.lock().retain(|_, known| !Arc::ptr_eq(known, flight));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Arc<Flight>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leader {
    /// Its load's number among all.
    pub(crate) fn number(&self) -> u64 {
        self.flight.number
    }

    /// What gives its signs of life.
    pub(crate) fn pulse(&self) -> Pulse {
        Pulse(Arc::clone(&self.flight))
    }

    /// Notes the stamps that the load goes by.
    pub(crate) fn goes_by(&self, stamps: &[StampSeen]) {
        // A second try goes by newer ones; whoever joins then is held to the first, and leads.
        let _ = self.flight.stamps.set(stamps.to_vec());
    }

    /// Who else wants to know how it ends; nobody who is waited for.
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
        // A later flight may have taken its place.
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

/// The signs of life of a load.
#[derive(Debug)]
pub(crate) struct Pulse(Arc<Flight>);

impl Pulse {
    pub(crate) fn beat(&self) {
        self.0.signs.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it is to beat.
    pub(crate) fn every(&self) -> Duration {
        self.0.silence / SIGNS
    }
}

impl Waiter {
    /// Ready when the load has landed, has ended, or gives no sign of life any more.
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
            // Two looks: who is woken late finds the load as late as itself.
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
