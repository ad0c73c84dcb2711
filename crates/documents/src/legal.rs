//! The legal stages as a declared pipeline: the one place that defines their order.

use std::sync::Arc;
use std::time::Duration;

use compartment_core::{Databases, KeyTemplate, Result};
use compartment_pipeline::{
    Identity, Node, Pipeline, PipelineBuilder, Stage, StageError, StageOptions,
};

use crate::completion::{Parts, summary};
use crate::entry::DocumentEntry;
use crate::extract::ExtractOptions;
use crate::files::{DocumentRoots, FileContent};
use crate::model::{Chunk, ExtractedText, Relationship};
use crate::options::IngestOptions;
use crate::stages::{
    ChunkStage, EntitiesStage, ExtractStage, ExtractedMentions, OCR_RESULT, RelateStage,
    ResolveStage, ResolvedMentions,
};

/// The pipeline's name.
pub const PIPELINE: &str = "legal";

/// Time-out for extracting one document: a bundle of scanned pages takes long.
const EXTRACT_TIMEOUT: Duration = Duration::from_secs(3_600);

/// The legal stages and their results.
#[derive(Clone, Debug)]
pub(crate) struct Legal {
    pub(crate) pipeline: Pipeline,
    pub(crate) nodes: Nodes,
}

/// The stages by their results.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nodes {
    pub(crate) text: Node<ExtractedText>,
    pub(crate) chunks: Node<Vec<Chunk>>,
    pub(crate) mentions: Node<ExtractedMentions>,
    pub(crate) resolved: Node<ResolvedMentions>,
    pub(crate) related: Node<Vec<Relationship>>,
}

/// The stage `extract` with reading of the file: turns a document's entry into its text.
struct ReadStage {
    extract: ExtractStage,
    roots: DocumentRoots,
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
        let options = &self.extract.options;
        let content = FileContent::open(&entry.path, &entry.hash, &self.roots, options)?;
        self.extract.run_on(Box::new(content), &entry.name)
    }
}

/// Reads the entries of documents.
#[derive(Clone)]
struct Entries {
    roots: DocumentRoots,
    options: ExtractOptions,
}

impl Entries {
    fn read(&self, entry: &[u8]) -> std::result::Result<DocumentEntry, StageError> {
        DocumentEntry::read(entry, &self.roots, &self.options)
    }
}

impl Legal {
    /// Declares the stages, and for batches the summary over all documents.
    pub(crate) fn declare(databases: &Databases, options: &IngestOptions) -> Result<Self> {
        let mut builder = Pipeline::builder(PIPELINE);
        let nodes = stages(&mut builder, options, databases.map().worker().max_attempts);
        let parts = Parts { resolved: nodes.resolved, related: nodes.related };
        let databases = databases.clone();
        builder.at_completion(move |batch| summary(databases.clone(), batch, parts));
        Ok(Self { pipeline: builder.build()?, nodes })
    }
}

/// Declares the stages: extract, then chunk and entities, then resolve, then relate.
fn stages(
    builder: &mut PipelineBuilder,
    options: &IngestOptions,
    max_attempts: Option<u8>,
) -> Nodes {
    let entries = Entries { roots: options.roots.clone(), options: options.extract.clone() };
    let read = entries.clone();
    builder.identify(move |entry| {
        let entry = read.read(entry)?;
        Ok(Identity::new(entry.hash, entry.name))
    });
    let usual = StageOptions::default();
    let max_attempts = max_attempts.unwrap_or(usual.max_attempts);
    let run = || usual.clone().max_attempts(max_attempts);
    let (reader, limits) = (options.reader.clone(), options.extract.clone());
    let roots = options.roots.clone();
    let extract = ReadStage { extract: ExtractStage { options: limits, reader }, roots };
    let long = run().timeout(EXTRACT_TIMEOUT.max(options.extract.document_timeout));
    let text = builder.stage(extract, long, (), move |document, ()| entries.read(document.entry()));
    let chunk = ChunkStage { options: options.chunk };
    let chunks = builder.stage(chunk, run(), text, |_, text| Ok(text));
    let mentions = builder.stage(EntitiesStage, run(), text, |_, text| Ok(text));
    let resolved = builder.stage(ResolveStage, run(), mentions, |document, found| {
        Ok((document.subject().to_owned(), found.mentions.clone()))
    });
    let relate = RelateStage { options: options.relate };
    let related =
        builder.stage(relate, run(), (mentions, resolved), |document, (found, resolved)| {
            let resolved = Arc::unwrap_or_clone(resolved);
            Ok(resolved.with_mentions(document.subject(), found.mentions.clone()))
        });
    Nodes { text, chunks, mentions, resolved, related }
}

/// The legal stages: extract, then chunk and entities, then resolve, then relate; and once all documents of
/// a batch are done or dead, the summary over all of them ([`crate::batch::BATCH_SUMMARY`]).
///
/// # Errors
/// None that a user's options can cause.
pub fn pipeline(databases: &Databases, options: &IngestOptions) -> Result<Pipeline> {
    Ok(Legal::declare(databases, options)?.pipeline)
}
