//! The parts of a citation, and what a text says of the authority.

use serde::{Deserialize, Serialize};

use super::evidence::Evidence;

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
    /// A bill, resolution, report or record of a legislature.
    Legislative,
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
    /// Month of the decision, from 1, where the parenthesis has the date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<u8>,
    /// Day of the decision, where the parenthesis has the date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<u8>,
    /// What stands between the citation or its pin page and the parenthesis: `slip op.`, a number of the docket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<String>,
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
    /// The footnote that it stands in, counted from 1 in text order; `None` in the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footnote: Option<u32>,
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
            month: None,
            day: None,
            extra: None,
            court: None,
            parenthetical: None,
            parenthetical_end: None,
            plaintiff: None,
            defendant: None,
            antecedent: None,
            signal: None,
            treatments: Vec::new(),
            footnote: None,
            full_start: start,
            full_end: end,
        }
    }
}
