//! A batch of reads: its readers, its leader, its keys and the answers.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use crate::MonotonicInstant;

/// Reads that are sent in one request.
#[derive(Debug)]
pub(crate) struct Batch<V, E> {
    joined: Mutex<Joined>,
    /// The requested keys and their readers, once the request was sent.
    asked: OnceLock<Asked>,
    answers: OnceLock<Result<Vec<Mutex<Option<V>>>, E>>,
}

/// The keys of a request, and the seats of their readers.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) keys: Vec<String>,
    pub(crate) seats: Vec<usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Joined {
    pub(crate) readers: Vec<Reader>,
    pub(crate) lead: LeadOf,
}

#[derive(Debug)]
pub(crate) struct Reader {
    /// Empty once it was requested.
    key: String,
    pub(crate) waker: Option<Waker>,
    pub(crate) has_left: bool,
}

/// The reader that makes a batch's request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LeadOf {
    /// Nobody yet, because no place is free.
    #[default]
    Nobody,
    /// The first reader that is polled; a place is reserved for it.
    WhoComesFirst(u64),
    /// A reader, since this instant.
    Reader(u64, MonotonicInstant),
}

impl Reader {
    fn of(key: String) -> Self {
        Self { key, waker: None, has_left: false }
    }
}

impl Joined {
    /// Whether no reader waits any more.
    pub(crate) fn is_left(&self) -> bool {
        self.readers.iter().all(|reader| reader.has_left)
    }

    /// The waker of one waiting reader. A reader without a waker is about to be polled.
    pub(crate) fn one_waker(&self) -> Option<Waker> {
        self.readers.iter().find_map(|reader| reader.waker.clone())
    }

    /// The keys to request; readers that gave up are left out.
    fn ask(&mut self) -> Asked {
        let living = self.readers.iter_mut().enumerate().filter(|(_, reader)| !reader.has_left);
        let (keys, seats) =
            living.map(|(seat, reader)| (std::mem::take(&mut reader.key), seat)).unzip();
        Asked { keys, seats }
    }
}

impl<V, E> Batch<V, E> {
    /// A batch with one reader.
    pub(crate) fn of(key: String) -> Self {
        let joined = Joined { readers: vec![Reader::of(key)], lead: LeadOf::Nobody };
        Self { joined: Mutex::new(joined), asked: OnceLock::new(), answers: OnceLock::new() }
    }

    /// Adds a reader and returns its number, unless the batch is full.
    pub(crate) fn take_in(&self, key: &mut String, max: usize) -> Option<usize> {
        let mut joined = self.lock();
        // A batch that was sent before and waits for another leader accepts no more readers.
        if joined.readers.len() >= max || self.asked.get().is_some() {
            return None;
        }
        joined.readers.push(Reader::of(std::mem::take(key)));
        Some(joined.readers.len() - 1)
    }

    /// Whether it was answered, so that nobody needs to request it again.
    pub(crate) fn is_answered(&self) -> bool {
        self.answers.get().is_some()
    }

    /// The answer for each reader, once they have arrived.
    pub(crate) fn answers(&self) -> Option<&Result<Vec<Mutex<Option<V>>>, E>> {
        self.answers.get()
    }

    /// Sets the answers once. A second leader's answers are not used.
    pub(crate) fn set_answers(&self, answers: Result<Vec<Mutex<Option<V>>>, E>) {
        let _ = self.answers.set(answers);
    }

    /// The requested keys, once the request was sent.
    pub(crate) fn asked(&self) -> Option<&Asked> {
        self.asked.get()
    }

    /// Fixes the keys to request. An earlier leader has requested the same keys.
    pub(crate) fn ask_once(&self, joined: &mut Joined) {
        self.asked.get_or_init(|| joined.ask());
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Joined> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
