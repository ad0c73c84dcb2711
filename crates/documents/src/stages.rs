//! The document functions as pipeline stages, each with the key its results are cached under.

use compartment_core::{Codec, KeyTemplate};
use compartment_pipeline::{Stage, StageError};
use serde::{Deserialize, Serialize};

use crate::chunk::{ChunkOptions, chunk};
use crate::entities::{self, mentions};
use crate::error::DocumentError;
use crate::extract::{ExtractOptions, extract};
use crate::model::{CanonicalEntity, Chunk, ExtractedText, Mention, Relationship, TextSource};
use crate::relate::{RelateOptions, relate};
use crate::resolve::{DocumentEntities, resolve};

/// The text of a document, from its bytes or by OCR.
pub const OCR_RESULT: KeyTemplate<ExtractedText> =
    KeyTemplate::new("doc_ocr_result", "doc:ocr_result:{content_hash}:{version}", "cache");
/// A document's chunks.
pub const CHUNKS: KeyTemplate<Vec<Chunk>> =
    KeyTemplate::new("doc_chunks", "doc:chunks:{content_hash}:{version}", "cache");
/// What a document names.
pub const ALL_EXTRACTED_MENTIONS: KeyTemplate<ExtractedMentions> = KeyTemplate::new(
    "doc_all_extracted_mentions",
    "doc:all_extracted_mentions:{content_hash}:{version}",
    "cache",
)
.with_codec(Codec::MESSAGE_PACK);
/// Which thing of the document each mention names.
pub const RESOLVED_MENTIONS: KeyTemplate<ResolvedMentions> = KeyTemplate::new(
    "doc_resolved_mentions",
    "doc:resolved_mentions:{content_hash}:{version}",
    "cache",
)
.with_codec(Codec::MESSAGE_PACK);
/// How the things a document names belong together.
pub const RELATIONSHIPS: KeyTemplate<Vec<Relationship>> =
    KeyTemplate::new("doc_relationships", "doc:relationships:{content_hash}:{version}", "cache")
        .with_codec(Codec::MESSAGE_PACK);
/// For each thing a document names, its id over all documents of a set.
pub const CANONICAL_ENTITIES: KeyTemplate<Vec<String>> = KeyTemplate::new(
    "doc_canonical_entities",
    "doc:canonical_entities:{content_hash}:{version}",
    "cache",
)
.with_codec(Codec::MESSAGE_PACK);

/// The step after the stages: things resolved across the documents of a set.
pub const ACROSS: &str = "across";

/// A document's bytes and its name.
#[derive(Debug)]
pub struct SourceFile {
    /// The name, for wording warnings.
    pub name: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// What there is to know about a document's text without the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TextSummary {
    /// What the text was read from.
    pub source: TextSource,
    /// Pages.
    pub pages: usize,
    /// Bytes of text.
    pub bytes: usize,
    /// What a reader should know about the quality of the text.
    pub warnings: Vec<String>,
}

/// What the stage `entities` makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExtractedMentions {
    /// About the text they were found in.
    pub text: TextSummary,
    /// The mentions, by place.
    pub mentions: Vec<Mention>,
}

/// What the stage `resolve` makes: [`DocumentEntities`] without the mentions, which are cached already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResolvedMentions {
    /// The things the mentions name, by kind and name.
    pub entities: Vec<CanonicalEntity>,
    /// For each mention, the index of its entity.
    pub links: Vec<Option<usize>>,
    /// For each entity, the key under which it is joined across documents.
    pub keys: Vec<String>,
    /// The case that the document belongs to, as an index into `entities`.
    pub case: Option<usize>,
}

impl ResolvedMentions {
    /// Together with the mentions again.
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

/// Bytes to text.
#[derive(Clone, Debug, Default)]
pub struct ExtractStage {
    /// What reading a document may cost, and the OCR program.
    pub options: ExtractOptions,
}

impl Stage for ExtractStage {
    type Input = SourceFile;
    type Output = ExtractedText;

    fn name(&self) -> &'static str {
        "extract"
    }

    fn version(&self) -> String {
        // What changes the text, besides the code.
        format!("1-{}-{}", self.options.ocr_language, self.options.ocr_dpi)
    }

    fn template(&self) -> KeyTemplate<ExtractedText> {
        OCR_RESULT
    }

    fn run(&self, input: &SourceFile) -> Result<ExtractedText, StageError> {
        // Whatever is read is looked through next.
        entities::prepare();
        extract(&input.bytes, &input.name, &self.options).map_err(|error| stage_error(&error))
    }
}

/// The document's failure as the pipeline knows it.
pub(crate) fn stage_error(error: &DocumentError) -> StageError {
    let failure = StageError::new(error.code(), error.to_string());
    if error.is_transient() { failure.transient() } else { failure }
}

/// Text to chunks.
#[derive(Clone, Debug, Default)]
pub struct ChunkStage {
    /// How large chunks are.
    pub options: ChunkOptions,
}

impl Stage for ChunkStage {
    type Input = ExtractedText;
    type Output = Vec<Chunk>;

    fn name(&self) -> &'static str {
        "chunk"
    }

    fn version(&self) -> String {
        format!("1-{}-{}", self.options.max_chars, self.options.overlap_chars)
    }

    fn template(&self) -> KeyTemplate<Vec<Chunk>> {
        CHUNKS
    }

    fn run(&self, input: &ExtractedText) -> Result<Vec<Chunk>, StageError> {
        Ok(chunk(input, &self.options))
    }
}

/// Text to mentions.
#[derive(Clone, Copy, Debug, Default)]
pub struct EntitiesStage;

impl Stage for EntitiesStage {
    type Input = ExtractedText;
    type Output = ExtractedMentions;

    fn name(&self) -> &'static str {
        "entities"
    }

    fn version(&self) -> String {
        "1".into()
    }

    fn template(&self) -> KeyTemplate<ExtractedMentions> {
        ALL_EXTRACTED_MENTIONS
    }

    fn run(&self, input: &ExtractedText) -> Result<ExtractedMentions, StageError> {
        let text = TextSummary {
            source: input.source,
            pages: input.pages.len(),
            bytes: input.text.len(),
            warnings: input.warnings.clone(),
        };
        Ok(ExtractedMentions { text, mentions: mentions(&input.text) })
    }
}

/// Mentions to the things they name within the document.
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

/// Things to their relationships.
#[derive(Clone, Debug, Default)]
pub struct RelateStage {
    /// What counts as being mentioned together.
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
