//! The legal stages as a declared pipeline: the one place that defines their order.

use std::sync::Arc;
use std::time::Duration;

use compartment_core::{Databases, KeyTemplate, Result, SystemClock};
use compartment_pipeline::{
    ExternalStage, Identity, Node, Pipeline, PipelineBuilder, Stage, StageError, StageOptions,
};
use sha2::{Digest, Sha256};

use crate::completion::{Parts, summary};
use crate::entry::DocumentEntry;
use crate::extract::ExtractOptions;
use crate::extractors::{AgreeStage, Beside, ExtractorStage, Extractors, Fleet, WindowStage};
use crate::files::{DocumentRoots, FileContent};
use crate::model::{Chunk, ExtractedText, Relationship};
use crate::ocr_service::{OcrServiceStage, ScannedDocument};
use crate::options::IngestOptions;
use crate::stages::{
    ChunkStage, EntitiesStage, ExtractStage, ExtractedMentions, OCR_RESULT, RelateStage,
    ResolveStage, ResolvedMentions,
};
use crate::versioned::Versioned;

/// The pipeline's name.
pub const PIPELINE: &str = "legal";

/// Time-out for extracting one document: a bundle of scanned pages takes long.
const EXTRACT_TIMEOUT: Duration = Duration::from_secs(3_600);

/// Time-out for asking an extractor about one document: it waits for permits of the fleet.
const BESIDE_TIMEOUT: Duration = Duration::from_secs(3_600);

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
        let nodes = stages(&mut builder, databases, options)?;
        let parts = Parts { resolved: nodes.resolved, related: nodes.related };
        let databases = databases.clone();
        builder.at_completion(move |batch| summary(databases.clone(), batch, parts));
        Ok(Self { pipeline: builder.build()?, nodes })
    }
}

/// Declares the stages: extract, then chunk and entities, then what other extractors find, then resolve, then relate.
fn stages(
    builder: &mut PipelineBuilder,
    databases: &Databases,
    options: &IngestOptions,
) -> Result<Nodes> {
    let entries = Entries { roots: options.roots.clone(), options: options.extract.clone() };
    let read = entries.clone();
    builder.identify(move |entry| {
        let entry = read.read(entry)?;
        Ok(Identity::new(entry.hash, entry.name))
    });
    let usual = StageOptions::default();
    let max_attempts = databases.map().worker().max_attempts.unwrap_or(usual.max_attempts);
    let run = || usual.clone().max_attempts(max_attempts);
    let (text, of_text) = text(builder, databases, options, &run, entries);
    let chunk = Versioned { stage: ChunkStage { options: options.chunk }, of: of_text.clone() };
    let of_chunks = chunk.version();
    let chunks = builder.stage(chunk, run(), text, |_, text| Ok(text));
    let rules = Versioned { stage: EntitiesStage, of: of_text.clone() };
    let versions = Versions { text: of_text, chunks: of_chunks, rules: rules.version() };
    let rules = builder.stage(rules, run(), text, |_, text| Ok(text));
    let found = Found { text, chunks, rules };
    let (mentions, of) = beside(builder, databases, options, &run, found, versions)?;
    let resolve = Versioned { stage: ResolveStage, of: of.clone() };
    let resolved = builder.stage(resolve, run(), mentions, |document, found| {
        Ok((document.subject().to_owned(), found.mentions.clone()))
    });
    let relate = Versioned { stage: RelateStage { options: options.relate }, of };
    let related =
        builder.stage(relate, run(), (mentions, resolved), |document, (found, resolved)| {
            let resolved = Arc::unwrap_or_clone(resolved);
            Ok(resolved.with_mentions(document.subject(), found.mentions.clone()))
        });
    Ok(Nodes { text, chunks, mentions, resolved, related })
}

/// Declares the stages that read the text: the reader, and the OCR service for the pages that it leaves. Returns the
/// stage that has the text, and what the keys of later results end with: nothing if there is no service.
fn text(
    builder: &mut PipelineBuilder,
    databases: &Databases,
    options: &IngestOptions,
    run: &dyn Fn() -> StageOptions,
    entries: Entries,
) -> (Node<ExtractedText>, String) {
    let (reader, roots) = (options.reader.clone(), options.roots.clone());
    let mut limits = options.extract.clone();
    limits.ocr_service = limits.ocr && options.ocr_service.is_some();
    let extract = ExtractStage { options: limits.clone(), reader };
    let long = || run().timeout(EXTRACT_TIMEOUT.max(options.extract.document_timeout));
    let read = entries.clone();
    let stage = ReadStage { extract, roots: roots.clone() };
    let text = builder.stage(stage, long(), (), move |document, ()| read.read(document.entry()));
    let Some(service) = options.ocr_service.clone().filter(|_| limits.ocr_service) else {
        return (text, String::new());
    };
    let (databases, clock) = (databases.clone(), Arc::new(SystemClock));
    let stage = OcrServiceStage { service, databases, clock, roots, options: limits };
    let version = stage.version();
    let text = builder.external(stage, long().exclusive(), text, move |document, text| {
        Ok(ScannedDocument { entry: entries.read(document.entry())?, text })
    });
    (text, version)
}

/// The versions of the results that other extractors work on.
struct Versions {
    /// What the keys of later results end with because of the text.
    text: String,
    chunks: String,
    rules: String,
}

/// The stages that other extractors work on.
#[derive(Clone, Copy)]
struct Found {
    text: Node<ExtractedText>,
    chunks: Node<Vec<Chunk>>,
    rules: Node<ExtractedMentions>,
}

/// Declares the extractors beside the rules, and the stage that combines what all have found. Returns the stage that has
/// the mentions, and what the keys of later results end with: nothing if the rules are alone.
fn beside(
    builder: &mut PipelineBuilder,
    databases: &Databases,
    options: &IngestOptions,
    run: &dyn Fn() -> StageOptions,
    found: Found,
    versions_of: Versions,
) -> Result<(Node<ExtractedMentions>, String)> {
    let Extractors { beside, window, min_confidence, spending } = &options.extractors;
    if beside.is_empty() {
        return Ok((found.rules, versions_of.text));
    }
    let windows = WindowStage { max_chars: *window };
    let of_windows = format!("{}-{}", windows.version(), versions_of.chunks);
    let needs = (found.text, found.chunks);
    let windows = builder.stage(windows, run().inline(), needs, |_, needs| Ok(needs));
    let fleet = Fleet::of(databases, Arc::new(SystemClock))?;
    let (mut asked, mut names, mut versions) = (Vec::new(), Vec::new(), Vec::new());
    for extractor in beside {
        let mut how = run().timeout(BESIDE_TIMEOUT);
        how.rate_limit = extractor.rate_limit();
        let stage = ExtractorStage {
            extractor: Arc::clone(extractor),
            fleet: fleet.clone(),
            spending: spending.clone(),
            of: of_windows.clone(),
        };
        names.push(extractor.name());
        versions.push(stage.version());
        asked.push(builder.external_each(stage, how, windows, |_, _, window| Ok(window.clone())));
    }
    let digest = Sha256::digest(versions.join("\n"));
    let of: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let of = format!("{}-{of}", versions_of.rules);
    let agree = AgreeStage { min_confidence: *min_confidence, of };
    let version = agree.version();
    let needs = (found.text, found.rules, asked);
    let agreed = builder.stage(agree, run(), needs, move |_, (text, rules, findings)| {
        let beside = names
            .iter()
            .zip(findings)
            .map(|(name, findings)| Beside::new(name, Arc::unwrap_or_clone(findings)));
        Ok((text, rules, beside.collect::<Vec<_>>()))
    });
    Ok((agreed, version))
}

/// The legal stages: extract, then chunk and entities, then resolve, then relate; and once all documents of
/// a batch are done or dead, the summary over all of them ([`crate::batch::BATCH_SUMMARY`]).
///
/// # Errors
/// None that a user's options can cause.
pub fn pipeline(databases: &Databases, options: &IngestOptions) -> Result<Pipeline> {
    Ok(Legal::declare(databases, options)?.pipeline)
}
