//! Policies of other caches on a trace, each as its authors describe it, by the number of entries.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// Hits of SIEVE with `room` entries: a hand goes from the oldest entry to the newest and drops the first that was
/// not read since it last came by (Zhang, Yang, Yue, Vigfusson, Rashmi, NSDI 2024).
pub(super) fn sieve(trace: &[u32], room: usize) -> usize {
    // From the oldest to the newest, by the time at which each came.
    let (mut order, mut came) = (BTreeMap::new(), HashMap::new());
    let (mut hand, mut hits) = (0_usize, 0);
    for (now, document) in trace.iter().enumerate() {
        if let Some(at) = came.get(document) {
            hits += 1;
            order.insert(*at, (*document, true));
            continue;
        }
        if came.len() == room {
            loop {
                let found = order.range(hand..).next().map(|(at, entry)| (*at, *entry));
                match found {
                    Some((at, (document, true))) => {
                        order.insert(at, (document, false));
                        hand = at + 1;
                    }
                    Some((at, (document, false))) => {
                        order.remove(&at);
                        came.remove(&document);
                        hand = at + 1;
                        break;
                    }
                    None => hand = 0,
                }
            }
        }
        came.insert(*document, now);
        order.insert(now, (*document, false));
    }
    hits
}

/// Hits of S3-FIFO with `room` entries: a tenth of them on probation, nine tenths remembered, one that was read twice
/// or is remembered goes to the main queue (Yang, Zhang, Qiu, Yue, Vinayak, SOSP 2023).
pub(super) fn s3_fifo(trace: &[u32], room: usize) -> usize {
    let (small_room, ghost_room) = (room / 10, room * 9 / 10);
    let (mut small, mut main, mut ghosts) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
    let (mut reads, mut remembered) = (HashMap::<u32, u8>::new(), HashSet::new());
    let (mut hits, mut has_evicted) = (0, false);
    for document in trace {
        if let Some(count) = reads.get_mut(document) {
            hits += 1;
            *count = (*count + 1).min(3);
            continue;
        }
        let returns = remembered.remove(document);
        if returns {
            ghosts.retain(|ghost| ghost != document);
        }
        while reads.len() >= room {
            has_evicted = true;
            if main.len() > room - small_room || small.is_empty() {
                // One that was read gets another round for each read.
                while let Some(first) = main.pop_front() {
                    match reads.get_mut(&first) {
                        Some(count) if *count > 0 => {
                            *count -= 1;
                            main.push_back(first);
                        }
                        _ => {
                            reads.remove(&first);
                            break;
                        }
                    }
                }
                continue;
            }
            while let Some(first) = small.pop_front() {
                if reads.get(&first).is_some_and(|count| *count > 1) {
                    reads.insert(first, 0);
                    main.push_back(first);
                    continue;
                }
                reads.remove(&first);
                remembered.insert(first);
                ghosts.push_back(first);
                if ghosts.len() > ghost_room
                    && let Some(forgotten) = ghosts.pop_front()
                {
                    remembered.remove(&forgotten);
                }
                break;
            }
        }
        let goes_on = returns || (!has_evicted && small.len() >= small_room);
        if goes_on {
            main.push_back(*document)
        } else {
            small.push_back(*document)
        }
        reads.insert(*document, 0);
    }
    hits
}

/// Hits of W-TinyLFU with `room` entries: one in a hundred in a window, the others protected if they were read since
/// they came, up to four in five. One that leaves the window replaces the next to leave if it was read more often, by
/// counts that are halved after ten reads for each entry (Einziger, Friedman, Manes, TOS 2017).
pub(super) fn w_tiny_lfu(trace: &[u32], room: usize) -> usize {
    let window_room = (room / 100).max(1);
    let main_room = room - window_room;
    let protected_room = main_room * 4 / 5;
    let [mut window, mut probation, mut protected] = [(); 3].map(|()| ByUse::default());
    let mut counts = Counts::new(room);
    let mut hits = 0;
    for document in trace {
        counts.add(*document);
        if window.touch(*document) || protected.touch(*document) {
            hits += 1;
            continue;
        }
        if probation.remove(*document) {
            hits += 1;
            protected.push(*document);
            if protected.len() > protected_room {
                protected.pop().into_iter().for_each(|demoted| probation.push(demoted));
            }
            continue;
        }
        window.push(*document);
        if window.len() <= window_room {
            continue;
        }
        let Some(candidate) = window.pop() else { continue };
        if probation.len() + protected.len() < main_room {
            probation.push(candidate);
            continue;
        }
        let from = if probation.len() > 0 { &mut probation } else { &mut protected };
        if from.oldest().is_some_and(|victim| counts.of(candidate) > counts.of(victim)) {
            from.pop();
            probation.push(candidate);
        }
    }
    hits
}

/// Entries in the order of their last use.
#[derive(Default)]
struct ByUse {
    order: BTreeMap<u64, u32>,
    used: HashMap<u32, u64>,
    now: u64,
}

impl ByUse {
    fn len(&self) -> usize {
        self.used.len()
    }

    fn push(&mut self, document: u32) {
        self.now += 1;
        self.used.insert(document, self.now);
        self.order.insert(self.now, document);
    }

    fn remove(&mut self, document: u32) -> bool {
        let used = self.used.remove(&document);
        used.is_some_and(|used| self.order.remove(&used).is_some())
    }

    fn touch(&mut self, document: u32) -> bool {
        let is_here = self.remove(document);
        if is_here {
            self.push(document);
        }
        is_here
    }

    fn oldest(&self) -> Option<u32> {
        self.order.first_key_value().map(|(_, document)| *document)
    }

    fn pop(&mut self) -> Option<u32> {
        let (_, document) = self.order.pop_first()?;
        self.used.remove(&document);
        Some(document)
    }
}

/// How often each document was read, up to 15; exact, where W-TinyLFU estimates.
struct Counts {
    counts: HashMap<u32, u8>,
    reads: usize,
    period: usize,
}

impl Counts {
    fn new(room: usize) -> Self {
        Self { counts: HashMap::new(), reads: 0, period: 10 * room }
    }

    fn add(&mut self, document: u32) {
        let count = self.counts.entry(document).or_default();
        *count = (*count + 1).min(15);
        self.reads += 1;
        if self.reads == self.period {
            self.reads /= 2;
            self.counts.retain(|_, count| {
                *count /= 2;
                *count > 0
            });
        }
    }

    fn of(&self, document: u32) -> u8 {
        self.counts.get(&document).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::replacement::{least_recently_used, optimal};
    use crate::cache::trace::zipf;

    #[test]
    fn sieve_has_the_hits_worked_out_by_hand() {
        // 1 -, 2 -, 1 hit, 3 - (the hand spares 1 and drops 2), 1 hit, 2 - (the hand drops 3), 1 hit.
        assert_eq!(sieve(&[1, 2, 1, 3, 1, 2, 1], 2), 3);
    }

    #[test]
    fn each_has_fewer_hits_than_the_optimum_and_more_than_lru_on_what_they_are_made_for() {
        let trace = zipf(5_000, 0.9, 60_000, 3);
        let (lru, best) = (least_recently_used(&trace, 100), optimal(&trace, 100));
        for policy in [sieve, s3_fifo, w_tiny_lfu] {
            let hits = policy(&trace, 100);
            assert!(lru < hits && hits < best, "{lru} {hits} {best}");
        }
    }

    #[test]
    fn all_documents_have_room() {
        let trace: Vec<u32> = (0..50).chain(0..50).collect();
        for policy in [sieve, s3_fifo] {
            assert_eq!(policy(&trace, 50), 50);
        }
    }
}
