//! Counts of a mirror's work.

use serde::Serialize;

/// The numbers of documents, entries and rows that a mirror wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Mirrored {
    /// Documents whose entries were copied.
    pub documents: u64,
    /// Entries of outboxes that were written and cleared.
    pub entries: u64,
    /// Rows created or changed.
    pub rows: u64,
    /// Entries that could not be read and were set aside.
    pub unreadable: u64,
}

impl Mirrored {
    /// Whether there was nothing to write.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn add(&mut self, other: Self) {
        self.documents += other.documents;
        self.entries += other.entries;
        self.rows += other.rows;
        self.unreadable += other.unreadable;
    }
}
