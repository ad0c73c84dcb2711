//! The keys that have gone unused for longest, of those that a budget's walk has met.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use compartment_core::backend::HOUSEKEEPING_PREFIX;

/// More are not remembered. As in Redis's own pool of candidates, but with room for many rounds: the
/// walk meets a key once a cycle, and what it met long ago is still the next to go.
const MOST: usize = 4_096;

/// A key that may be evicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) name: Arc<[u8]>,
    pub(crate) bytes: u64,
    /// When it was last used (seconds) or how often: what is lower goes first.
    pub(crate) rank: i64,
    /// The step of the walk that met it.
    pub(crate) step: u64,
}

/// Where a candidate stands: housekeeping last, then by rank, and in the order they were met.
type Turn = (bool, i64, u64);

/// Candidates in the order in which they go.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    by_turn: BTreeMap<Turn, Candidate>,
    turns: HashMap<Arc<[u8]>, Turn>,
    met: u64,
}

impl Candidates {
    /// Takes in a key; one that is known already stands where it now belongs.
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

    /// The next to go, until they make `bytes` of room; at most `max` of them. Housekeeping goes
    /// only where `all` may.
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

    /// The highest rank that may be remembered, once there is no more room.
    pub(crate) fn limit(&self) -> Option<i64> {
        let (&(is_housekeeping, rank, _), _) = self.by_turn.last_key_value()?;
        (self.by_turn.len() >= MOST && !is_housekeeping).then_some(rank)
    }

    /// Forgets all of them: their ranks mean something else now.
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
