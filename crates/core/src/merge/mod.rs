//! Single reads that come while others are under way wait, and leave together in one request.
//!
//! A lone read goes straight out. Those that come while enough are under way form a batch, which
//! leaves as soon as a place is free; so a batch grows with the load, and no timer holds it back.
//!
//! Nothing here is a task of its own, since a task ends with its runtime. Whoever waits drives: one
//! of a batch's readers leads, which is to make the request for all within its own future. When it
//! is dropped in the middle, another takes over, as a read may be made twice. A reader whose runtime
//! stands still is neither polled nor dropped, so no wait relies on another reader alone: after a
//! part of its patience a reader takes the lead of its own batch, and with all of it gone it fails.

pub(crate) mod batch;
pub(crate) mod places;
pub(crate) mod seat;

use std::pin::pin;

use futures_util::future::{Either, select};

use crate::merge::places::{Entered, PARTS_OF_PATIENCE, ReadPlaces, ReadSource};
use crate::merge::seat::{Seat, Turn};

/// The single reads of one database.
#[derive(Debug)]
pub struct ReadMerger<V, E> {
    places: ReadPlaces<V, E>,
}

impl<V, E> Default for ReadMerger<V, E> {
    fn default() -> Self {
        Self { places: ReadPlaces::default() }
    }
}

impl<V: Send + Sync, E: Clone + Send + Sync> ReadMerger<V, E> {
    /// Reads `key`, alone or together with others that come at the time.
    ///
    /// # Errors
    /// The source's. A request that fails has failed for all who are in it.
    pub async fn read<S>(&self, key: &str, source: &S) -> Result<V, E>
    where
        S: ReadSource<Value = V, Error = E>,
    {
        // Made before the lock, which others wait for.
        let name = key.to_owned();
        let (begun, patience) = (source.now(), source.patience());
        let seat = match self.places.enter(source, name, begun) {
            Entered::Alone(place) => {
                let answer = source.one(key).await;
                drop(place);
                return answer;
            }
            Entered::Waits(batch, number) => Seat { places: &self.places, source, batch, number },
        };
        let ends = begun.after(patience);
        let (mut now, mut wakes) = (begun, begun.after(patience / PARTS_OF_PATIENCE));
        loop {
            let rest = source.sleep(wakes.min(ends).since(now));
            let turn = match select(pin!(seat.turn()), pin!(rest)).await {
                Either::Left((turn, _)) => turn,
                Either::Right(_) if wakes >= ends => return Err(source.timed_out(key)),
                Either::Right(_) => {
                    now = source.now();
                    match seat.takes_the_lead(now) {
                        Ok(lead) => Turn::Leads(lead),
                        Err(later) => {
                            wakes = later;
                            continue;
                        }
                    }
                }
            };
            match turn {
                Turn::Answered(answer) => return answer,
                Turn::Leads(lead) => {
                    let answers = source.many(lead.keys(), ends).await;
                    lead.answer(answers);
                    (now, wakes) = (source.now(), ends);
                }
            }
        }
    }
}
