//! The slots of a shard's entries, linked as two queues.

use std::sync::atomic::AtomicU8;

use crate::first::name::Name;

/// A value that knows its weight.
pub(crate) trait Weighed {
    fn weight(&self) -> u64;
}

/// The index of a slot.
pub(crate) type Place = u32;
/// The end of a queue.
pub(crate) const NONE: Place = Place::MAX;

/// Entries at their places, each in one of two queues.
#[derive(Debug)]
pub(crate) struct Slots<V> {
    slots: Vec<Slot<V>>,
    /// The first of the empty slots, which are linked by `newer`.
    empty: Place,
    pub(crate) probation: Queue,
    pub(crate) main: Queue,
}

/// An entry in its queue. A read needs two cache lines, which processors fetch as a pair.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Slot<V> {
    pub(crate) name: Name,
    /// `None` in an empty slot.
    pub(crate) entry: Option<V>,
    /// The neighbours in the queue.
    older: Place,
    newer: Place,
    pub(crate) is_main: bool,
    /// Reads that count.
    pub(crate) reads: AtomicU8,
}

/// Entries in the order in which they came.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) oldest: Place,
    newest: Place,
    pub(crate) weight: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self { oldest: NONE, newest: NONE, weight: 0 }
    }
}

impl<V> Default for Slots<V> {
    fn default() -> Self {
        let (probation, main) = (Queue::default(), Queue::default());
        Self { slots: Vec::new(), empty: NONE, probation, main }
    }
}

impl<V: Weighed> Slots<V> {
    pub(crate) fn at(&self, place: Place) -> Option<&Slot<V>> {
        self.slots.get(place as usize)
    }

    pub(crate) fn at_mut(&mut self, place: Place) -> Option<&mut Slot<V>> {
        self.slots.get_mut(place as usize)
    }

    /// The slots that have an entry.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot<V>> {
        self.slots.iter().filter(|slot| slot.entry.is_some())
    }

    pub(crate) fn weight(&self) -> u64 {
        self.probation.weight + self.main.weight
    }

    /// Puts an entry into a slot, at the end of a queue.
    pub(crate) fn add(&mut self, name: Name, entry: V, is_main: bool) -> Place {
        let entry = Some(entry);
        let reads = AtomicU8::new(0);
        let slot = Slot { name, entry, older: NONE, newer: NONE, is_main, reads };
        let place = match self.slots.get_mut(self.empty as usize) {
            Some(empty) => {
                let next = empty.newer;
                *empty = slot;
                std::mem::replace(&mut self.empty, next)
            }
            None => {
                self.slots.push(slot);
                // A slot takes 128 bytes: there are fewer than 2³².
                (self.slots.len() - 1) as Place
            }
        };
        self.link(place, is_main);
        place
    }

    /// Replaces the entry of a slot; returns the old one.
    pub(crate) fn replace(&mut self, place: Place, entry: V) -> Option<V> {
        let slot = self.slots.get_mut(place as usize)?;
        let weight = entry.weight();
        let is_main = slot.is_main;
        let old = slot.entry.replace(entry);
        let queue = self.queue(is_main);
        queue.weight += weight;
        queue.weight -= old.as_ref().map_or(0, Weighed::weight).min(queue.weight);
        old
    }

    /// Takes an entry out of its slot and its queue.
    pub(crate) fn take(&mut self, place: Place) -> Option<V> {
        self.unlink(place);
        let empty = self.empty;
        let slot = self.at_mut(place)?;
        slot.newer = empty;
        let entry = slot.entry.take();
        self.empty = place;
        entry
    }

    /// Moves an entry to the end of the main queue.
    pub(crate) fn move_to_main(&mut self, place: Place) {
        self.unlink(place);
        self.link(place, true);
    }

    fn link(&mut self, place: Place, is_main: bool) {
        let newest = self.queue(is_main).newest;
        let Some(slot) = self.at_mut(place) else { return };
        (slot.is_main, slot.older, slot.newer) = (is_main, newest, NONE);
        let weight = slot.entry.as_ref().map_or(0, Weighed::weight);
        match self.at_mut(newest) {
            Some(before) => before.newer = place,
            None => self.queue(is_main).oldest = place,
        }
        let queue = self.queue(is_main);
        queue.newest = place;
        queue.weight += weight;
    }

    fn unlink(&mut self, place: Place) {
        let Some(slot) = self.at(place) else { return };
        let (older, newer, is_main) = (slot.older, slot.newer, slot.is_main);
        let weight = slot.entry.as_ref().map_or(0, Weighed::weight);
        match self.at_mut(older) {
            Some(before) => before.newer = newer,
            None => self.queue(is_main).oldest = newer,
        }
        match self.at_mut(newer) {
            Some(after) => after.older = older,
            None => self.queue(is_main).newest = older,
        }
        let queue = self.queue(is_main);
        queue.weight = queue.weight.saturating_sub(weight);
    }

    fn queue(&mut self, is_main: bool) -> &mut Queue {
        if is_main { &mut self.main } else { &mut self.probation }
    }
}
