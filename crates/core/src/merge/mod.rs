//! Merges single reads that arrive while others are in progress into one request.
//!
//! A lone read is sent at once. Reads that arrive while enough others are in progress form a batch, which is sent as
//! soon as a place is free. So a batch grows with the load, and no timer delays it.
//!
//! Nothing here is a separate task, since a task ends with its runtime. The waiting readers drive the work: one
//! reader of a batch leads and makes the request for all within its own future. If it is dropped meanwhile, another
//! reader takes over, since a read may be repeated. A reader whose runtime is blocked is neither polled nor dropped,
//! so no reader waits for another one only: after a part of its patience a reader takes the lead of its own batch,
//! and after all of it the read fails.

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
    /// Reads `key`, alone or together with concurrent reads.
    ///
    /// # Errors
    /// The source's. An error of a request fails all its readers.
    pub async fn read<S>(&self, key: &str, source: &S) -> Result<V, E>
    where
        S: ReadSource<Value = V, Error = E>,
    {
        // Allocated before the lock, because others wait for it.
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
