//! The legal stages as a pipeline for batches: any number of workers, in any number of processes.

use std::path::PathBuf;
use std::sync::Arc;

use compartment_core::{Backoff, Databases, Error, ErrorKind, KeyTemplate, Result, SystemClock};
use compartment_pipeline::{
    Completed, Engine, Identity, Node, Pipeline, PipelineError, Progress, Stage, StageError,
    StageOptions, Submission,
};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};

use crate::ingest::{
    Found, IngestOptions, SetSummary, document_id, open_cache, read_source, summarize,
};
use crate::model::{ExtractedText, Relationship};
use crate::resolve::DocumentEntities;
use crate::stages::{
    ChunkStage, EntitiesStage, ExtractStage, OCR_RESULT, RelateStage, ResolveStage,
    ResolvedMentions,
};

/// The pipeline's name.
pub const PIPELINE: &str = "legal";

/// What the documents of a batch say together, once it is completed.
pub const BATCH_SUMMARY: KeyTemplate<SetSummary> =
    KeyTemplate::new("batch_summary", "batch:summary:{batch}", "results");

/// What a document is submitted as: its content's hash, its name and its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(String, String, String)", from = "(String, String, String)")]
#[non_exhaustive]
pub struct DocumentEntry {
    /// Half of the content's SHA-256, in hex: what results are kept under.
    pub hash: String,
    /// What people call it.
    pub name: String,
    /// Where it is, as every worker's machine has to see it.
    pub path: String,
}

impl From<DocumentEntry> for (String, String, String) {
    fn from(entry: DocumentEntry) -> Self {
        (entry.hash, entry.name, entry.path)
    }
}

impl From<(String, String, String)> for DocumentEntry {
    fn from((hash, name, path): (String, String, String)) -> Self {
        Self { hash, name, path }
    }
}

impl DocumentEntry {
    /// The entry of a file, which is read whole. Blocks.
    ///
    /// # Errors
    /// The document's failure: a file that cannot be read, or whose path is no text.
    pub fn of(file: &Found) -> std::result::Result<Self, StageError> {
        let unreadable = |error: std::io::Error| {
            StageError::new("unreadable", format!("it cannot be read: {error}"))
        };
        let path = file.path.canonicalize().map_err(unreadable)?;
        let Some(path) = path.to_str() else {
            let what = "its path is not UTF-8, and workers could not be told of it: rename it";
            return Err(StageError::new("path_no_text", what));
        };
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(StageError::new("not_a_file", "it is a device or pipe, not a file"));
        }
        let hash = document_id(path.as_ref()).map_err(unreadable)?;
        Ok(Self { hash, name: file.name.clone(), path: path.to_owned() })
    }

    /// Read back from what was submitted: what [`DocumentEntry::to_json`] made, or the path of a file.
    ///
    /// # Errors
    /// The document's failure, where it is neither.
    pub fn read(entry: &[u8]) -> std::result::Result<Self, StageError> {
        if let Ok(entry) = serde_json::from_slice(entry) {
            return Ok(entry);
        }
        let text = std::str::from_utf8(entry).ok().filter(|text| text.starts_with('/'));
        let path = text.map(PathBuf::from).ok_or_else(|| {
            let what = "what was submitted is neither an entry (\"compartment submit --help\" says what \
                        one is) nor the path of a file that begins with /";
            StageError::new("malformed", what)
        })?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Self::of(&Found { name, path })
    }

    /// As it is submitted.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::json!([self.hash, self.name, self.path]).to_string()
    }
}

/// A document's file to its text: what `extract` does, from the file's entry on.
struct ReadStage {
    extract: ExtractStage,
}

impl Stage for ReadStage {
    type Input = DocumentEntry;
    type Output = ExtractedText;

    fn name(&self) -> &'static str {
        self.extract.name()
    }

    fn version(&self) -> String {
        self.extract.version()
    }

    fn template(&self) -> KeyTemplate<ExtractedText> {
        OCR_RESULT
    }

    fn run(&self, entry: &DocumentEntry) -> std::result::Result<ExtractedText, StageError> {
        let file = Found { name: entry.name.clone(), path: entry.path.clone().into() };
        let (hash, source) = read_source(&file, &self.extract.options)?;
        if hash != entry.hash {
            let what = "the file is not the one that was submitted: its content has changed since";
            return Err(StageError::new("changed", what));
        }
        self.extract.run(&source)
    }
}

/// The stages whose results make a document's part of a set.
#[derive(Clone, Copy, Debug)]
struct Parts {
    resolved: Node<ResolvedMentions>,
    related: Node<Vec<Relationship>>,
}

/// The legal stages: extract, then chunk and entities, then resolve, then relate; and once all documents
/// are done or dead, the summary over all of them ([`BATCH_SUMMARY`]).
///
/// # Errors
/// None that the options of a user can cause.
pub fn pipeline(databases: &Databases, options: &IngestOptions) -> Result<Pipeline> {
    let mut builder = Pipeline::builder(PIPELINE);
    builder.identify(|entry| {
        let entry = DocumentEntry::read(entry)?;
        Ok(Identity::new(entry.hash, entry.name))
    });
    let run = StageOptions::default().backoff(Backoff::default());
    let extract = ReadStage { extract: ExtractStage { options: options.extract.clone() } };
    let text = builder
        .stage(extract, run.clone(), (), |document, ()| DocumentEntry::read(document.entry()));
    let chunk = ChunkStage { options: options.chunk };
    builder.stage(chunk, run.clone(), text, |_, text| Ok(text));
    let mentions = builder.stage(EntitiesStage, run.clone(), text, |_, text| Ok(text));
    let resolved = builder.stage(ResolveStage, run.clone(), mentions, |document, found| {
        Ok((document.subject().to_owned(), found.mentions.clone()))
    });
    let relate = RelateStage { options: options.relate };
    let related =
        builder.stage(relate, run, (mentions, resolved), |document, (found, resolved)| {
            let resolved = Arc::unwrap_or_clone(resolved);
            Ok(resolved.with_mentions(document.subject(), found.mentions.clone()))
        });
    let parts = Parts { resolved, related };
    let databases = databases.clone();
    builder.at_completion(move |batch| summary(databases.clone(), batch, parts));
    builder.build()
}

/// The legal pipeline over `databases`, its results in their cache as the configuration and the options
/// have it. Close the engine's cache at the end ([`Engine::cache`]).
///
/// # Errors
/// The store's: a cache database that refuses the program is noticed now.
pub async fn engine(
    databases: &Databases,
    options: &IngestOptions,
    progress: Progress,
) -> Result<Engine> {
    let cache = open_cache(databases, options.cache).await?;
    let pipeline = pipeline(databases, options)?;
    let clock = Arc::new(SystemClock);
    Ok(Engine::new(pipeline, databases, cache, progress, options.concurrency, clock))
}

/// Makes the summary of a batch from its documents' results.
async fn summary(
    databases: Databases,
    batch: Completed,
    parts: Parts,
) -> std::result::Result<(), PipelineError> {
    let dead = batch.dead().await?;
    let mut entities: Vec<DocumentEntities> = Vec::new();
    let mut relationships = Vec::new();
    let mut documents = batch.documents();
    while let Some(document) = documents.try_next().await? {
        if dead.contains(&document.ordinal()) {
            continue;
        }
        let resolved = batch.value(parts.resolved, &document).await?;
        let resolved = Arc::unwrap_or_clone(resolved);
        entities.push(resolved.with_mentions(document.subject(), Vec::new()));
        relationships.push(Arc::unwrap_or_clone(batch.value(parts.related, &document).await?));
    }
    let work = tokio::task::spawn_blocking(move || summarize(&entities, relationships));
    let summary = work.await.map_err(|error| {
        let what = format!("resolving across the documents broke down: {error}");
        Error::new(ErrorKind::Unsupported, "summarise batch", what)
    })?;
    let key = BATCH_SUMMARY.key(&[batch.batch()])?;
    databases.write(&key, &summary).await?;
    Ok(())
}

/// What became of files that were submitted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SubmittedFiles {
    /// Documents of the batch.
    pub submitted: u64,
    /// Files of the same content as another one, left out.
    pub duplicates: u64,
    /// Files that could not be submitted, with the reason.
    pub refused: Vec<(String, String)>,
}

/// Submits files, one by one as they are read; `watch` is told how many have been looked at.
///
/// # Errors
/// The store's.
pub async fn submit_files(
    submission: &mut Submission,
    files: Vec<Found>,
    mut watch: impl FnMut(u64),
) -> Result<SubmittedFiles> {
    let mut seen = std::collections::HashSet::new();
    let mut report = SubmittedFiles::default();
    for (at, file) in files.into_iter().enumerate() {
        let name = file.name.clone();
        let entry = tokio::task::spawn_blocking(move || DocumentEntry::of(&file)).await;
        match entry {
            Ok(Ok(entry)) if !seen.insert(entry.hash.clone()) => report.duplicates += 1,
            Ok(Ok(entry)) => {
                submission.push(entry.to_json()).await?;
                report.submitted += 1;
            }
            Ok(Err(error)) => report.refused.push((name, error.message)),
            Err(error) => report.refused.push((name, error.to_string())),
        }
        watch(at as u64 + 1);
    }
    Ok(report)
}
