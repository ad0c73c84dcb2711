//! The document functions as pipeline stages, each with the cache key of its results.

use compartment_core::{Codec, KeyTemplate};
use compartment_pipeline::{Stage, StageError};
use serde::{Deserialize, Serialize};

use crate::chunk::{ChunkOptions, chunk};
use crate::entities;
use crate::error::DocumentError;
use crate::extract::ExtractOptions;
use crate::extractors::{Agreement, Rules};
use crate::model::{CanonicalEntity, Chunk, ExtractedText, Mention, Relationship, TextSource};
use crate::reader::{Content, ReadFailure, Reader};
use crate::relate::{RelateOptions, relate};
use crate::resolve::{DocumentEntities, resolve};
use crate::words_around::words_around;

/// The text of a document, from its bytes or by OCR.
pub const OCR_RESULT: KeyTemplate<ExtractedText> =
    KeyTemplate::new("doc_ocr_result", "doc:ocr_result:{content_hash}:{version}", "cache");
/// A document's chunks.
pub const CHUNKS: KeyTemplate<Vec<Chunk>> =
    KeyTemplate::new("doc_chunks", "doc:chunks:{content_hash}:{version}", "cache");
/// The mentions in a document.
pub const ALL_EXTRACTED_MENTIONS: KeyTemplate<ExtractedMentions> = KeyTemplate::new(
    "doc_all_extracted_mentions",
    "doc:all_extracted_mentions:{content_hash}:{version}",
    "cache",
)
.with_codec(Codec::MESSAGE_PACK);
/// The document's entities, and the entity of each mention.
pub const RESOLVED_MENTIONS: KeyTemplate<ResolvedMentions> = KeyTemplate::new(
    "doc_resolved_mentions",
    "doc:resolved_mentions:{content_hash}:{version}",
    "cache",
)
.with_codec(Codec::MESSAGE_PACK);
/// The relationships between a document's entities.
pub const RELATIONSHIPS: KeyTemplate<Vec<Relationship>> =
    KeyTemplate::new("doc_relationships", "doc:relationships:{content_hash}:{version}", "cache")
        .with_codec(Codec::MESSAGE_PACK);
/// For each entity of a document, its id over all documents of a set.
pub const CANONICAL_ENTITIES: KeyTemplate<Vec<String>> = KeyTemplate::new(
    "doc_canonical_entities",
    "doc:canonical_entities:{content_hash}:{version}",
    "cache",
)
.with_codec(Codec::MESSAGE_PACK);

/// The step after the stages: resolving entities across the documents of a set.
pub const ACROSS: &str = "across";

/// A document's bytes and its name.
#[derive(Debug)]
pub struct SourceFile {
    /// The name, used in warnings.
    pub name: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// Facts about a document's text, without the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TextSummary {
    /// The source of the text.
    pub source: TextSource,
    /// Number of pages.
    pub pages: usize,
    /// The first byte of each page.
    #[serde(default)]
    pub page_starts: Vec<usize>,
    /// Length of the text in bytes.
    pub bytes: usize,
    /// Remarks on the quality of the text.
    pub warnings: Vec<String>,
}

/// The result of the stage `entities`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExtractedMentions {
    /// Facts about the text.
    pub text: TextSummary,
    /// The mentions in text order.
    pub mentions: Vec<Mention>,
    /// How the extractors agreed; `None` if the rules alone were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
}

/// The result of the stage `resolve`: [`DocumentEntities`] without the mentions, which are cached
/// already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResolvedMentions {
    /// The entities of the mentions, by kind and name.
    pub entities: Vec<CanonicalEntity>,
    /// For each mention, the index of its entity.
    pub links: Vec<Option<usize>>,
    /// For each entity, the key under which it is joined across documents.
    pub keys: Vec<String>,
    /// The case that the document belongs to, as an index into `entities`.
    pub case: Option<usize>,
}

impl ResolvedMentions {
    /// Adds the mentions again.
    #[must_use]
    pub fn with_mentions(self, document: &str, mentions: Vec<Mention>) -> DocumentEntities {
        DocumentEntities {
            document: document.to_owned(),
            mentions,
            entities: self.entities,
            links: self.links,
            keys: self.keys,
            case: self.case,
        }
    }
}

/// The stage that turns bytes into text.
#[derive(Clone, Debug, Default)]
pub struct ExtractStage {
    /// Limits of reading a document, and the OCR program.
    pub options: ExtractOptions,
    /// The process in which documents are read.
    pub reader: Reader,
}

impl ExtractStage {
    /// Extracts the text of a document whose content is read in pieces.
    pub(crate) fn run_on(
        &self,
        content: Box<dyn Content>,
        name: &str,
    ) -> Result<ExtractedText, StageError> {
        // The stage `entities` usually follows, so its expressions are compiled meanwhile.
        entities::prepare();
        self.reader.read_content(content, name, &self.options).map_err(|failure| match failure {
            ReadFailure::Document(error) => stage_error(&error),
            ReadFailure::Content(error) => error,
        })
    }
}

impl Stage for ExtractStage {
    type Input = SourceFile;
    type Output = ExtractedText;

    fn name(&self) -> &'static str {
        "extract"
    }

    fn version(&self) -> String {
        if self.options.ocr_service {
            return "2-unread".to_owned();
        }
        // The options that change the text.
        format!("2-{}-{}", self.options.ocr_language, self.options.ocr_dpi)
    }

    fn template(&self) -> KeyTemplate<ExtractedText> {
        OCR_RESULT
    }

    fn run(&self, input: &SourceFile) -> Result<ExtractedText, StageError> {
        entities::prepare();
        let read = self.reader.read(&input.bytes, &input.name, &self.options);
        read.map_err(|error| stage_error(&error))
    }
}

/// Converts a document's error for the pipeline.
pub(crate) fn stage_error(error: &DocumentError) -> StageError {
    let failure = StageError::new(error.code(), error.to_string());
    if error.is_transient() { failure.transient() } else { failure }
}

/// The stage that splits text into chunks.
#[derive(Clone, Debug, Default)]
pub struct ChunkStage {
    /// Size of chunks.
    pub options: ChunkOptions,
}

impl Stage for ChunkStage {
    type Input = ExtractedText;
    type Output = Vec<Chunk>;

    fn name(&self) -> &'static str {
        "chunk"
    }

    fn version(&self) -> String {
        format!("2-{}-{}", self.options.max_chars, self.options.overlap_chars)
    }

    fn template(&self) -> KeyTemplate<Vec<Chunk>> {
        CHUNKS
    }

    fn run(&self, input: &ExtractedText) -> Result<Vec<Chunk>, StageError> {
        Ok(chunk(input, &self.options))
    }
}

impl TextSummary {
    /// The page, counted from 1, that holds the byte at `offset` of the text.
    #[must_use]
    pub fn page_of(&self, offset: usize) -> usize {
        self.page_starts.partition_point(|start| *start <= offset).max(1)
    }
}

/// The stage that finds mentions in text.
#[derive(Clone, Copy, Debug, Default)]
pub struct EntitiesStage;

impl Stage for EntitiesStage {
    type Input = ExtractedText;
    type Output = ExtractedMentions;

    fn name(&self) -> &'static str {
        "entities"
    }

    fn version(&self) -> String {
        Rules::VERSION.into()
    }

    fn template(&self) -> KeyTemplate<ExtractedMentions> {
        ALL_EXTRACTED_MENTIONS
    }

    fn run(&self, input: &ExtractedText) -> Result<ExtractedMentions, StageError> {
        let text = TextSummary {
            source: input.source,
            pages: input.pages.len(),
            page_starts: input.pages.iter().map(|page| page.start).collect(),
            bytes: input.text.len(),
            warnings: input.warnings.clone(),
        };
        let mut mentions = Rules.mentions(&input.text);
        for mention in &mut mentions {
            mention.around = words_around(&input.text, mention.start, mention.end);
        }
        Ok(ExtractedMentions { text, mentions, agreement: None })
    }
}

/// The stage that resolves mentions to the entities of the document.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResolveStage;

impl Stage for ResolveStage {
    /// The document's id and its mentions.
    type Input = (String, Vec<Mention>);
    type Output = ResolvedMentions;

    fn name(&self) -> &'static str {
        "resolve"
    }

    fn version(&self) -> String {
        format!("1-{}", EntitiesStage.version())
    }

    fn template(&self) -> KeyTemplate<ResolvedMentions> {
        RESOLVED_MENTIONS
    }

    fn run(
        &self,
        (document, mentions): &(String, Vec<Mention>),
    ) -> Result<ResolvedMentions, StageError> {
        let resolved = resolve(document, mentions.clone());
        Ok(ResolvedMentions {
            entities: resolved.entities,
            links: resolved.links,
            keys: resolved.keys,
            case: resolved.case,
        })
    }
}

/// The stage that finds relationships between entities.
#[derive(Clone, Debug, Default)]
pub struct RelateStage {
    /// When entities count as mentioned together.
    pub options: RelateOptions,
}

impl Stage for RelateStage {
    type Input = DocumentEntities;
    type Output = Vec<Relationship>;

    fn name(&self) -> &'static str {
        "relate"
    }

    fn version(&self) -> String {
        let options = &self.options;
        format!(
            "1-{}-{}-{}-{}",
            ResolveStage.version(),
            options.window,
            options.min_together,
            options.max_together
        )
    }

    fn template(&self) -> KeyTemplate<Vec<Relationship>> {
        RELATIONSHIPS
    }

    fn run(&self, input: &DocumentEntities) -> Result<Vec<Relationship>, StageError> {
        Ok(relate(input, &self.options))
    }
}
