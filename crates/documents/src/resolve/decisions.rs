//! What people have decided on entities: which are one, which are not; each decision can be undone.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Most decisions of a set.
const MOST: usize = 10_000;

/// What somebody decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Ruling {
    /// The two are one entity.
    Join,
    /// The two are not one entity, whatever the rules say.
    KeepApart,
    /// What a document calls by this name is an entity of its own.
    Alone,
}

impl Ruling {
    /// The word for it in the file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::KeepApart => "keep-apart",
            Self::Alone => "alone",
        }
    }
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Decision {
    /// Its number, by which it is undone.
    pub number: u32,
    /// What was decided.
    pub ruling: Ruling,
    /// The id of the first entity or form.
    pub one: String,
    /// The id of the second one, or the first half of the SHA-256 of the document.
    pub other: String,
    /// The names for people, which decide nothing.
    pub names: String,
}

/// A line of the file that is none of a decision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no decision: {why}")]
#[non_exhaustive]
pub struct DecisionsError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub why: &'static str,
}

/// The decisions of a set of documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decisions {
    list: Vec<Decision>,
    apart: BTreeSet<(String, String)>,
    alone: BTreeSet<(String, String)>,
}

const HEAD: &str = "# Decisions on the entities of these results, kept by `compartment resolve`.
# One a line: number, decision (join, keep-apart, alone), two ids, names.
";

impl Decisions {
    /// Reads the text of the file. Empty lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// With the first line that is no decision.
    pub fn parse(text: &str) -> Result<Self, DecisionsError> {
        let mut list: Vec<Decision> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let wrong = |why| DecisionsError { line: at + 1, why };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.splitn(5, char::is_whitespace);
            let number = words.next().and_then(|word| word.parse().ok());
            let number = number.ok_or(wrong("it does not begin with a number"))?;
            let ruling = match words.next() {
                Some("join") => Ruling::Join,
                Some("keep-apart") => Ruling::KeepApart,
                Some("alone") => Ruling::Alone,
                _ => return Err(wrong("the decision is none of join, keep-apart, alone")),
            };
            let (Some(one), Some(other)) = (words.next(), words.next()) else {
                return Err(wrong("two ids are missing"));
            };
            if list.iter().any(|known| known.number == number) {
                return Err(wrong("its number is there already"));
            }
            if list.len() >= MOST {
                return Err(wrong("there are too many decisions"));
            }
            let names = words.next().unwrap_or_default().to_owned();
            let (one, other) = (one.to_owned(), other.to_owned());
            list.push(Decision { number, ruling, one, other, names });
        }
        Ok(Self::of(list))
    }

    fn of(list: Vec<Decision>) -> Self {
        let of = |ruling: Ruling| {
            let decided = list.iter().filter(move |one| one.ruling == ruling);
            decided.map(|one| (one.one.clone(), one.other.clone())).collect::<BTreeSet<_>>()
        };
        let apart = of(Ruling::KeepApart);
        let alone = of(Ruling::Alone);
        Self { list, apart, alone }
    }

    /// The text of the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = HEAD.to_owned();
        for Decision { number, ruling, one, other, names } in &self.list {
            let _ = writeln!(text, "{number} {} {one} {other} {names}", ruling.word());
        }
        text
    }

    /// The decisions, the oldest first.
    #[must_use]
    pub fn list(&self) -> &[Decision] {
        &self.list
    }

    /// Whether nothing was decided.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds a decision, and takes back an earlier one on the same two. Returns its number.
    pub fn add(&mut self, ruling: Ruling, one: &str, other: &str, names: &str) -> u32 {
        let number = self.list.iter().map(|known| known.number).max().unwrap_or(0) + 1;
        let mut list = std::mem::take(&mut self.list);
        list.retain(|known| {
            (known.one.as_str(), known.other.as_str()) != (one, other)
                && (known.other.as_str(), known.one.as_str()) != (one, other)
        });
        let names = names.split_whitespace().collect::<Vec<_>>().join(" ");
        let (one, other) = (one.to_owned(), other.to_owned());
        list.push(Decision { number, ruling, one, other, names });
        *self = Self::of(list);
        number
    }

    /// Takes a decision back: the one of this number, or the last. Returns it.
    pub fn undo(&mut self, number: Option<u32>) -> Option<Decision> {
        let last = self.list.len().checked_sub(1)?;
        let at = match number {
            Some(number) => self.list.iter().position(|one| one.number == number)?,
            None => last,
        };
        let mut list = std::mem::take(&mut self.list);
        let undone = list.remove(at);
        *self = Self::of(list);
        Some(undone)
    }

    /// The pairs of ids that are one.
    pub(super) fn joined(&self) -> impl Iterator<Item = (&str, &str)> {
        let joined = self.list.iter().filter(|one| one.ruling == Ruling::Join);
        joined.map(|one| (one.one.as_str(), one.other.as_str()))
    }

    /// The pairs of ids that are kept apart.
    pub(super) fn apart(&self) -> impl Iterator<Item = (&str, &str)> {
        self.apart.iter().map(|(one, other)| (one.as_str(), other.as_str()))
    }

    /// Whether the two ids are kept apart.
    pub(super) fn are_apart(&self, one: &str, other: &str) -> bool {
        let has = |one: &str, other: &str| self.apart.contains(&(one.to_owned(), other.to_owned()));
        !self.apart.is_empty() && (has(one, other) || has(other, one))
    }

    /// Whether the entity of this id is one of its own in the document.
    pub(super) fn is_alone(&self, id: &str, document: &str) -> bool {
        !self.alone.is_empty() && self.alone.contains(&(id.to_owned(), document.to_owned()))
    }

    /// Whether a decision keeps forms within one document apart that a rule may join.
    pub(crate) fn keeps_apart(&self, id: &str) -> bool {
        self.apart().any(|(one, other)| one == id || other == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_kept_as_text() {
        let mut decisions = Decisions::default();
        assert_eq!(decisions.add(Ruling::Join, "party-1", "party-2", "A | B\nC"), 1);
        assert_eq!(decisions.add(Ruling::KeepApart, "judge-1", "judge-2", ""), 2);
        let read = Decisions::parse(&decisions.to_text()).unwrap();
        assert_eq!(read, decisions);
        assert_eq!(read.list()[0].names, "A | B C");
        let error = Decisions::parse("# x\n\n1 joins a b").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 3 is no decision: the decision is none of join, keep-apart, alone"
        );
        assert!(Decisions::parse("1 join a b\n1 join c d").is_err());
    }

    #[test]
    fn the_later_decision_on_two_counts_and_each_can_be_undone() {
        let mut decisions = Decisions::default();
        decisions.add(Ruling::Join, "a", "b", "");
        let number = decisions.add(Ruling::KeepApart, "b", "a", "");
        assert_eq!(decisions.list().len(), 1);
        assert!(decisions.are_apart("a", "b"));
        assert_eq!(decisions.undo(Some(number)).map(|one| one.ruling), Some(Ruling::KeepApart));
        assert!(decisions.is_empty() && decisions.undo(None).is_none());
    }
}
