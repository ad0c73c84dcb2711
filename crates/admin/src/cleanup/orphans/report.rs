//! The result of a look for orphans: for each kind what was found, what went and what stays.

use compartment_core::DatabaseKind;
use serde::Serialize;

use super::OrphanKind;

/// Names that are shown of each kind.
const EXAMPLES: usize = 5;

/// The orphans of one database.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct OrphanReport {
    /// The database.
    pub database: String,
    /// Its kind, if it is in the map.
    pub kind: Option<DatabaseKind>,
    /// Whether orphans were removed.
    pub applied: bool,
    /// Keys that were looked at.
    pub seen: u64,
    /// What was found, by kind; kinds of which nothing was found are left out.
    pub found: Vec<OrphanGroup>,
    /// Remarks about the look as a whole, such as kinds that were not looked for.
    pub notes: Vec<String>,
    /// Reasons for a refusal of the whole database; empty if it was looked through.
    pub refusals: Vec<String>,
    /// Duration in seconds.
    pub seconds: f64,
}

impl OrphanReport {
    /// Whether the database, or orphans of some kind in it, were refused.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        !self.refusals.is_empty() || self.found.iter().any(|group| group.refusal.is_some())
    }

    /// Keys and entries that were removed.
    #[must_use]
    pub fn removed(&self) -> u64 {
        self.found.iter().map(|group| group.removed).sum()
    }
}

/// The orphans of one kind.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct OrphanGroup {
    /// The kind.
    pub kind: OrphanKind,
    /// Why they are orphans.
    pub why: &'static str,
    /// Orphaned keys.
    pub keys: u64,
    /// Orphaned entries of keys that stay: members of lists and sets, fields of hashes.
    pub entries: u64,
    /// Estimated bytes of the keys; `None` if the server does not tell.
    pub bytes: Option<u64>,
    /// Keys and entries that were removed.
    pub removed: u64,
    /// Orphans whose reason did not hold any more when they were to be removed.
    pub spared: u64,
    /// Keys that stay because they are younger than the minimum age.
    pub young: u64,
    /// Keys that stay because nothing tells their age.
    pub age_unknown: u64,
    /// Keys and entries that may be orphans, and that are only reported.
    pub unsure: u64,
    /// Why they are only reported, and other remarks.
    pub notes: Vec<String>,
    /// Why none of them may go.
    pub refusal: Option<String>,
    /// Names of some of them.
    pub examples: Vec<String>,
    #[serde(skip)]
    weighed: Weighed,
}

/// Keys that were measured.
#[derive(Clone, Copy, Debug, Default)]
struct Weighed {
    keys: u64,
    bytes: u64,
}

/// Keys of a kind that are measured; the others are taken to be alike.
pub(super) const WEIGHED: u64 = 256;

impl OrphanGroup {
    pub(super) fn new(kind: OrphanKind) -> Self {
        Self {
            kind,
            why: kind.why(),
            keys: 0,
            entries: 0,
            bytes: None,
            removed: 0,
            spared: 0,
            young: 0,
            age_unknown: 0,
            unsure: 0,
            notes: Vec::new(),
            refusal: None,
            examples: Vec::new(),
            weighed: Weighed::default(),
        }
    }

    /// Both groups of one kind as one.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.keys += other.keys;
        self.entries += other.entries;
        self.removed += other.removed;
        self.spared += other.spared;
        self.young += other.young;
        self.age_unknown += other.age_unknown;
        self.unsure += other.unsure;
        self.weighed.keys += other.weighed.keys;
        self.weighed.bytes += other.weighed.bytes;
        other.notes.into_iter().for_each(|note| self.note(note));
        self.refusal = self.refusal.or(other.refusal);
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES);
        self
    }

    /// Whether there is something to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.keys + self.entries + self.young + self.age_unknown + self.unsure == 0
            && (self.refusal.is_none() || self.kind != OrphanKind::UnknownDocuments)
    }

    pub(super) fn example(&mut self, name: &[u8]) {
        self.shown(&crate::escape(name));
    }

    /// As [`OrphanGroup::example`], with a name that is escaped already.
    pub(super) fn shown(&mut self, name: &str) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(name.to_owned());
        }
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Whether more keys are to be measured.
    pub(super) fn wants_weights(&self) -> bool {
        self.weighed.keys < WEIGHED
    }

    pub(super) fn weighed(&mut self, bytes: u64) {
        self.weighed.keys += 1;
        self.weighed.bytes += bytes;
    }

    /// The bytes of all keys, by the mean of those that were measured.
    pub(super) fn estimate(&mut self) {
        let Weighed { keys, bytes } = self.weighed;
        self.bytes = match (self.keys, keys) {
            (0, _) => Some(0),
            (_, 0) => None,
            (all, keys) => {
                let scaled = u128::from(bytes) * u128::from(all) / u128::from(keys);
                Some(u64::try_from(scaled).unwrap_or(u64::MAX))
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_estimated_from_the_keys_that_were_measured() {
        let mut group = OrphanGroup::new(OrphanKind::UnreadReplies);
        assert!(group.is_empty());
        group.estimate();
        assert_eq!(group.bytes, Some(0));
        group.keys = 1_000;
        group.estimate();
        assert_eq!(group.bytes, None, "the server does not tell");
        group.weighed(100);
        group.weighed(300);
        group.estimate();
        assert_eq!(group.bytes, Some(200_000));
        assert!(!group.is_empty());
    }
}
