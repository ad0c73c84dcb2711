//! The outbox of a batch in memory: facts in order, until they are cleared.

use std::collections::BTreeMap;

use compartment_core::{OutboxEntry, OutboxFact};

/// The bytes counted for a fact besides its text and ordinals.
const FACT_OVERHEAD: u64 = 96;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    kept: BTreeMap<u64, OutboxFact>,
    last: u64,
    bytes: u64,
}

/// An id as text that sorts by number.
pub(super) fn name(number: u64) -> String {
    format!("{number:020}")
}

/// The number of an id; `None` for an invalid id.
pub(super) fn number(id: &str) -> Option<u64> {
    id.bytes().all(|b| b.is_ascii_digit()).then(|| id.parse().ok()).flatten()
}

fn weight(fact: &OutboxFact) -> u64 {
    let (ordinals, text) = match fact {
        OutboxFact::Settled { refused, note, .. } => (refused.len(), note.len()),
        OutboxFact::Lost { ordinals, error, .. } => (ordinals.len(), error.len()),
        OutboxFact::Retried { ordinals, .. } => (ordinals.len(), 0),
        _ => (0, 0),
    };
    FACT_OVERHEAD + 4 * ordinals as u64 + text as u64
}

impl Outbox {
    /// An empty outbox, with ids above those of any earlier batch of the name.
    pub(super) fn numbered_from(last: u64) -> Self {
        Self { last, ..Self::default() }
    }

    pub(super) fn keep(&mut self, fact: OutboxFact) {
        self.last += 1;
        self.bytes += weight(&fact);
        self.kept.insert(self.last, fact);
    }

    pub(crate) fn oldest(&self, max: usize) -> Vec<OutboxEntry> {
        let entry = |(id, fact): (&u64, &OutboxFact)| OutboxEntry::new(name(*id), fact.clone());
        self.kept.iter().take(max).map(entry).collect()
    }

    /// Removes entries; returns how many there were.
    pub(crate) fn clear(&mut self, ids: &[String]) -> u64 {
        let mut cleared = 0;
        for fact in ids.iter().filter_map(|id| self.kept.remove(&number(id)?)) {
            self.bytes -= weight(&fact);
            cleared += 1;
        }
        cleared
    }

    pub(crate) fn len(&self) -> u64 {
        self.kept.len() as u64
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_an_outbox_are_those_of_what_it_keeps() {
        let mut outbox = Outbox::default();
        outbox.keep(OutboxFact::Retried { stage: 0, ordinals: vec![1, 2] });
        outbox.keep(OutboxFact::Lost { stage: 0, ordinals: vec![3], error: "gone".into() });
        assert_eq!(outbox.bytes(), 2 * FACT_OVERHEAD + 3 * 4 + 4);
        let ids: Vec<String> = outbox.oldest(5).into_iter().map(|entry| entry.id).collect();
        assert!(ids[0] < ids[1]);
        assert_eq!(outbox.clear(&[ids[0].clone(), ids[0].clone(), "x".into()]), 1);
        assert_eq!(outbox.clear(&ids), 1);
        assert_eq!((outbox.bytes(), outbox.len()), (0, 0));
    }
}
