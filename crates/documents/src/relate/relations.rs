//! The relationships found so far, each with its evidence, its number of places and its detail.

use std::collections::{BTreeMap, HashMap};

use crate::model::{Evidence, Relationship, RelationshipKind};
use crate::resolve::DocumentEntities;

/// A kind of relationship between two entities.
pub(super) type Pair = (RelationshipKind, usize, usize);

/// Relationships with their first evidence and the number of their places.
#[derive(Default)]
pub(super) struct Relations {
    found: BTreeMap<Pair, (Evidence, usize)>,
    /// The role in the first place that names one, or what tells most of a cited authority.
    details: HashMap<Pair, String>,
}

impl Relations {
    pub(super) fn add(
        &mut self,
        kind: RelationshipKind,
        from: usize,
        to: usize,
        span: (usize, usize),
    ) {
        let evidence = Evidence { start: span.0, end: span.1 };
        let entry = self.found.entry((kind, from, to)).or_insert((evidence, 0));
        entry.0 = entry.0.min(evidence);
        entry.1 += 1;
    }

    /// Notes a detail: the first one, or one that tells more.
    pub(super) fn detail(&mut self, pair: Pair, detail: &str) {
        let known = self.details.entry(pair).or_insert_with(|| detail.to_owned());
        if tells_more(pair.0, detail, known) {
            detail.clone_into(known);
        }
    }

    pub(super) fn finish(self, document: &DocumentEntities) -> Vec<Relationship> {
        self.found
            .into_iter()
            .map(|((kind, from, to), (evidence, count))| Relationship {
                kind,
                detail: self.details.get(&(kind, from, to)).cloned(),
                from: document.entities[from].id.clone(),
                to: document.entities[to].id.clone(),
                document: document.document.clone(),
                evidence,
                weight: count as f64,
            })
            .collect()
    }
}

/// Whether a detail is noted in place of the known one.
fn tells_more(kind: RelationshipKind, detail: &str, known: &str) -> bool {
    kind == RelationshipKind::Cites && weight_of(detail) > weight_of(known)
}

/// How much a detail of a cited authority tells: a treatment more than a signal, one against more than one for it.
fn weight_of(detail: &str) -> u8 {
    match detail {
        "see" | "see also" | "see generally" | "e.g." | "see, e.g." | "see also, e.g." => 0,
        "accord" | "cf." | "cf., e.g." | "compare" | "compare with" => 1,
        "contra" => 2,
        signal if signal.starts_with("but ") => 2,
        _ => 3,
    }
}
