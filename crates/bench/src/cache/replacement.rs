//! Hits of exact LRU and of the optimal replacement policy on a trace.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Hits of exact LRU with `room` entries.
pub(super) fn least_recently_used(trace: &[u32], room: usize) -> usize {
    // The last use of each document, in both directions.
    let (mut used, mut order) = (HashMap::new(), BTreeMap::new());
    let mut hits = 0;
    for (now, document) in trace.iter().enumerate() {
        match used.insert(*document, now) {
            Some(before) => {
                hits += 1;
                order.remove(&before);
            }
            None if used.len() > room => {
                if let Some((_, oldest)) = order.pop_first() {
                    used.remove(&oldest);
                }
            }
            None => {}
        }
        order.insert(now, *document);
    }
    hits
}

/// Hits after the first read of each of the `room` documents that are read most in the whole trace: no policy that
/// does not know what comes has more hits on reads that are independent of each other (Aho, Denning, Ullman 1971).
pub(super) fn most_read(trace: &[u32], room: usize) -> usize {
    let mut counts: HashMap<u32, usize> = HashMap::new();
    trace.iter().for_each(|document| *counts.entry(*document).or_default() += 1);
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts.into_iter().take(room).map(|count| count - 1).sum()
}

/// Hits of the optimal policy with `room` entries: it drops the entry whose next use is latest
/// (Belady 1966), and does not admit one whose next use is later than those of all entries.
pub(super) fn optimal(trace: &[u32], room: usize) -> usize {
    let next = next_uses(trace);
    // The entries by their next use; the document distinguishes those that are never used again.
    let mut held: BTreeSet<(usize, u32)> = BTreeSet::new();
    let mut hits = 0;
    for (now, document) in trace.iter().enumerate() {
        // An entry in the tier has its next use now.
        if held.remove(&(now, *document)) {
            hits += 1;
        }
        held.insert((next[now], *document));
        if held.len() > room {
            held.pop_last();
        }
    }
    hits
}

/// For each read, the position of the next read of its document; `usize::MAX` if there is none.
fn next_uses(trace: &[u32]) -> Vec<usize> {
    let (mut next, mut coming) = (vec![usize::MAX; trace.len()], HashMap::new());
    for (at, document) in trace.iter().enumerate().rev() {
        next[at] = coming.insert(*document, at).unwrap_or(usize::MAX);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked out by hand, with two entries. LRU: 1 -, 2 -, 3 - (drops 1), 1 - (drops 2), 2 -
    /// (drops 3), 1 hit, 2 hit. The optimum: 1 -, 2 -, 3 - (not admitted: never used again), 1 hit,
    /// 2 hit, 1 hit, 2 hit.
    const TRACE: [u32; 7] = [1, 2, 3, 1, 2, 1, 2];

    #[test]
    fn hits_are_those_worked_out_by_hand() {
        assert_eq!(least_recently_used(&TRACE, 2), 2);
        assert_eq!(optimal(&TRACE, 2), 4);
        assert_eq!((least_recently_used(&TRACE, 3), optimal(&TRACE, 3)), (4, 4), "all have room");
        // With one entry, LRU only hits a document that is read twice in a row.
        assert_eq!((least_recently_used(&[1, 1, 2, 1], 1), optimal(&[1, 1, 2, 1], 1)), (1, 2));
        assert_eq!((least_recently_used(&[], 2), optimal(&[], 2)), (0, 0));
        assert_eq!((most_read(&TRACE, 1), most_read(&TRACE, 2), most_read(&TRACE, 9)), (2, 4, 4));
    }

    /// The best result over all choices, by exhaustive search.
    fn best(trace: &[u32], held: &[u32], room: usize) -> usize {
        let Some((document, rest)) = trace.split_first() else { return 0 };
        if held.contains(document) {
            return 1 + best(rest, held, room);
        }
        let refused = best(rest, held, room);
        let with = |held: Vec<u32>| best(rest, &held, room);
        if held.len() < room {
            return refused.max(with([held, &[*document]].concat()));
        }
        let dropping = |at| {
            let mut held = held.to_vec();
            held[at] = *document;
            with(held)
        };
        (0..held.len()).map(dropping).fold(refused, usize::max)
    }

    #[test]
    fn no_other_way_has_more_hits_than_the_optimum() {
        for seed in 0..50 {
            let trace = super::super::trace::zipf(6, 0.5, 12, seed);
            assert_eq!(optimal(&trace, 2), best(&trace, &[], 2), "{trace:?}");
            assert!(least_recently_used(&trace, 2) <= optimal(&trace, 2));
        }
    }
}
