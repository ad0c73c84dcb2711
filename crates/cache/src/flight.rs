//! One load of a key at a time in the process; whoever else wants it waits for the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::watch;

use crate::envelope::StampSeen;
use crate::error::LoadError;
use crate::first_tier::{FirstTier, Moment, Shared};
use crate::stamps::{StampBook, Standing};

/// What a flight ends with.
pub(crate) type Landing = Result<Shared, LoadError>;

/// The loads that are under way.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    under_way: Mutex<HashMap<Arc<str>, Arc<Flight>>>,
}

/// One load.
#[derive(Debug)]
pub(crate) struct Flight {
    landing: watch::Sender<Option<Landing>>,
    /// Who joins later must not get what was loaded before its key was written.
    moment: Moment,
    /// Nor what was loaded before its document or a tag was invalidated.
    stamps: OnceLock<Vec<StampSeen>>,
}

/// A caller's part in a load.
pub(crate) enum Part {
    /// It has to load.
    Leads(Leader),
    /// Somebody else does.
    Waits(watch::Receiver<Option<Landing>>),
}

/// The one that loads. Dropped without a landing, it tells those who wait that the load ended.
#[derive(Debug)]
pub(crate) struct Leader {
    flights: Arc<Flights>,
    key: Arc<str>,
    flight: Arc<Flight>,
    landed: bool,
}

impl Flights {
    /// Joins the load of `key`, or leads one.
    pub(crate) fn join(self: &Arc<Self>, key: &str, tier: &FirstTier, book: &StampBook) -> Part {
        let moment = tier.moment(key);
        let mut under_way = self.lock();
        if let Some(flight) = under_way.get(key) {
            let stamps = flight.stamps.get().map_or(&[][..], Vec::as_slice);
            let is_old =
                tier.is_past(key, flight.moment) || book.standing(stamps) != Standing::Holds;
            if !is_old {
                return Part::Waits(flight.landing.subscribe());
            }
        }
        let (key, landing) = (Arc::<str>::from(key), watch::Sender::new(None));
        let flight = Arc::new(Flight { landing, moment, stamps: OnceLock::new() });
        under_way.insert(Arc::clone(&key), Arc::clone(&flight));
        Part::Leads(Leader { flights: Arc::clone(self), key, flight, landed: false })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Arc<Flight>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leader {
    /// Notes the stamps that the load goes by.
    pub(crate) fn goes_by(&self, stamps: &[StampSeen]) {
        // A second try goes by newer ones; whoever joins then is held to the first, and leads.
        let _ = self.flight.stamps.set(stamps.to_vec());
    }

    /// Who else wants to know how it ends.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<Landing>> {
        self.flight.landing.subscribe()
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

/// Waits until a load has landed.
pub(crate) async fn landed(mut landing: watch::Receiver<Option<Landing>>) -> Landing {
    match landing.wait_for(Option::is_some).await {
        Ok(landing) => landing.clone().unwrap_or(Err(LoadError::Ended)),
        Err(_) => Err(LoadError::Ended),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_comes_after_a_write_does_not_join_a_load_from_before() {
        let flights = Arc::new(Flights::default());
        let (tier, book) = (FirstTier::new(1 << 20), StampBook::default());
        let Part::Leads(first) = flights.join("a", &tier, &book) else { panic!("nobody loads") };
        let Part::Waits(waiter) = flights.join("a", &tier, &book) else { panic!("one loads") };
        tier.written("a");
        let Part::Leads(second) = flights.join("a", &tier, &book) else { panic!("too old") };
        first.land(Ok(Some(Arc::new(1))));
        let Part::Waits(later) = flights.join("a", &tier, &book) else { panic!("one loads") };
        assert!(landed(waiter).await.is_ok());
        drop(second);
        assert!(matches!(landed(later).await, Err(LoadError::Ended)));
    }
}
