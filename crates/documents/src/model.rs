//! The data of the document stages: text, chunks, mentions, entities, relationships.

use serde::{Deserialize, Serialize};

/// Where one page lies in [`ExtractedText::text`], as byte offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageSpan {
    /// First byte of the page.
    pub start: usize,
    /// One past the last byte of the page.
    pub end: usize,
}

/// What a document's text was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TextSource {
    /// A plain text file.
    PlainText,
    /// The visible text of an HTML page.
    Html,
    /// The text layer of a PDF.
    PdfTextLayer,
    /// Every page was read by OCR.
    Ocr,
    /// Some pages had a text layer, others were read by OCR.
    Mixed,
}

/// The text of a document, in reading order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtractedText {
    /// The text; pages are separated by a blank line.
    pub text: String,
    /// One span a page, in order; a document without pages is one page.
    pub pages: Vec<PageSpan>,
    /// What the text was read from.
    pub source: TextSource,
    /// What a reader should know about the quality of the text, in plain words.
    pub warnings: Vec<String>,
}

impl ExtractedText {
    /// The page (counted from 0) that holds the byte at `offset`; text between pages belongs to the earlier one.
    pub fn page_of(&self, offset: usize) -> usize {
        self.pages.partition_point(|page| page.start <= offset).saturating_sub(1)
    }
}

/// A piece of a document's text small enough to work on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Position among the document's chunks, from 0.
    pub index: usize,
    /// First byte of the chunk in the document's text.
    pub start: usize,
    /// One past the last byte of the chunk.
    pub end: usize,
    /// The page (from 0) on which the chunk starts.
    pub page: usize,
    /// The chunk's text: exactly the bytes `start..end` of the document's text.
    pub text: String,
}

/// What sort of thing a mention names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EntityKind {
    /// A reference to a case, statute, regulation or constitution.
    Citation,
    /// A court or tribunal.
    Court,
    /// A party to the case.
    Party,
    /// A judge, justice, magistrate or commissioner who sits.
    Judge,
    /// A lawyer, or a law firm that appears.
    Lawyer,
    /// The number under which a court keeps a case.
    DocketNumber,
    /// A calendar date.
    Date,
    /// A sum of money.
    Money,
    /// A case: what the parties, judges and citations of a document belong to.
    Case,
}

/// How a citation points at its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CitationForm {
    /// Volume, reporter and page: `410 U.S. 113`.
    FullCase,
    /// Volume, reporter and pin page: `410 U.S. at 120`.
    ShortCase,
    /// `Id.` or `Ibid.`: the source cited just before.
    Id,
    /// `Doe, supra`: a source cited earlier, by name.
    Supra,
    /// A case by its name alone: `Doe v. Roe`, or `In Doe at 62`.
    Reference,
    /// Volume, law journal and page.
    Journal,
    /// A code, session law or named act.
    Statute,
    /// An administrative code or register.
    Regulation,
    /// A provision of a constitution.
    Constitution,
}

/// The parts of a citation; what the text does not give is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CitationParts {
    /// How it points at its source.
    pub form: CitationForm,
    /// Volume of the reporter, or title of the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// The reporter or code by its usual abbreviation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reporter: Option<String>,
    /// First page of the case; `None` where the text leaves it blank (`576 U.S. ___`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Section of a code, regulation or constitution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// The page or part pointed at, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_cite: Option<String>,
    /// Year of the decision or code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<u16>,
    /// Normal form of the deciding court, where the parenthesis or the reporter tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub court: Option<String>,
    /// First-named party, or `None` for `In re` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plaintiff: Option<String>,
    /// Second-named party, or the subject of an `In re` name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defendant: Option<String>,
    /// For short and supra forms: the name that stands before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub antecedent: Option<String>,
    /// First byte of the whole reference, case name included.
    pub full_start: usize,
    /// One past the last byte of the whole reference, parenthesis included.
    pub full_end: usize,
}

impl CitationParts {
    /// A citation of the given form whose whole reference is `start..end`.
    pub fn new(form: CitationForm, start: usize, end: usize) -> Self {
        Self {
            form,
            volume: None,
            reporter: None,
            page: None,
            section: None,
            pin_cite: None,
            year: None,
            court: None,
            plaintiff: None,
            defendant: None,
            antecedent: None,
            full_start: start,
            full_end: end,
        }
    }
}

/// What a mention says beside its name; empty where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attributes {
    /// Role of a party (`plaintiff`), of a judge (`chief`), or of a date (`filed`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Whom a lawyer represents: names or roles, as the text gives them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub represents: Vec<String>,
    /// The parts of a citation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citation: Option<Box<CitationParts>>,
}

/// One place in a document that names something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mention {
    /// What sort of thing it names.
    pub kind: EntityKind,
    /// First byte in the document's text.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The bytes `start..end` of the document's text.
    pub text: String,
    /// The name in normal form: an ISO date, `USD 125000` (minor units), a reporter's usual abbreviation, a court key.
    pub normal: String,
    /// What else the text says here.
    #[serde(default)]
    pub attributes: Attributes,
}

impl Mention {
    /// A mention of the bytes `start..end` of `document`.
    ///
    /// Offsets that do not lie on character boundaries give an empty text.
    pub fn new(
        kind: EntityKind,
        document: &str,
        start: usize,
        end: usize,
        normal: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            start,
            end,
            text: document.get(start..end).unwrap_or_default().to_owned(),
            normal: normal.into(),
            attributes: Attributes::default(),
        }
    }

    /// This mention with a role.
    pub fn with_role(mut self, role: impl Into<String>) -> Self {
        self.attributes.role = Some(role.into());
        self
    }

    /// This mention with the parts of a citation.
    pub fn with_citation(mut self, parts: CitationParts) -> Self {
        self.attributes.citation = Some(Box::new(parts));
        self
    }

    /// The parts, if this is a citation.
    pub fn citation(&self) -> Option<&CitationParts> {
        self.attributes.citation.as_deref()
    }
}

/// One real thing that mentions name, in one document or in many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CanonicalEntity {
    /// Stable id: a hash of kind and canonical normal form, so the same thing has the same id in every run.
    pub id: String,
    /// What sort of thing it is.
    pub kind: EntityKind,
    /// Its fullest name.
    pub name: String,
    /// Every other form it was named by, sorted.
    pub aliases: Vec<String>,
    /// How many mentions name it.
    pub mention_count: usize,
    /// The documents that name it, sorted.
    pub documents: Vec<String>,
}

/// How two entities are related.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RelationshipKind {
    /// A party and the case it is a party to.
    PartyCase,
    /// A lawyer and the party represented.
    LawyerParty,
    /// A judge and the case heard.
    JudgeCase,
    /// A case and an authority it cites.
    Cites,
    /// Two entities named close to each other.
    MentionedTogether,
}

/// Where in a document a relationship can be read, as byte offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Evidence {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A relationship between two canonical entities, and where it can be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Relationship {
    /// How they are related.
    pub kind: RelationshipKind,
    /// Id of the first entity (the party, lawyer, judge or citing case).
    pub from: String,
    /// Id of the second entity (the case, party or cited authority).
    pub to: String,
    /// The document it was read in.
    pub document: String,
    /// The first place that says so.
    pub evidence: Evidence,
    /// How many places of the document say so.
    pub weight: f64,
}
