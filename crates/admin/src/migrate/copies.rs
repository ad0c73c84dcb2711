//! The copies in the targets, with marks: only copies may be overwritten or removed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Item;
use super::journal::Outcomes;
use super::mark::{Copied, Mark};

/// The copies of one migration, shared by its lanes and written into its journal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Copies(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    known: HashMap<Vec<u8>, Copied>,
    /// Keys with another value in their target, and their rules.
    conflicts: BTreeMap<Vec<u8>, usize>,
    /// Keys that had been copied and stay in the source since, by choice.
    staying: BTreeSet<Vec<u8>>,
    journal: Option<Outcomes>,
}

impl Copies {
    /// The copies listed in a journal.
    pub(crate) fn known(known: HashMap<Vec<u8>, Copied>) -> Self {
        Self(Arc::new(Mutex::new(State { known, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts writing copies to the journal.
    pub(crate) fn write_to(&self, journal: Outcomes) {
        self.state().journal = Some(journal);
    }

    /// The mark of each key from when it was copied; `None` for a key that is not a copy.
    pub(crate) fn marks(&self, items: &[Item]) -> Vec<Option<Mark>> {
        let state = self.state();
        items
            .iter()
            .map(|item| state.known.get(&item.name).and_then(|one| one.mark.clone()))
            .collect()
    }

    /// Records whether a key that had been copied stays in the source now.
    pub(crate) fn note_staying(&self, item: &Item, stays: bool) {
        let mut state = self.state();
        match stays {
            true => drop(state.staying.insert(item.name.clone())),
            false => drop(state.staying.remove(&item.name)),
        }
    }

    /// Number of keys that had been copied and stay in the source since.
    pub(crate) fn staying(&self) -> u64 {
        self.state().staying.len() as u64
    }

    /// All copies of keys that the source still had.
    pub(crate) fn all(&self) -> Vec<Item> {
        let state = self.state();
        state.known.values().filter(|one| one.mark.is_some()).map(|one| one.item.clone()).collect()
    }

    /// Records the current marks of these keys.
    pub(crate) fn note(&self, copied: Vec<Copied>) {
        if copied.is_empty() {
            return;
        }
        let mut state = self.state();
        for one in &copied {
            state.known.insert(one.item.name.clone(), one.clone());
        }
        if let Some(journal) = &state.journal {
            journal.copied(copied);
        }
    }

    /// Records whether the key has another value in its target.
    pub(crate) fn note_conflict(&self, item: &Item, is_one: bool) {
        let mut state = self.state();
        if is_one {
            state.conflicts.insert(item.name.clone(), item.rule);
        } else if !state.conflicts.is_empty() {
            state.conflicts.remove(&item.name);
        }
    }

    /// Closes the journal; returns the keys with another value in their target.
    pub(crate) fn end(&self) -> Vec<Item> {
        let mut state = self.state();
        state.journal = None;
        let left = std::mem::take(&mut state.conflicts).into_iter();
        left.map(|(name, rule)| Item { name, rule }).collect()
    }
}
