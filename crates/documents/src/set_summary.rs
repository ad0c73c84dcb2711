//! The counts of a set of documents.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::model::{EntityKind, Relationship, RelationshipKind};
use crate::resolve::{Decisions, DocumentEntities, Resolution, resolve_across_with};

/// Number of entities kept that are named in the most documents.
const FOREMOST: usize = 10;

/// The summary of a set of documents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SetSummary {
    /// Number of entities over all documents, by kind.
    pub entities: BTreeMap<EntityKind, u64>,
    /// Number of relationships over all documents, by kind.
    pub relationships: BTreeMap<RelationshipKind, u64>,
    /// The entities named in the most documents.
    pub foremost: Vec<Foremost>,
}

/// Resolves across documents and counts. Blocks; this takes long for many documents.
pub(crate) fn summarize(
    entities: &[DocumentEntities],
    mut relationships: Vec<Vec<Relationship>>,
    decisions: &Decisions,
) -> SetSummary {
    let resolution = resolve_across_with(entities, decisions);
    for relationships in &mut relationships {
        resolution.rename(relationships);
    }
    SetSummary::of(&resolution, &relationships)
}

/// An entity named in the most documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Foremost {
    /// The kind of entity.
    pub kind: EntityKind,
    /// Its fullest name.
    pub name: String,
    /// Number of documents that name it.
    pub documents: u64,
    /// Number of mentions.
    pub mentions: u64,
}

impl SetSummary {
    pub(crate) fn of(resolution: &Resolution, relationships: &[Vec<Relationship>]) -> Self {
        let mut summary = Self { foremost: foremost(resolution), ..Self::default() };
        for entity in &resolution.entities {
            *summary.entities.entry(entity.kind).or_default() += 1;
        }
        // A relationship between two entities counts once, even if many documents show it.
        let mut seen: HashSet<(RelationshipKind, &str, &str)> = HashSet::new();
        for relationship in relationships.iter().flatten() {
            if seen.insert((relationship.kind, &relationship.from, &relationship.to)) {
                *summary.relationships.entry(relationship.kind).or_default() += 1;
            }
        }
        summary
    }
}

/// The people, companies and courts named in the most documents.
fn foremost(resolution: &Resolution) -> Vec<Foremost> {
    let mut documents: HashMap<usize, u64> = HashMap::new();
    for links in &resolution.links {
        let distinct: HashSet<usize> = links.iter().copied().collect();
        for entity in distinct {
            *documents.entry(entity).or_default() += 1;
        }
    }
    let told = |kind: EntityKind| {
        matches!(
            kind,
            EntityKind::Party | EntityKind::Judge | EntityKind::Lawyer | EntityKind::Court
        )
    };
    let mut foremost: Vec<Foremost> = resolution
        .entities
        .iter()
        .enumerate()
        .filter(|(_, entity)| told(entity.kind))
        .map(|(at, entity)| Foremost {
            kind: entity.kind,
            name: entity.name.clone(),
            documents: documents.get(&at).copied().unwrap_or(0),
            mentions: entity.mention_count as u64,
        })
        .collect();
    foremost.sort_by(|a, b| {
        (b.documents, b.mentions).cmp(&(a.documents, a.mentions)).then_with(|| a.name.cmp(&b.name))
    });
    foremost.truncate(FOREMOST);
    foremost
}
