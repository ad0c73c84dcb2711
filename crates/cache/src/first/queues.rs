//! Which entries of a shard stay, and which leave when there is no room.
//!
//! New entries wait on probation, in a queue with a small share of the room. One that is read there moves on to the
//! main queue; the others leave, and are remembered by their hash for a while. An entry that returns while it is
//! remembered goes to the main queue at once. The main queue gives an entry another round for each read since the
//! last (S3-FIFO: Yang, Zhang, Qiu, Yue, Vinayak, SOSP 2023). A read only counts up to [`MAX_READS`], so that readers
//! share the lock and rarely write.

use std::sync::atomic::Ordering;

use hashbrown::HashTable;

use crate::first::left::Left;
use crate::first::name::Wanted;
use crate::first::slots::{NONE, Place, Slots, Weighed};

/// The share of the room in which entries are on probation, in percent. On traces by Zipf's law less is better, on
/// traces of documents that are read for a while after they were written more is.
const PROBATION: u64 = 3;
/// The number of reads of an entry that count.
const MAX_READS: u8 = 7;
/// Entries of the main queue that get another round before the least read of them leaves after all: an insertion must
/// not hold the lock for a whole round.
const MAX_ROUNDS: usize = 64;

/// The entries of one shard.
#[derive(Debug)]
pub(crate) struct Queues<V> {
    places: HashTable<Place>,
    slots: Slots<V>,
    left: Left,
    max_weight: u64,
}

impl<V: Weighed> Queues<V> {
    /// Room for entries of this weight in all.
    pub(crate) fn new(max_weight: u64) -> Self {
        Self {
            places: HashTable::new(),
            slots: Slots::default(),
            left: Left::default(),
            max_weight,
        }
    }

    /// The entry, in place. Counts the read.
    pub(crate) fn get(&self, wanted: Wanted<'_>) -> Option<&V> {
        let slot = self.slots.at(self.place(wanted)?)?;
        let reads = slot.reads.load(Ordering::Relaxed);
        if reads < MAX_READS {
            // Of two threads that count at the same time one may be lost.
            slot.reads.store(reads + 1, Ordering::Relaxed);
        }
        slot.entry.as_ref()
    }

    /// Inserts or replaces an entry. Adds the entry that it replaces to `gone`, and those that leave to make room:
    /// their number is returned. An entry that is larger than the room leaves at once.
    pub(crate) fn insert(&mut self, wanted: Wanted<'_>, entry: V, gone: &mut Vec<V>) -> u64 {
        let weight = entry.weight();
        let replaced = self.place(wanted);
        if weight > self.max_weight {
            gone.extend(replaced.and_then(|place| self.take(place)));
            gone.push(entry);
            return 1;
        }
        if let Some(place) = replaced {
            gone.extend(self.slots.replace(place, entry));
            return self.make_room(0, gone);
        }
        let is_full = self.weight() + weight > self.max_weight;
        let evicted = self.make_room(weight, gone);
        // While there is room, probation needs no more than its share either: the rest would leave in order.
        let goes_on = self.left.returns(wanted.hash())
            || (!is_full && self.slots.probation.weight + weight > self.probation_weight());
        let place = self.slots.add(wanted.name(), entry, goes_on);
        let slots = &self.slots;
        let hash_of = |place: &Place| slots.at(*place).map_or(0, |slot| slot.name.hash());
        self.places.insert_unique(wanted.hash(), place, hash_of);
        evicted
    }

    pub(crate) fn remove(&mut self, wanted: Wanted<'_>) -> Option<V> {
        self.place(wanted).and_then(|place| self.take(place))
    }

    /// Empties it; returns what was in it.
    pub(crate) fn clear(&mut self) -> Self {
        let empty = Self::new(self.max_weight);
        std::mem::replace(self, empty)
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn weight(&self) -> u64 {
        self.slots.weight()
    }

    fn probation_weight(&self) -> u64 {
        self.max_weight / 100 * PROBATION
    }

    /// Lets entries leave until there is room for `weight` more; returns how many.
    fn make_room(&mut self, weight: u64, gone: &mut Vec<V>) -> u64 {
        let mut evicted = 0;
        while self.weight() + weight > self.max_weight && self.len() > 0 {
            let is_due = self.slots.probation.weight > self.probation_weight();
            let leaving = if is_due || self.slots.main.oldest == NONE {
                self.unread_of_probation()
            } else {
                self.least_read_of_main()
            };
            if let Some(entry) = leaving {
                gone.push(entry);
                evicted += 1;
            }
        }
        evicted
    }

    /// Moves the entries on that were read, and takes out the first that was not. `None` if probation has no more than
    /// its share before that.
    fn unread_of_probation(&mut self) -> Option<V> {
        loop {
            let place = self.slots.probation.oldest;
            let slot = self.slots.at_mut(place)?;
            let hash = slot.name.hash();
            if std::mem::take(slot.reads.get_mut()) == 0 {
                let entries = self.len();
                self.left.add(hash, entries);
                return self.take(place);
            }
            self.slots.move_to_main(place);
            if self.slots.probation.weight <= self.probation_weight() {
                return None;
            }
        }
    }

    /// Takes out the oldest entry that was not read since its last round, or the least read of the first few.
    fn least_read_of_main(&mut self) -> Option<V> {
        let mut least: Option<(u8, Place)> = None;
        for _ in 0..MAX_ROUNDS {
            let place = self.slots.main.oldest;
            let slot = self.slots.at_mut(place)?;
            let reads = slot.reads.get_mut();
            if *reads == 0 {
                return self.take(place);
            }
            *reads -= 1;
            if least.is_none_or(|(fewest, _)| *reads < fewest) {
                least = Some((*reads, place));
            }
            self.slots.move_to_main(place);
        }
        least.and_then(|(_, place)| self.take(place))
    }

    fn place(&self, wanted: Wanted<'_>) -> Option<Place> {
        let is_it = |place: &Place| self.slots.at(*place).is_some_and(|slot| wanted.is(&slot.name));
        self.places.find(wanted.hash(), is_it).copied()
    }

    /// Takes an entry out of its slot and the table.
    fn take(&mut self, place: Place) -> Option<V> {
        let hash = self.slots.at(place)?.name.hash();
        if let Ok(found) = self.places.find_entry(hash, |other| *other == place) {
            found.remove();
        }
        self.slots.take(place)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use proptest::prelude::*;

    use super::*;

    impl Weighed for usize {
        fn weight(&self) -> u64 {
            1
        }
    }

    /// An entry with its weight.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Heavy(u64, u64);

    impl Weighed for Heavy {
        fn weight(&self) -> u64 {
            self.1
        }
    }

    /// Finite, and as mixed as hashes are.
    fn wanted(text: &str) -> Wanted<'_> {
        let hash = text.bytes().fold(7_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
        });
        Wanted::new(hash, text)
    }

    fn read(queues: &mut Queues<usize>, number: usize) -> bool {
        let name = number.to_string();
        let is_hit = queues.get(wanted(&name)).is_some();
        if !is_hit {
            queues.insert(wanted(&name), number, &mut Vec::new());
        }
        is_hit
    }

    #[test]
    fn what_is_read_again_outlives_a_scan() {
        let mut queues = Queues::new(100);
        for _ in 0..3 {
            (0..50).for_each(|number| _ = read(&mut queues, number));
        }
        (1_000..9_000).for_each(|number| _ = read(&mut queues, number));
        let kept = (0..50).filter(|number| read(&mut queues, *number)).count();
        assert_eq!(kept, 50);
    }

    #[test]
    fn a_loop_larger_than_the_room_has_hits() {
        let mut queues = Queues::new(100);
        let hits = (0..20).flat_map(|_| 0..300).filter(|number| read(&mut queues, *number)).count();
        assert!(hits > 19 * 80, "{hits}");
    }

    #[test]
    fn one_that_returns_soon_is_kept() {
        let mut queues = Queues::new(100);
        (0..200).for_each(|number| _ = read(&mut queues, number));
        // It has left probation unread, and returns.
        let gone = (0..200).rev().find(|number| queues.get(wanted(&number.to_string())).is_none());
        let gone = gone.unwrap();
        assert!(!read(&mut queues, gone));
        (1_000..1_050).for_each(|number| _ = read(&mut queues, number));
        assert!(read(&mut queues, gone));
    }

    #[test]
    fn an_insertion_does_not_walk_a_whole_queue() {
        let mut queues = Queues::new(10_000);
        for _ in 0..20 {
            (0..10_000).for_each(|number| _ = read(&mut queues, number));
        }
        let reads = |queues: &Queues<usize>| -> u64 {
            queues.slots.iter().map(|slot| u64::from(slot.reads.load(Ordering::Relaxed))).sum()
        };
        let before = reads(&queues);
        (10_000..10_400).for_each(|number| _ = read(&mut queues, number));
        let used = before - reads(&queues);
        // Each of those that left took its own reads with it.
        assert!(used <= 400 * (MAX_ROUNDS as u64 + u64::from(MAX_READS)), "{used}");
    }

    proptest! {
        #[test]
        fn they_agree_with_a_map_of_what_has_not_left(
            acts in prop::collection::vec((0_u8..4, 0_u64..40, 0_u64..60), 1..400),
        ) {
            let mut queues = Queues::new(100);
            let mut held: HashMap<u64, Heavy> = HashMap::new();
            let mut stamp = 0;
            for (act, key, weight) in acts {
                let text = key.to_string();
                let key_wanted = wanted(&text);
                match act {
                    0 => prop_assert_eq!(queues.get(key_wanted), held.get(&key)),
                    1 => prop_assert_eq!(queues.remove(key_wanted), held.remove(&key)),
                    _ => {
                        stamp += 1;
                        // One in a while is larger than the room.
                        let entry = Heavy(stamp, if weight == 59 { 101 } else { weight });
                        let mut gone = Vec::new();
                        queues.insert(key_wanted, entry, &mut gone);
                        held.insert(key, entry);
                        let gone: BTreeSet<u64> = gone.iter().map(|entry| entry.0).collect();
                        held.retain(|_, entry| !gone.contains(&entry.0));
                    }
                }
                prop_assert!(queues.weight() <= 100);
                prop_assert_eq!(queues.weight(), held.values().map(|entry| entry.1).sum::<u64>());
                prop_assert_eq!(queues.len(), held.len());
                prop_assert_eq!(queues.slots.iter().count(), held.len());
            }
        }
    }
}
