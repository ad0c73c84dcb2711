//! The data of the document stages: text, chunks, mentions, entities, relationships.

mod citation;
mod evidence;
mod text;

use serde::{Deserialize, Serialize};

pub use citation::{CitationForm, CitationParts, TreatedBy, Treatment};
pub use evidence::Evidence;
pub use text::{Chunk, ExtractedText, FOOTNOTE_END, FOOTNOTE_START, PageSpan, TextSource};

use crate::visible::visible;

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
    /// The extractors that found it, sorted; empty if the rules alone were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// How sure it is by the agreement of the extractors, in percent; `None` if the rules alone were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<u8>,
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
            sources: Vec::new(),
            confidence: None,
        }
    }

    /// Moves it, and the parts of its citation, `by` bytes towards the end: its text is a part of a longer one.
    pub(crate) fn shift(&mut self, by: usize) {
        self.start += by;
        self.end += by;
        if let Some(parts) = self.attributes.citation.as_deref_mut() {
            parts.full_start += by;
            parts.full_end += by;
            parts.parenthetical_end = parts.parenthetical_end.map(|end| end + by);
            parts.treatments.iter_mut().for_each(|treatment| treatment.evidence.shift(by));
        }
        if let Some(event) = self.attributes.event.as_mut() {
            event.evidence.shift(by);
            event.about = event.about.map(|at| at + by);
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
