//! Why a name means an entity: the rule that joins it with the entity's own name.

use serde::{Deserialize, Serialize};

use super::alike::slips;
use super::cases::core;
use super::names::{party_key, person};
use crate::entities::{court_key, normal_name};
use crate::model::{EntityKind, Mention, TermRule};

/// The rule by which two names are one entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The names are equal but for capitals, punctuation, titles and legal forms.
    SameName,
    /// Family name and suffix agree, and every given name or initial that both have; nobody else of the set fits.
    Initials,
    /// A family name, of which the document or the case has one bearer.
    FamilyName,
    /// The beginning or the end of the longer name, of which the document has one.
    PartOfName,
    /// The name of a company with as many other letters as a slip of the pen makes.
    Misspelling,
    /// Both names are those of one court in the table of courts.
    SameCourt,
    /// One docket number, written with or without its office and the judge's initials.
    SameNumber,
    /// Citations of one authority: of its reporters side by side, or a reference back to it.
    SameAuthority,
    /// One date or sum of money, written in other words.
    SameValue,
    /// A term that the document defines for the entity.
    Definition,
    /// A role that only this party of the caption has.
    Role,
    /// Somebody decided that both are one.
    Decision,
    /// A role or another word that stands for the entity in its document.
    StandsFor,
}

impl Reason {
    /// The reason for people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::SameName => {
                "the same name, but for capitals, punctuation, titles and legal forms"
            }
            Self::Initials => "initials and given names agree, and nobody else of the set fits",
            Self::FamilyName => "a family name with one bearer in the document or the case",
            Self::PartOfName => "a part of the longer name, the only one in the document",
            Self::Misspelling => "a slip of the pen in a long name of a company",
            Self::SameCourt => "a name of this court in the table of courts",
            Self::SameNumber => "a form of this docket number",
            Self::SameAuthority => "a citation of this authority, or a reference back to it",
            Self::SameValue => "this value in other words",
            Self::Definition => "a term that the document defines for it",
            Self::Role => "the role that only this party has in the caption",
            Self::Decision => "joined by a decision",
            Self::StandsFor => "it stands for this name in the document",
        }
    }
}

/// The reason for which a mention means the entity of this kind and name.
#[must_use]
pub fn reason_of(kind: EntityKind, name: &str, mention: &Mention) -> Reason {
    match mention.attributes.term.as_deref().map(|term| term.rule) {
        Some(TermRule::Definition | TermRule::Group) => Reason::Definition,
        Some(TermRule::Role) => Reason::Role,
        None => reason(kind, name, &mention.text),
    }
}

/// The reason for which `form`, as it stands in a text, means the entity of this name.
#[must_use]
pub fn reason(kind: EntityKind, name: &str, form: &str) -> Reason {
    match kind {
        EntityKind::Judge | EntityKind::Lawyer => {
            let (whole, short) = (person(&normal_name(name)), person(&normal_name(form)));
            match () {
                () if whole.key() == short.key() => Reason::SameName,
                () if short.given.is_empty() && short.family == whole.family => Reason::FamilyName,
                () if whole.is_compatible(&short) => Reason::Initials,
                () => Reason::StandsFor,
            }
        }
        EntityKind::Party => of_party(&party_key(name), &party_key(form)),
        EntityKind::Court => match (court_key(name), court_key(form)) {
            (Some(one), Some(other)) if one == other => Reason::SameCourt,
            _ if party_key(name) == party_key(form) => Reason::SameName,
            _ => Reason::StandsFor,
        },
        EntityKind::DocketNumber => match (core(name), core(form)) {
            (Some((_, one)), Some((_, other))) if one == other => Reason::SameNumber,
            _ => Reason::SameName,
        },
        EntityKind::Citation | EntityKind::Case => Reason::SameAuthority,
        EntityKind::Date | EntityKind::Money => Reason::SameValue,
        EntityKind::Term => Reason::StandsFor,
    }
}

fn of_party(name: &str, form: &str) -> Reason {
    let is_part = |short: &str, long: &str| {
        long.strip_prefix(short).is_some_and(|rest| rest.starts_with(' '))
            || long.strip_suffix(short).is_some_and(|rest| rest.ends_with(' '))
    };
    if name == form {
        Reason::SameName
    } else if is_part(form, name) || is_part(name, form) {
        Reason::PartOfName
    } else if strsim::osa_distance(name, form) <= slips(name.len().min(form.len())) {
        Reason::Misspelling
    } else {
        Reason::StandsFor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_has_the_rule_that_joins_it() {
        let judge = |form| reason(EntityKind::Judge, "Miriam T. Alder", form);
        assert_eq!(judge("MIRIAM T. ALDER"), Reason::SameName);
        assert_eq!(judge("M. T. Alder"), Reason::Initials);
        assert_eq!(judge("Alder"), Reason::FamilyName);
        let party = |form| reason(EntityKind::Party, "Quillon Freight Incorporated", form);
        assert_eq!(party("QUILLON FREIGHT, INC."), Reason::SameName);
        assert_eq!(party("Quillon Freight"), Reason::PartOfName);
        assert_eq!(party("Quilon Freight, Inc."), Reason::Misspelling);
        assert_eq!(party("Plaintiff"), Reason::StandsFor);
        let court = "United States District Court for the Northern District of California";
        assert_eq!(reason(EntityKind::Court, court, "N.D. Cal."), Reason::SameCourt);
        let docket = reason(EntityKind::DocketNumber, "3:22-CV-09847-MTO", "22-cv-9847");
        assert_eq!(docket, Reason::SameNumber);
    }
}
