//! What each program has sent, by its login and its name.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// Names of programs that are counted apart; further ones are counted together, since a program may change its name as
/// often as it likes.
const NAMES: usize = 1000;
/// The name under which further ones are counted.
const OTHERS: &str = "(others)";

/// What programs of one login and name have sent.
#[derive(Debug, Default)]
pub(crate) struct ProgramTally {
    requests: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    connected: AtomicU64,
}

impl ProgramTally {
    /// Counts requests and their bytes.
    pub(crate) fn sent(&self, requests: u64, bytes: u64) {
        self.requests.fetch_add(requests, Ordering::Relaxed);
        self.bytes_in.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts bytes of replies.
    pub(crate) fn took(&self, bytes: u64) {
        self.bytes_out.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A connection has this login and name now.
    pub(crate) fn joins(&self) {
        self.connected.fetch_add(1, Ordering::Relaxed);
    }

    /// It has another one, or has ended.
    pub(crate) fn leaves(&self) {
        self.connected.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The programs of a front.
#[derive(Debug, Default)]
pub(crate) struct Programs(Mutex<BTreeMap<(String, String), Arc<ProgramTally>>>);

/// What programs of one login and name have sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProgramFigures {
    /// The login; `default` without one.
    pub user: String,
    /// The name that was given with `CLIENT SETNAME`; empty without one.
    pub name: String,
    /// Connections that are open.
    pub connected: u64,
    /// Requests that were read.
    pub requests: u64,
    /// Bytes of requests.
    pub bytes_in: u64,
    /// Bytes of replies that were taken.
    pub bytes_out: u64,
}

impl Programs {
    /// The counters of a login and a name.
    pub(crate) fn of(&self, user: &str, name: &[u8]) -> Arc<ProgramTally> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (user.to_owned(), String::from_utf8_lossy(name).into_owned());
        if all.len() >= NAMES && !all.contains_key(&key) {
            key = (OTHERS.to_owned(), OTHERS.to_owned());
        }
        Arc::clone(all.entry(key).or_default())
    }

    /// The figures, those with the most requests first.
    pub(crate) fn figures(&self) -> Vec<ProgramFigures> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut figures: Vec<ProgramFigures> = all
            .iter()
            .map(|((user, name), tally)| ProgramFigures {
                user: user.clone(),
                name: name.clone(),
                connected: read(&tally.connected),
                requests: read(&tally.requests),
                bytes_in: read(&tally.bytes_in),
                bytes_out: read(&tally.bytes_out),
            })
            .collect();
        figures.sort_by_key(|one| std::cmp::Reverse(one.requests));
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_end_are_counted_together() {
        let programs = Programs::default();
        for number in 0..2 * NAMES {
            programs.of("default", number.to_string().as_bytes()).sent(1, 10);
        }
        let figures = programs.figures();
        assert_eq!(figures.len(), NAMES + 1);
        assert_eq!((figures[0].name.as_str(), figures[0].requests), (OTHERS, NAMES as u64));
        assert_eq!(figures.iter().map(|one| one.requests).sum::<u64>(), 2 * NAMES as u64);
    }
}
