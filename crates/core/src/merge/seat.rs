//! A reader's seat in a batch of reads: it gets an answer, or makes the request for all readers.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::MonotonicInstant;
use crate::merge::batch::{Batch, Joined, LeadOf};
use crate::merge::places::{PARTS_OF_PATIENCE, Place, ReadPlaces, ReadSource};

/// A reader's role in a batch.
pub(crate) struct Seat<'a, S: ReadSource> {
    pub(crate) places: &'a ReadPlaces<S::Value, S::Error>,
    pub(crate) source: &'a S,
    pub(crate) batch: Arc<Batch<S::Value, S::Error>>,
    pub(crate) number: usize,
}

/// The result of a reader's wait.
pub(crate) enum Turn<'a, S: ReadSource> {
    Answered(Result<S::Value, S::Error>),
    /// It makes the request for all readers.
    Leads(Lead<'a, S>),
}

impl<'a, S: ReadSource> Seat<'a, S> {
    /// Resolves with the answer, or when this reader has to make the request.
    pub(crate) async fn turn(&self) -> Turn<'a, S> {
        poll_fn(|context| self.poll_turn(context)).await
    }

    fn poll_turn(&self, context: &Context<'_>) -> Poll<Turn<'a, S>> {
        if let Some(answer) = self.answer() {
            return Poll::Ready(Turn::Answered(answer));
        }
        let mut joined = self.batch.lock();
        // Check again, because the answer may have arrived before the lock.
        if let Some(answer) = self.answer() {
            return Poll::Ready(Turn::Answered(answer));
        }
        if let LeadOf::WhoComesFirst(place) = joined.lead {
            return Poll::Ready(Turn::Leads(self.lead(&mut joined, place, self.source.now())));
        }
        if let Some(reader) = joined.readers.get_mut(self.number) {
            match &mut reader.waker {
                Some(known) => known.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
        }
        Poll::Pending
    }

    fn answer(&self) -> Option<Result<S::Value, S::Error>> {
        match self.batch.answers()? {
            Ok(answers) => {
                // Only this reader takes its answer.
                let mut answer =
                    answers.get(self.number)?.lock().unwrap_or_else(PoisonError::into_inner);
                answer.take().map(Ok)
            }
            Err(error) => Some(Err(error.clone())),
        }
    }

    /// Takes the lead although no place is free, or although another leader has used up its time. The error is when
    /// to try again.
    pub(crate) fn takes_the_lead(
        &self,
        now: MonotonicInstant,
    ) -> Result<Lead<'a, S>, MonotonicInstant> {
        let mut state = self.places.lock();
        let mut joined = self.batch.lock();
        if self.batch.is_answered() {
            return Err(now);
        }
        let place = match joined.lead {
            LeadOf::Nobody => {
                state.waiting.retain(|batch| !Arc::ptr_eq(batch, &self.batch));
                state.take_place(now)
            }
            LeadOf::WhoComesFirst(place) => place,
            LeadOf::Reader(place, since) => {
                let enough = since.after(self.source.patience() / PARTS_OF_PATIENCE);
                if now < enough {
                    return Err(enough);
                }
                // A new number distinguishes this leader from the previous one.
                state.exchange_place(place, now)
            }
        };
        Ok(self.lead(&mut joined, place, now))
    }

    fn lead(&self, joined: &mut Joined, place: u64, now: MonotonicInstant) -> Lead<'a, S> {
        joined.lead = LeadOf::Reader(place, now);
        self.batch.ask_once(joined);
        let place = Place { places: self.places, source: self.source, number: place };
        Lead { batch: Arc::clone(&self.batch), place }
    }
}

impl<S: ReadSource> Drop for Seat<'_, S> {
    fn drop(&mut self) {
        if self.batch.is_answered() {
            return;
        }
        let mut joined = self.batch.lock();
        if let Some(reader) = joined.readers.get_mut(self.number) {
            (reader.has_left, reader.waker) = (true, None);
        }
        // This reader may have been the one that was woken.
        let LeadOf::WhoComesFirst(place) = joined.lead else { return };
        let is_left = joined.is_left();
        let next = joined.one_waker();
        drop(joined);
        if is_left {
            self.places.leave(place, || self.source.now());
        }
        next.into_iter().for_each(Waker::wake);
    }
}

/// The duty to make a batch's request. If it is dropped without an answer, it passes to another reader.
pub(crate) struct Lead<'a, S: ReadSource> {
    batch: Arc<Batch<S::Value, S::Error>>,
    /// Dropped last: the next leader is then woken last, and so runs first on runtimes that prefer the task woken
    /// last.
    place: Place<'a, S>,
}

impl<S: ReadSource> Lead<'_, S> {
    pub(crate) fn keys(&self) -> &[String] {
        self.batch.asked().map_or(&[], |asked| &asked.keys)
    }

    pub(crate) fn answer(self, answers: Result<Vec<S::Value>, S::Error>) {
        let seats = self.batch.lock().readers.len();
        let answers = answers.map(|answers| {
            let mut each: Vec<Mutex<Option<S::Value>>> =
                (0..seats).map(|_| Mutex::default()).collect();
            let asked = self.batch.asked().map_or(&[][..], |asked| &asked.seats);
            for (seat, answer) in asked.iter().zip(answers) {
                each[*seat] = Mutex::new(Some(answer));
            }
            each
        });
        self.batch.set_answers(answers);
    }
}

impl<S: ReadSource> Drop for Lead<'_, S> {
    fn drop(&mut self) {
        let mut joined = self.batch.lock();
        if self.batch.is_answered() {
            // After the answer: a reader that checked before it has left its waker.
            let wakers: Vec<Waker> =
                joined.readers.iter_mut().filter_map(|reader| reader.waker.take()).collect();
            // The batch was to be requested again because its leader had gone. That place is not needed now.
            let held = match std::mem::take(&mut joined.lead) {
                LeadOf::WhoComesFirst(place) => Some(place),
                LeadOf::Nobody | LeadOf::Reader(..) => None,
            };
            drop(joined);
            if let Some(place) = held {
                self.place.places.leave(place, || self.place.source.now());
            }
            wakers.into_iter().for_each(Waker::wake);
            return;
        }
        // A replaced leader passes nothing on.
        let leads = matches!(joined.lead, LeadOf::Reader(place, _) if place == self.place.number);
        if leads && !joined.is_left() {
            // The next leader needs a new place, because this one is given up.
            joined.lead = LeadOf::Nobody;
            drop(joined);
            self.place.places.lock().waiting.push_front(Arc::clone(&self.batch));
        }
    }
}
