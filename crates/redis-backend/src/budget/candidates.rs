//! The longest unused keys among those that a budget's walk has measured.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use compartment_core::backend::HOUSEKEEPING_PREFIX;

/// The maximum number of candidates. Redis has a similar pool, but this one serves many rounds: the walk meets a key
/// once in a cycle, and a key met long ago may still be the next to be evicted.
const MOST: usize = 4_096;

/// A key that may be evicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) name: Arc<[u8]>,
    pub(crate) bytes: u64,
    /// The time of its last use (seconds) or its number of uses; lower ranks are evicted first.
    pub(crate) rank: i64,
    /// The step of the walk that met it.
    pub(crate) step: u64,
}

/// The order of eviction: housekeeping keys last, then by rank, then in the order they were met.
type Turn = (bool, i64, u64);

/// Candidates in the order of their eviction.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    by_turn: BTreeMap<Turn, Candidate>,
    turns: HashMap<Arc<[u8]>, Turn>,
    met: u64,
}

impl Candidates {
    /// Adds a key; a known key is moved to its new position.
    pub(crate) fn add(&mut self, candidate: Candidate) {
        self.forget(&candidate.name);
        let is_housekeeping = candidate.name.starts_with(HOUSEKEEPING_PREFIX.as_bytes());
        self.met += 1;
        let turn = (is_housekeeping, candidate.rank, self.met);
        self.turns.insert(Arc::clone(&candidate.name), turn);
        self.by_turn.insert(turn, candidate);
        if self.by_turn.len() > MOST
            && let Some((_, last)) = self.by_turn.pop_last()
        {
            self.turns.remove(&last.name);
        }
    }

    /// The next candidates, until they free `bytes`; at most `max` of them. Housekeeping keys only if `all` is set.
    pub(crate) fn take(&mut self, bytes: u64, max: usize, all: bool) -> Vec<Candidate> {
        let mut taken = Vec::new();
        let mut room = 0;
        while room < bytes && taken.len() < max {
            let Some(first) = self.by_turn.first_entry() else { break };
            if first.key().0 && !all {
                break;
            }
            let candidate = first.remove();
            self.turns.remove(&candidate.name);
            room += candidate.bytes;
            taken.push(candidate);
        }
        taken
    }

    /// The highest rank that is still kept, if the candidates are full.
    pub(crate) fn limit(&self) -> Option<i64> {
        let (&(is_housekeeping, rank, _), _) = self.by_turn.last_key_value()?;
        (self.by_turn.len() >= MOST && !is_housekeeping).then_some(rank)
    }

    /// How many more are kept before the last is forgotten.
    pub(crate) fn room(&self) -> u64 {
        MOST.saturating_sub(self.by_turn.len()) as u64
    }

    /// Forgets all candidates: their ranks have a new meaning.
    pub(crate) fn clear(&mut self) {
        self.by_turn.clear();
        self.turns.clear();
    }

    fn forget(&mut self, name: &[u8]) {
        if let Some(turn) = self.turns.remove(name) {
            self.by_turn.remove(&turn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str, rank: i64) -> Candidate {
        Candidate { name: name.as_bytes().into(), bytes: 100, rank, step: 0 }
    }

    fn names(taken: Vec<Candidate>) -> Vec<String> {
        taken.into_iter().map(|one| String::from_utf8_lossy(&one.name).into_owned()).collect()
    }

    #[test]
    fn what_was_used_least_recently_goes_first_and_housekeeping_last() {
        let mut candidates = Candidates::default();
        for (name, rank) in [("b", 5), ("compartment:stamp:", 1), ("c", 9), ("a", 5), ("d", 2)] {
            candidates.add(candidate(name, rank));
        }
        assert_eq!(names(candidates.take(250, 10, false)), ["d", "b", "a"]);
        assert_eq!(names(candidates.take(900, 10, false)), ["c"]);
        assert_eq!(names(candidates.take(900, 10, true)), ["compartment:stamp:"]);
    }

    #[test]
    fn a_key_that_was_used_since_goes_later() {
        let mut candidates = Candidates::default();
        for (name, rank) in [("a", 1), ("b", 2), ("a", 3)] {
            candidates.add(candidate(name, rank));
        }
        assert_eq!(names(candidates.take(900, 10, false)), ["b", "a"]);
    }

    #[test]
    fn only_the_oldest_are_remembered() {
        let mut candidates = Candidates::default();
        for rank in (0..2 * MOST as i64).rev() {
            assert!(candidates.limit().is_none_or(|limit| rank <= limit));
            candidates.add(candidate(&rank.to_string(), rank));
        }
        assert_eq!(candidates.limit(), Some(MOST as i64 - 1));
        assert_eq!(candidates.take(u64::MAX, usize::MAX, true).len(), MOST);
        assert!(candidates.turns.is_empty());
    }
}
