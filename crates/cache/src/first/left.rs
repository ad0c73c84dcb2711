//! The hashes of entries that left the first tier before they were read again.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;

use crate::first::name::AsItIs;

/// As many hashes as this percentage of the entries are remembered.
const REMEMBERED: usize = 120;
/// Hashes that are remembered even if there are few entries, because these are large.
const LEAST_REMEMBERED: usize = 32;

/// The hashes of entries that left probation unread, each with the turn in which it last did.
#[derive(Debug, Default)]
pub(crate) struct Left {
    turns: HashMap<u64, u64, BuildHasherDefault<AsItIs>>,
    queue: VecDeque<(u64, u64)>,
    turn: u64,
}

impl Left {
    /// Remembers a hash, beside as many others as fit the number of entries.
    pub(crate) fn add(&mut self, hash: u64, entries: usize) {
        self.turn += 1;
        self.turns.insert(hash, self.turn);
        self.queue.push_back((hash, self.turn));
        let most = (entries / 100 * REMEMBERED + entries % 100).max(LEAST_REMEMBERED);
        while self.queue.len() > most
            && let Some((hash, turn)) = self.queue.pop_front()
        {
            if self.turns.get(&hash) == Some(&turn) {
                self.turns.remove(&hash);
            }
        }
    }

    /// Whether the hash is remembered; it is forgotten.
    pub(crate) fn returns(&mut self, hash: u64) -> bool {
        self.turns.remove(&hash).is_some()
    }
}
