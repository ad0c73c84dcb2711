//! What other rules of replacement would reach on a trace: the one that drops what was used least
//! recently, and the one that knows what comes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Hits of a tier of `room` places that drops what was used least recently.
pub(super) fn least_recently_used(trace: &[u32], room: usize) -> usize {
    // When each was used last, both ways round.
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

/// Hits of the best that any tier of `room` places can do: it drops what is wanted again latest
/// (Belady 1966), and does not take in at all what is wanted later than all that it has.
pub(super) fn optimal(trace: &[u32], room: usize) -> usize {
    let next = next_uses(trace);
    // What is held, by when it is wanted next. Two that are never wanted again are told apart by
    // the document.
    let mut held: BTreeSet<(usize, u32)> = BTreeSet::new();
    let mut hits = 0;
    for (now, document) in trace.iter().enumerate() {
        // Held, it is wanted next just now.
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

/// For each read, the place of the next read of the same document; the end where there is none.
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

    /// By hand, with two places. LRU: 1 -, 2 -, 3 - (drops 1), 1 - (drops 2), 2 - (drops 3),
    /// 1 hit, 2 hit. The optimum: 1 -, 2 -, 3 - (not taken in: never wanted again), 1 hit, 2 hit,
    /// 1 hit, 2 hit.
    const TRACE: [u32; 7] = [1, 2, 3, 1, 2, 1, 2];

    #[test]
    fn hits_are_those_worked_out_by_hand() {
        assert_eq!(least_recently_used(&TRACE, 2), 2);
        assert_eq!(optimal(&TRACE, 2), 4);
        assert_eq!((least_recently_used(&TRACE, 3), optimal(&TRACE, 3)), (4, 4), "all have room");
        // With one place nothing is kept in time but what is read twice in a row.
        assert_eq!((least_recently_used(&[1, 1, 2, 1], 1), optimal(&[1, 1, 2, 1], 1)), (1, 2));
        assert_eq!((least_recently_used(&[], 2), optimal(&[], 2)), (0, 0));
    }

    /// The best of all ways to keep or drop, tried one by one.
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
