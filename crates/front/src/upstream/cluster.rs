//! The slots of a cluster and its masters, as one thread knows them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use compartment_redis::SLOTS;
use tokio::sync::watch;

use crate::session::outbox::{End, Outbox};

/// The number of no server: for a slot that no known node serves.
pub(crate) const NOWHERE: usize = usize::MAX;

/// A cluster. Its nodes have numbers as servers have.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The number of its instance.
    pub(super) instance: usize,
    /// The master of each slot.
    slots: RefCell<Vec<usize>>,
    /// The nodes that were named, by their addresses.
    pub(super) nodes: RefCell<BTreeMap<String, usize>>,
    is_read: Cell<bool>,
    /// The masters when the slots were read last. A node that took its first slot since may be among the slots already.
    known: RefCell<Vec<usize>>,
    /// Whether its slots are being read, and are to be read once more after that.
    pub(super) is_reading: Cell<bool>,
    pub(super) reads_again: Cell<bool>,
    /// How often they were read, or could not be.
    pub(super) reads: watch::Sender<u64>,
    /// Programs that have to know of every master.
    listeners: RefCell<Vec<Weak<Outbox>>>,
}

impl Cluster {
    pub(super) fn new(instance: usize) -> Self {
        Self {
            instance,
            slots: RefCell::new(vec![NOWHERE; usize::from(SLOTS)]),
            nodes: RefCell::default(),
            is_read: Cell::new(false),
            known: RefCell::default(),
            is_reading: Cell::new(false),
            reads_again: Cell::new(false),
            reads: watch::Sender::new(0),
            listeners: RefCell::default(),
        }
    }

    /// Whether it has said which slots are where.
    pub(crate) fn is_read(&self) -> bool {
        self.is_read.get()
    }

    /// The number of the master of a slot.
    pub(super) fn master(&self, slot: u16) -> usize {
        self.slots.borrow().get(usize::from(slot)).copied().unwrap_or(NOWHERE)
    }

    /// The masters, each with its first slot, in the order of these.
    pub(super) fn masters(&self) -> Vec<(usize, u16)> {
        let mut masters: Vec<(usize, u16)> = Vec::new();
        for (slot, master) in (0..SLOTS).zip(self.slots.borrow().iter()) {
            let is_known = masters.last().is_some_and(|(last, _)| last == master)
                || masters.iter().any(|(known, _)| known == master);
            if *master != NOWHERE && !is_known {
                masters.push((*master, slot));
            }
        }
        masters
    }

    /// A slot is at this node now.
    pub(super) fn set_master(&self, slot: u16, node: usize) {
        if let Some(place) = self.slots.borrow_mut().get_mut(usize::from(slot)) {
            *place = node;
        }
    }

    /// Takes on which slots are where; whether anything is otherwise than before.
    pub(super) fn set(&self, slots: Vec<usize>) -> bool {
        self.is_read.set(true);
        let is_changed = *self.slots.borrow() != slots;
        *self.slots.borrow_mut() = slots;
        let masters = self.masters().into_iter().map(|(node, _)| node).collect();
        let before = self.known.replace(masters);
        let is_new = |node: &usize| !before.contains(node);
        if !before.is_empty() && self.known.borrow().iter().any(is_new) {
            // They come back and listen to the new master too.
            for listener in std::mem::take(&mut *self.listeners.borrow_mut()) {
                if let Some(outbox) = listener.upgrade() {
                    outbox.end(End::AtOnce);
                }
            }
        }
        is_changed
    }

    /// Ends the connection of a program when there is another master, so that it begins its subscriptions anew.
    pub(crate) fn add_listener(&self, outbox: &Rc<Outbox>) {
        let mut listeners = self.listeners.borrow_mut();
        listeners.retain(|known| known.strong_count() > 0);
        if !listeners.iter().any(|known| known.as_ptr() == Rc::as_ptr(outbox)) {
            listeners.push(Rc::downgrade(outbox));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masters_come_in_the_order_of_their_slots() {
        let cluster = Cluster::new(0);
        assert_eq!(cluster.masters(), []);
        let mut slots = vec![7; usize::from(SLOTS)];
        slots[0] = NOWHERE;
        slots[5] = 3;
        assert!(cluster.set(slots.clone()));
        assert!(!cluster.set(slots));
        assert_eq!(cluster.masters(), [(7, 1), (3, 5)]);
        cluster.set_master(0, 3);
        assert_eq!((cluster.master(0), cluster.master(SLOTS)), (3, NOWHERE));
    }

    #[test]
    fn who_listens_to_every_master_is_ended_when_there_is_another_one() {
        let cluster = Cluster::new(0);
        let outbox = Rc::new(Outbox::default());
        cluster.set(vec![1; usize::from(SLOTS)]);
        cluster.add_listener(&outbox);
        cluster.set(vec![1; usize::from(SLOTS)]);
        assert_eq!(outbox.ending(), None);
        // A redirection has named the new node before the slots are read.
        let mut slots = vec![1; usize::from(SLOTS)];
        slots[7] = 2;
        cluster.set_master(7, 2);
        assert_eq!(outbox.ending(), None);
        cluster.set(slots);
        assert_eq!(outbox.ending(), Some(End::AtOnce));
    }
}
