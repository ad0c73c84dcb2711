//! A batch of reads: who sits in it, who leads it, what is asked for and the answers.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use crate::MonotonicInstant;

/// Reads that leave together.
#[derive(Debug)]
pub(crate) struct Batch<V, E> {
    joined: Mutex<Joined>,
    /// The keys that are asked for and whose they are, once they have left.
    asked: OnceLock<Asked>,
    answers: OnceLock<Result<Vec<Mutex<Option<V>>>, E>>,
}

/// The keys of a request, and the seats of those who asked for them.
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
    /// Empty once it is asked for.
    key: String,
    pub(crate) waker: Option<Waker>,
    pub(crate) has_left: bool,
}

/// Who makes a batch's request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LeadOf {
    /// Nobody yet: no place is free.
    #[default]
    Nobody,
    /// Whoever is polled first; the place is held for it.
    WhoComesFirst(u64),
    /// A reader, since then.
    Reader(u64, MonotonicInstant),
}

impl Reader {
    fn of(key: String) -> Self {
        Self { key, waker: None, has_left: false }
    }
}

impl Joined {
    /// Whether nobody waits any more.
    pub(crate) fn is_left(&self) -> bool {
        self.readers.iter().all(|reader| reader.has_left)
    }

    /// The waker of one who waits. Who has left none is going to be polled.
    pub(crate) fn one_waker(&self) -> Option<Waker> {
        self.readers.iter().find_map(|reader| reader.waker.clone())
    }

    /// What is to be asked for: who gave up need not be.
    fn ask(&mut self) -> Asked {
        let living = self.readers.iter_mut().enumerate().filter(|(_, reader)| !reader.has_left);
        let (keys, seats) =
            living.map(|(seat, reader)| (std::mem::take(&mut reader.key), seat)).unzip();
        Asked { keys, seats }
    }
}

impl<V, E> Batch<V, E> {
    /// A batch of one.
    pub(crate) fn of(key: String) -> Self {
        let joined = Joined { readers: vec![Reader::of(key)], lead: LeadOf::Nobody };
        Self { joined: Mutex::new(joined), asked: OnceLock::new(), answers: OnceLock::new() }
    }

    /// Takes one more in, if it is not full; its number.
    pub(crate) fn take_in(&self, key: &mut String, max: usize) -> Option<usize> {
        let mut joined = self.lock();
        // One that has left before, and waits for another leader, takes nobody more.
        if joined.readers.len() >= max || self.asked.get().is_some() {
            return None;
        }
        joined.readers.push(Reader::of(std::mem::take(key)));
        Some(joined.readers.len() - 1)
    }

    /// Whether its request has come back, and nobody is to make it again.
    pub(crate) fn is_answered(&self) -> bool {
        self.answers.get().is_some()
    }

    /// Each reader's answer, once they have come.
    pub(crate) fn answers(&self) -> Option<&Result<Vec<Mutex<Option<V>>>, E>> {
        self.answers.get()
    }

    /// Answered once: whoever took over has said no more.
    pub(crate) fn set_answers(&self, answers: Result<Vec<Mutex<Option<V>>>, E>) {
        let _ = self.answers.set(answers);
    }

    /// What is asked for, once it has left.
    pub(crate) fn asked(&self) -> Option<&Asked> {
        self.asked.get()
    }

    /// Settles what is asked for. Whoever led before has asked for the same.
    pub(crate) fn ask_once(&self, joined: &mut Joined) {
        self.asked.get_or_init(|| joined.ask());
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Joined> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
