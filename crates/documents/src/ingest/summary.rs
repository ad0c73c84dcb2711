//! What all documents say together: things resolved across them, counted, and written to their files.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::time::Instant;

use compartment_core::ErrorKind;
use compartment_pipeline::Origin;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::document::Processed;
use super::output::DocumentFile;
use super::report::{Foremost, IngestReport};
use super::{IngestError, Run};
use crate::model::{EntityKind, Relationship, RelationshipKind};
use crate::resolve::{DocumentEntities, Resolution, resolve_across};
use crate::stages::{CANONICAL_ENTITIES, STAGES};

/// How many of the things named in the most documents are in a report.
const FOREMOST: usize = 10;

/// The parts of the processed documents, in one order.
struct Parts {
    names: Vec<String>,
    entities: Vec<DocumentEntities>,
    relationships: Vec<Vec<Relationship>>,
    files: Vec<Option<PathBuf>>,
}

/// What documents of a set say together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SetSummary {
    /// Things found over all documents, by kind.
    pub entities: BTreeMap<EntityKind, u64>,
    /// Relationships found over all documents, by kind.
    pub relationships: BTreeMap<RelationshipKind, u64>,
    /// The things named in the most documents.
    pub foremost: Vec<Foremost>,
}

/// Resolves across documents, and counts. Blocks, for long over many documents.
pub(crate) fn summarize(
    entities: &[DocumentEntities],
    mut relationships: Vec<Vec<Relationship>>,
) -> SetSummary {
    let resolution = resolve_across(entities);
    for relationships in &mut relationships {
        resolution.rename(relationships);
    }
    SetSummary::of(&resolution, &relationships)
}

/// Resolves across the documents and fills in the report.
pub(super) async fn across(
    run: &Run<'_>,
    processed: Vec<Processed>,
    report: &mut IngestReport,
) -> Result<(), IngestError> {
    let done = processed.len() as u64;
    let mut parts = Parts { names: vec![], entities: vec![], relationships: vec![], files: vec![] };
    for document in processed {
        parts.names.push(document.name);
        parts.entities.push(document.entities);
        parts.relationships.push(document.relationships);
        parts.files.push(document.file);
    }
    let started = Instant::now();
    let work = tokio::task::spawn_blocking(move || {
        let resolution = resolve_across(&parts.entities);
        for relationships in &mut parts.relationships {
            resolution.rename(relationships);
        }
        (resolution, parts)
    });
    let (resolution, parts) = work.await.map_err(|error| {
        let error = compartment_core::Error::new(
            ErrorKind::Unsupported,
            "resolve across documents",
            error.to_string(),
        );
        run.store_error(error, done)
    })?;
    let busy = started.elapsed() / u32::try_from(parts.names.len().max(1)).unwrap_or(u32::MAX);
    let summary = SetSummary::of(&resolution, &parts.relationships);
    report.entities = summary.entities;
    report.relationships = summary.relationships;
    report.foremost = summary.foremost;
    let version = set_version(&parts.entities);
    for at in 0..parts.names.len() {
        let origin = keep(run, &resolution, &parts, at, &version).await;
        run.progress.done(STAGES[5], origin, busy);
    }
    let finishing =
        tokio::task::spawn_blocking(move || finish_files(&resolution, &parts.files)).await;
    match finishing {
        Ok(Err((path, error))) => Err(IngestError::Output { path, error }),
        _ => Ok(()),
    }
}

/// Names the set: the same documents resolve in the same way.
fn set_version(documents: &[DocumentEntities]) -> String {
    let mut hashes: Vec<&str> = documents.iter().map(|d| d.document.as_str()).collect();
    hashes.sort_unstable();
    let digest = Sha256::digest(hashes.join(","));
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("1-{hex}")
}

/// Caches the ids of a document's things over the set; a cache that fails keeps nothing.
async fn keep(
    run: &Run<'_>,
    resolution: &Resolution,
    parts: &Parts,
    at: usize,
    version: &str,
) -> Origin {
    let document = &parts.entities[at].document;
    let Ok(key) = CANONICAL_ENTITIES.key(&[document, version]) else {
        return Origin::Computed;
    };
    let ids: Vec<String> = resolution.links[at]
        .iter()
        .filter_map(|link| resolution.entities.get(*link))
        .map(|entity| entity.id.clone())
        .collect();
    let cache = run.cache.of_document(document);
    if cache.get(&key).await.is_ok_and(|known| known.is_some_and(|known| *known == ids)) {
        return Origin::Cached;
    }
    if let Err(error) = cache.set(&key, ids).await {
        tracing::warn!(%error, "the ids of a document's entities could not be cached");
    }
    Origin::Computed
}

/// Puts the ids of the whole set into the documents' files.
fn finish_files(
    resolution: &Resolution,
    files: &[Option<PathBuf>],
) -> Result<(), (PathBuf, std::io::Error)> {
    for (at, path) in files.iter().enumerate() {
        let Some(path) = path else { continue };
        let finish = || {
            let mut file = DocumentFile::read(path)?;
            file.finish(resolution, at);
            file.write(path)
        };
        finish().map_err(|error: std::io::Error| (path.clone(), error))?;
    }
    Ok(())
}

impl SetSummary {
    fn of(resolution: &Resolution, relationships: &[Vec<Relationship>]) -> Self {
        let mut summary = Self { foremost: foremost(resolution), ..Self::default() };
        for entity in &resolution.entities {
            *summary.entities.entry(entity.kind).or_default() += 1;
        }
        // The same two things in the same relationship are one, however many documents say so.
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
