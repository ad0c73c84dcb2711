//! Resolves mentions to entities, within a document and across documents; deterministic in any order.

mod across;
mod alike;
mod authorities;
mod back;
mod cases;
mod decisions;
mod names;
mod own_case;
mod pins;
mod reason;
mod within;

pub use across::{Resolution, resolve_across, resolve_across_with};
pub use decisions::{Decision, Decisions, DecisionsError, Ruling};
pub use reason::{Reason, reason, reason_of};
pub use within::{own_id, resolve, resolve_with};

use std::collections::{BTreeSet, HashMap};

use crate::model::{CanonicalEntity, EntityKind, Mention};

/// A document's mentions and their entities.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct DocumentEntities {
    /// The document's id, as given to [`resolve`].
    pub document: String,
    /// The mentions in text order.
    pub mentions: Vec<Mention>,
    /// Their entities, by kind and name.
    pub entities: Vec<CanonicalEntity>,
    /// For each mention, the index of its entity; `None` if it is unresolved.
    pub links: Vec<Option<usize>>,
    /// For each entity, the key by which it is joined within and across documents.
    pub keys: Vec<String>,
    /// The case this document belongs to, as an index into `entities`.
    pub case: Option<usize>,
}

/// The id of an entity: a 128-bit FNV-1a hash of kind and key, so that it is equal everywhere without a
/// registry (Fowler, Noll, Vo; constants from the FNV specification, draft-eastlake-fnv).
pub(crate) fn entity_id(kind: EntityKind, key: &str) -> String {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let name = kind_name(kind);
    let bytes = name.bytes().chain(std::iter::once(0)).chain(key.bytes());
    let hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    format!("{name}-{hash:032x}")
}

/// The kind's name in ids. It is part of every stored id, so it must not change.
fn kind_name(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Citation => "citation",
        EntityKind::Court => "court",
        EntityKind::Party => "party",
        EntityKind::Judge => "judge",
        EntityKind::Lawyer => "lawyer",
        EntityKind::DocketNumber => "docket",
        EntityKind::Date => "date",
        EntityKind::Money => "money",
        EntityKind::Case => "case",
        // No entity is of this kind.
        EntityKind::Term => "term",
    }
}

/// Disjoint sets with union by index: the smaller index becomes the root, so the result does not depend on
/// the order of unions.
#[derive(Debug)]
pub(crate) struct Groups {
    parent: Vec<usize>,
    /// For the root of a group, the roots of the groups that are kept apart from it.
    apart: HashMap<usize, BTreeSet<usize>>,
}

impl Groups {
    pub(crate) fn new(size: usize) -> Self {
        Self { parent: (0..size).collect(), apart: HashMap::new() }
    }

    pub(crate) fn root(&mut self, mut at: usize) -> usize {
        while self.parent[at] != at {
            self.parent[at] = self.parent[self.parent[at]];
            at = self.parent[at];
        }
        at
    }

    /// Joins two groups, unless they are kept apart.
    pub(crate) fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        let (low, high) = (a.min(b), a.max(b));
        if low == high || self.apart.get(&low).is_some_and(|apart| apart.contains(&high)) {
            return;
        }
        self.parent[high] = low;
        for other in self.apart.remove(&high).unwrap_or_default() {
            let apart = self.apart.entry(other).or_default();
            apart.remove(&high);
            apart.insert(low);
            self.apart.entry(low).or_default().insert(other);
        }
    }

    /// Keeps two groups apart from now on; does nothing if they are one already.
    pub(crate) fn keep_apart(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if a != b {
            self.apart.entry(a).or_default().insert(b);
            self.apart.entry(b).or_default().insert(a);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_pinned() {
        // Stored ids depend on this hash, so it must not change.
        assert_eq!(entity_id(EntityKind::Court, "scotus"), entity_id(EntityKind::Court, "scotus"));
        assert_ne!(entity_id(EntityKind::Court, "x"), entity_id(EntityKind::Party, "x"));
        assert_eq!(entity_id(EntityKind::Case, "").len(), "case-".len() + 32);
    }

    #[test]
    fn groups_that_are_kept_apart_stay_so() {
        let mut groups = Groups::new(5);
        groups.keep_apart(0, 3);
        groups.join(0, 1);
        groups.join(3, 4);
        groups.join(1, 4);
        assert_ne!(groups.root(0), groups.root(3));
        groups.join(2, 4);
        groups.join(2, 0);
        assert_ne!(groups.root(0), groups.root(2));
        assert_eq!(groups.root(2), groups.root(3));
    }

    #[test]
    fn groups_do_not_depend_on_order() {
        let mut one = Groups::new(4);
        one.join(0, 1);
        one.join(2, 1);
        let mut two = Groups::new(4);
        two.join(1, 2);
        two.join(1, 0);
        for at in 0..4 {
            assert_eq!(one.root(at), two.root(at));
        }
    }
}
