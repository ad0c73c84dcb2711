//! Processes the documents of a run: identifies each by its content, and runs the stages.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use compartment_core::{Database, Result, SystemClock};
use compartment_pipeline::{
    Document, DocumentState, Identity, LocalRun, Node, Patience, StageError,
};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::project::{state_copy, state_key};
use crate::entry::DocumentEntry;
use crate::extract::ExtractOptions;
use crate::extractors::Agreement;
use crate::files::{DocumentFile, DocumentRoots, FilePaths, Found};
use crate::model::Relationship;
use crate::options::IngestOptions;
use crate::resolve::DocumentEntities;
use crate::stages::{ExtractedMentions, ResolvedMentions};

/// How a document ended.
pub(super) enum Outcome {
    Done(Box<Processed>),
    /// Another document of the run has equal content.
    Duplicate,
    Failed {
        name: String,
        error: StageError,
    },
}

impl Outcome {
    pub(super) fn is_done(&self) -> bool {
        !matches!(self, Self::Failed { .. })
    }
}

/// The part of a document that is kept until all are done: not its text, chunks or mentions.
pub(super) struct Processed {
    pub(super) name: String,
    /// Its entities, without the mentions.
    pub(super) entities: DocumentEntities,
    pub(super) relationships: Vec<Relationship>,
    /// How its extractors agreed.
    pub(super) agreement: Option<Agreement>,
    /// The path of its file, if files are written.
    pub(super) file: Option<PathBuf>,
}

/// The stages whose results a run needs: three small values.
type Wanted = (Node<ExtractedMentions>, Node<ResolvedMentions>, Node<Vec<Relationship>>);
type Results = (Arc<ExtractedMentions>, Arc<ResolvedMentions>, Arc<Vec<Relationship>>);

/// The documents of a run. Cheap to clone.
#[derive(Clone)]
pub(super) struct Documents {
    run: LocalRun<Wanted>,
    batch: Database,
    patience: Patience,
    extract: ExtractOptions,
    roots: DocumentRoots,
    out: Option<PathBuf>,
}

/// The result of reading a file.
enum Read {
    Document(DocumentEntry, Option<PathBuf>),
    Duplicate,
    Unreadable(Found, StageError),
}

impl Documents {
    pub(super) fn new(
        run: LocalRun<Wanted>,
        batch: Database,
        patience: Patience,
        options: &IngestOptions,
    ) -> Self {
        let (extract, roots) = (options.extract.clone(), options.roots.clone());
        Self { run, batch, patience, extract, roots, out: options.out.clone() }
    }

    /// Takes the files through the stages, several at a time; yields outcomes as documents end.
    pub(super) fn all(&self, files: Vec<Found>) -> BoxStream<'static, Result<Outcome>> {
        let documents = self.clone();
        let (extract, roots) = (self.extract.clone(), self.roots.clone());
        let entries = futures_util::stream::iter(files)
            .map(move |file| entry_of(file, roots.clone(), extract.clone()));
        // In the order of the files, so that it does not depend on the run which of two equal files is
        // the duplicate.
        let (mut seen, mut paths) = (HashSet::new(), FilePaths::default());
        let out = self.out.clone();
        let read = entries.buffered(self.run.documents_at_once()).map(move |entry| match entry {
            Ok(entry) if !seen.insert(entry.hash.clone()) => Read::Duplicate,
            Ok(entry) => {
                let path = out.as_deref().map(|out| paths.claim(out, &entry.name, &entry.hash));
                Read::Document(entry, path)
            }
            Err((file, error)) => Read::Unreadable(file, error),
        });
        let works = read.enumerate().map(move |(at, read)| {
            let documents = documents.clone();
            async move { documents.one(u32::try_from(at).unwrap_or(u32::MAX), read).await }
        });
        works.buffer_unordered(self.run.documents_at_once()).boxed()
    }

    async fn one(&self, ordinal: u32, read: Read) -> Result<Outcome> {
        match read {
            Read::Duplicate => {
                self.run.expect_one_less();
                Ok(Outcome::Duplicate)
            }
            Read::Unreadable(file, error) => {
                let path = file.path.display().to_string();
                let identity = Identity::new(path.clone(), file.name);
                let document = Document::new("", ordinal, Bytes::from(path), identity);
                let outcome = self.run.refuse(document, error.clone()).await?;
                Ok(Outcome::Failed { name: outcome.document.name().to_owned(), error })
            }
            Read::Document(entry, path) => self.document(ordinal, entry, path).await,
        }
    }

    async fn document(
        &self,
        ordinal: u32,
        entry: DocumentEntry,
        path: Option<PathBuf>,
    ) -> Result<Outcome> {
        let identity = Identity::new(entry.hash.clone(), entry.name.clone());
        let document = Document::new("", ordinal, Bytes::from(entry.to_json()), identity);
        let outcome = self.run.document(document).await?;
        self.keep(&entry, outcome.state().from_file(&entry.path)).await?;
        let worked = match outcome.results {
            Ok(results) => processed(entry.name.clone(), &entry.hash, results, path).await,
            Err(error) => Err(error),
        };
        Ok(match worked {
            Ok(processed) => Outcome::Done(Box::new(processed)),
            Err(error) => Outcome::Failed { name: entry.name, error },
        })
    }

    /// Writes the document's state.
    async fn keep(&self, entry: &DocumentEntry, state: DocumentState) -> Result<()> {
        let key = state_key(&entry.hash)?;
        state.save(&self.batch, &key, &SystemClock, &self.patience).await?;
        // The cached copy is outdated now; if it cannot be removed yet, the removal stays pending.
        let _ = self.run.engine().cache().remove(&state_copy(&entry.hash)?).await?;
        Ok(())
    }
}

/// Identifies the file by its content, on a blocking thread.
async fn entry_of(
    file: Found,
    roots: DocumentRoots,
    extract: ExtractOptions,
) -> std::result::Result<DocumentEntry, (Found, StageError)> {
    let own = file.clone();
    let read =
        tokio::task::spawn_blocking(move || DocumentEntry::of_readable(&own, &roots, &extract));
    let entry = read.await.unwrap_or_else(|_| {
        Err(StageError::new("interrupted", "the run ended while the document was read").transient())
    });
    entry.map_err(|error| (file, error))
}

/// The part of a document's results that is kept once its file is written.
async fn processed(
    name: String,
    hash: &str,
    (found, resolved, relationships): Results,
    file: Option<PathBuf>,
) -> std::result::Result<Processed, StageError> {
    let relationships = Arc::unwrap_or_clone(relationships);
    let resolved = Arc::unwrap_or_clone(resolved);
    let agreement = found.agreement.clone();
    let Some(path) = &file else {
        let entities = without_links(resolved.with_mentions(hash, Vec::new()));
        return Ok(Processed { name, entities, relationships, agreement, file });
    };
    let entities = resolved.with_mentions(hash, found.mentions.clone());
    let text = found.text.clone();
    let mut draft = DocumentFile::draft(&name, text, &entities, relationships.clone());
    draft.agreement.clone_from(&agreement);
    write(draft, path).await?;
    let entities = without_links(entities);
    Ok(Processed { name, entities, relationships, agreement, file })
}

/// Drops mentions and their links, which take most of the memory and are in the cache and the file.
fn without_links(mut entities: DocumentEntities) -> DocumentEntities {
    entities.mentions = Vec::new();
    entities.links = Vec::new();
    entities
}

async fn write(draft: DocumentFile, path: &Path) -> std::result::Result<(), StageError> {
    let path = path.to_owned();
    let written =
        tokio::task::spawn_blocking(move || draft.write(&path).map_err(|error| (path, error)));
    match written.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err((path, error))) => {
            let what = format!("its results cannot be written to {}: {error}", path.display());
            let unwritable = StageError::new("unwritable", what);
            // A full disk can be emptied; a name that the file system does not take stays one.
            let is_the_name = matches!(
                error.kind(),
                ErrorKind::InvalidFilename
                    | ErrorKind::InvalidInput
                    | ErrorKind::NotADirectory
                    | ErrorKind::IsADirectory
            );
            Err(if is_the_name { unwritable } else { unwritable.transient() })
        }
        Err(_) => {
            Err(StageError::new("interrupted", "the run ended while its results were written")
                .transient())
        }
    }
}
