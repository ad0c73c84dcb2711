//! The data of the document stages: text, chunks, mentions, entities, relationships.

use serde::{Deserialize, Serialize};

use crate::visible::visible;

/// The span of one page in [`ExtractedText::text`], as byte offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageSpan {
    /// First byte of the page.
    pub start: usize,
    /// One past the last byte of the page.
    pub end: usize,
}

/// The source of a document's text.
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
    /// A Word document (DOCX).
    Docx,
    /// An e-mail with its attachments.
    Email,
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
    /// One span per page, in order; a document without pages has one.
    pub pages: Vec<PageSpan>,
    /// The source of the text.
    pub source: TextSource,
    /// Remarks on the quality of the text.
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

/// The kind of entity that a mention names.
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
    /// A judge, justice, magistrate or commissioner of the court.
    Judge,
    /// A lawyer or law firm that appears for a party.
    Lawyer,
    /// A court's number of a case.
    DocketNumber,
    /// A calendar date.
    Date,
    /// A sum of money.
    Money,
    /// A case, to which the parties, judges and citations of a document belong.
    Case,
    /// A defined term or a role that stands for a party or person in its document; no entity is of this kind.
    Term,
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

/// The parts of a citation; parts missing from the text are `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CitationParts {
    /// Its form.
    pub form: CitationForm,
    /// Volume of the reporter, or title of the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// The reporter or code by its usual abbreviation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reporter: Option<String>,
    /// The reporter that a series belongs to, if its name is another: `Ill.` for `Ill. 2d`, `Cal. Code` for `Cal.
    /// Penal Code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series_of: Option<String>,
    /// First page of the case; `None` where the text leaves it blank (`576 U.S. ___`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Section of a code, regulation or constitution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// The pin page or part, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_cite: Option<String>,
    /// Year of the decision or code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<u16>,
    /// Key of the deciding court, if the parenthesis or the reporter names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub court: Option<String>,
    /// The citing text's own words on the source, from a parenthesis: `quoting Roe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parenthetical: Option<String>,
    /// One past the last byte of that parenthesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parenthetical_end: Option<usize>,
    /// First-named party, or `None` for `In re` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plaintiff: Option<String>,
    /// Second-named party, or the subject of an `In re` name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defendant: Option<String>,
    /// For short and supra forms: the name before the citation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub antecedent: Option<String>,
    /// The signal before it, in lower case (Bluebook rule 1.2): `see also`, `but see`, `cf.`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// What the text says here of the authority's fate: affirmed, overruled, distinguished.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub treatments: Vec<Treatment>,
    /// First byte of the whole reference, case name included.
    pub full_start: usize,
    /// One past the last byte of the whole reference, parenthesis included.
    pub full_end: usize,
}

/// What a text says was done to an authority that it cites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Treatment {
    /// The field's word: `affirmed`, `cert. denied`, `overruled in part`, `distinguished`, `quoted`.
    pub what: String,
    /// Who did it.
    pub by: TreatedBy,
    /// The words that say so.
    pub evidence: Evidence,
}

/// Who affirmed, overruled or distinguished an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TreatedBy {
    /// The paper itself: `we overrule`.
    Paper,
    /// The authority whose citation starts at this byte.
    Citation(usize),
    /// The text does not say: `cert. denied`.
    Unnamed,
}

impl CitationParts {
    /// A citation of the given form whose whole reference is `start..end`.
    pub fn new(form: CitationForm, start: usize, end: usize) -> Self {
        Self {
            form,
            volume: None,
            reporter: None,
            series_of: None,
            page: None,
            section: None,
            pin_cite: None,
            year: None,
            court: None,
            parenthetical: None,
            parenthetical_end: None,
            plaintiff: None,
            defendant: None,
            antecedent: None,
            signal: None,
            treatments: Vec::new(),
            full_start: start,
            full_end: end,
        }
    }
}

/// Further facts of a mention; empty if there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attributes {
    /// Role of a party (`plaintiff`), of a judge (`chief`), or of a date (`filed`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The clients of a lawyer: names or roles, as in the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub represents: Vec<String>,
    /// The parts of a citation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citation: Option<Box<CitationParts>>,
    /// The event of a date, or what a sum of money is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Box<StatedEvent>>,
    /// What a term stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Box<TermUse>>,
}

/// What a term stands for in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TermUse {
    /// Why it does.
    pub rule: TermRule,
    /// The first byte of the definition, or of the party in the caption.
    pub defined_at: usize,
    /// The first byte of the mention whose entity it means; `None` for a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<usize>,
    /// The names of those for whom it stands, as far as the document has them.
    pub names: Vec<String>,
}

/// Why a term stands for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TermRule {
    /// The document defines it: `(the "Company")`.
    Definition,
    /// The document defines it for several together, who stay apart: `(collectively, the "Lenders")`.
    Group,
    /// It is a role that one party of the caption has.
    Role,
}

/// An event that the text states beside a date or a sum of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StatedEvent {
    /// The event or purpose: `filed`, `hired`, `judgment`, `punitive damages`.
    pub what: String,
    /// The words that state it, date or sum included.
    pub evidence: Evidence,
    /// The first byte of the party or person that the sentence says it of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<usize>,
}

/// The words before and after a place in a text, each on one line and without control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Around {
    /// The words before it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub before: String,
    /// The words after it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub after: String,
}

/// One place in a document that names something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mention {
    /// The kind of entity.
    pub kind: EntityKind,
    /// First byte in the document's text.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The bytes `start..end` of the document's text.
    pub text: String,
    /// The name in normal form, without control characters and marks of direction: an ISO date, `USD 125000` (minor units), a reporter's usual abbreviation, a court key.
    pub normal: String,
    /// The words around it; empty until the stage `entities` sets them.
    #[serde(default)]
    pub around: Around,
    /// Further facts from the text.
    #[serde(default)]
    pub attributes: Attributes,
}

impl Mention {
    /// A mention of the bytes `start..end` of `document`.
    ///
    /// Offsets off character boundaries give an empty text.
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
            normal: visible(&normal.into()).into_owned(),
            around: Around::default(),
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

/// One real entity, named by mentions in one or many documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CanonicalEntity {
    /// Stable id: a hash of kind and canonical normal form, so that an entity has one id in every run.
    pub id: String,
    /// The kind of entity.
    pub kind: EntityKind,
    /// Its fullest name.
    pub name: String,
    /// All other forms of the name, sorted.
    pub aliases: Vec<String>,
    /// Number of mentions.
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
    /// A case and the court that hears it.
    CaseCourt,
    /// A case and an authority it cites; also two authorities, of which the first affirms, overrules, quotes or treats
    /// the second otherwise, as the document states.
    Cites,
    /// A case, or a party or person, and the date or sum of money of an event.
    Event,
    /// Two entities named close to each other.
    MentionedTogether,
}

/// The place in a document that shows a relationship, as byte offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Evidence {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A relationship between two canonical entities, with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Relationship {
    /// How they are related.
    pub kind: RelationshipKind,
    /// More about it: the role of the party or of the judge; the treatment of a cited authority, or the signal before
    /// its citation; the event of a date, or the purpose of a sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Id of the first entity (the party, lawyer, judge or citing case).
    pub from: String,
    /// Id of the second entity (the case, party or cited authority).
    pub to: String,
    /// The document that shows it.
    pub document: String,
    /// The first place that shows it.
    pub evidence: Evidence,
    /// Number of places of the document that show it.
    pub weight: f64,
}
