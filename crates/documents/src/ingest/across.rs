//! The last step of a run: resolves entities across documents, counts them, updates the files.

use std::path::PathBuf;
use std::time::Instant;

use compartment_core::ErrorKind;
use compartment_pipeline::Origin;
use sha2::{Digest, Sha256};

use super::report::IngestReport;
use super::{IngestError, Processed, Run};
use crate::files::{DocumentFile, read_decisions};
use crate::model::Relationship;
use crate::relate::{RelateOptions, relate};
use crate::resolve::{Decisions, DocumentEntities, Resolution, resolve_across_with, resolve_with};
use crate::set_summary::SetSummary;
use crate::stages::{ACROSS, CANONICAL_ENTITIES};

/// The parts of the processed documents, in one order.
struct Parts {
    names: Vec<String>,
    entities: Vec<DocumentEntities>,
    relationships: Vec<Vec<Relationship>>,
    files: Vec<Option<PathBuf>>,
}

/// Resolves across the documents and fills in the report.
pub(super) async fn across(
    run: &Run<'_>,
    processed: Vec<Processed>,
    report: &mut IngestReport,
) -> Result<(), IngestError> {
    let done = processed.len() as u64;
    run.progress.expect(ACROSS, done);
    let mut parts = Parts { names: vec![], entities: vec![], relationships: vec![], files: vec![] };
    for document in processed {
        parts.names.push(document.name);
        parts.entities.push(document.entities);
        parts.relationships.push(document.relationships);
        parts.files.push(document.file);
    }
    let started = Instant::now();
    let (folder, relate) = (run.options.out.clone(), run.options.relate);
    let work = tokio::task::spawn_blocking(move || {
        let decisions = match &folder {
            Some(folder) => read_decisions(folder).map_err(|error| (folder.clone(), error))?,
            None => Decisions::default(),
        };
        keep_apart(&mut parts, &decisions, &relate)?;
        let resolution = resolve_across_with(&parts.entities, &decisions);
        for relationships in &mut parts.relationships {
            resolution.rename(relationships);
        }
        Ok((resolution, parts, decisions))
    });
    let worked: Result<_, (PathBuf, std::io::Error)> = work.await.map_err(|error| {
        let error = compartment_core::Error::new(
            ErrorKind::Unsupported,
            "resolve across documents",
            error.to_string(),
        );
        run.store_error(error, done)
    })?;
    let (resolution, parts, decisions) =
        worked.map_err(|(path, error)| IngestError::Output { path, error })?;
    let busy = started.elapsed() / u32::try_from(parts.names.len().max(1)).unwrap_or(u32::MAX);
    let summary = SetSummary::of(&resolution, &parts.relationships);
    report.entities = summary.entities;
    report.relationships = summary.relationships;
    report.foremost = summary.foremost;
    let version = set_version(&parts.entities, &decisions);
    for at in 0..parts.names.len() {
        let origin = keep(run, &resolution, &parts, at, &version).await;
        run.progress.done(ACROSS, origin, busy);
    }
    let finishing =
        tokio::task::spawn_blocking(move || finish_files(&resolution, &parts.files)).await;
    match finishing {
        Ok(Err((path, error))) => Err(IngestError::Output { path, error }),
        _ => Ok(()),
    }
}

/// Takes apart, in the documents that name both, what people keep apart: the files of these documents are written
/// again.
fn keep_apart(
    parts: &mut Parts,
    decisions: &Decisions,
    options: &RelateOptions,
) -> Result<(), (PathBuf, std::io::Error)> {
    for at in 0..parts.names.len() {
        let Some(path) = &parts.files[at] else { continue };
        if !parts.entities[at].entities.iter().any(|one| decisions.keeps_apart(&one.id)) {
            continue;
        }
        let again = || {
            let file = DocumentFile::read(path)?;
            let mentions = file.mentions.into_iter().map(|one| one.mention).collect();
            let mut entities = resolve_with(&file.content_hash, mentions, decisions);
            let related = relate(&entities, options);
            let draft = DocumentFile::draft(&file.document, file.text, &entities, related.clone());
            draft.write(path)?;
            entities.mentions = Vec::new();
            entities.links = Vec::new();
            Ok((entities, related))
        };
        let again = again().map_err(|error: std::io::Error| (path.clone(), error))?;
        (parts.entities[at], parts.relationships[at]) = again;
    }
    Ok(())
}

/// Identifies the set of documents and the decisions on it, which determine the resolution.
fn set_version(documents: &[DocumentEntities], decisions: &Decisions) -> String {
    let mut hashes: Vec<&str> = documents.iter().map(|d| d.document.as_str()).collect();
    hashes.sort_unstable();
    let mut known = hashes.join(",");
    if !decisions.is_empty() {
        known.push_str(&decisions.to_text());
    }
    let digest = Sha256::digest(known);
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("2-{hex}")
}

/// Caches the set's ids of a document's entities; does nothing if the cache fails.
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

/// Writes the ids of the whole set into the documents' files.
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
