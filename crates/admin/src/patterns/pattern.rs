//! A pattern of key names: its readable form, and the glob that selects its keys.

use crate::name::escape_glob_into;
use std::fmt;

use super::Class;

/// A sequence of texts and placeholders: `doc:{uuid}:text`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    Literal(Vec<u8>),
    Placeholder(Class),
}

impl Pattern {
    pub(crate) fn push_literal(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        match self.parts.last_mut() {
            Some(Part::Literal(last)) => last.extend_from_slice(text),
            _ => self.parts.push(Part::Literal(text.to_vec())),
        }
    }

    /// Appends a placeholder; adjacent placeholders become one.
    pub(crate) fn push_placeholder(&mut self, class: Class) {
        match self.parts.last_mut() {
            Some(Part::Placeholder(last)) => {
                if *last != class {
                    *last = Class::Text;
                }
            }
            _ => self.parts.push(Part::Placeholder(class)),
        }
    }

    /// The Redis glob that matches its keys. Other keys may match too: see [`Pattern::weight`].
    ///
    /// A placeholder becomes `*`. In a pattern without literal letters that would match every key,
    /// so there a placeholder becomes as narrow as a glob can be.
    #[must_use]
    pub(crate) fn glob(&self) -> Vec<u8> {
        let plain = self.has_words();
        let mut glob = Vec::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => escape_glob_into(text, &mut glob),
                Part::Placeholder(_) if plain => glob.push(b'*'),
                Part::Placeholder(class) => glob.extend_from_slice(narrow(*class)),
            }
        }
        glob
    }

    /// Whether its glob would match names of any kind: it has no word, and no placeholder with a
    /// narrow glob.
    #[must_use]
    pub(crate) fn takes_all(&self) -> bool {
        let is_open =
            |part: &Part| matches!(part, Part::Placeholder(class) if narrow(*class) == b"*");
        !self.has_words() && self.parts.iter().any(is_open)
    }

    fn has_words(&self) -> bool {
        self.parts.iter().any(
            |part| matches!(part, Part::Literal(text) if text.iter().any(u8::is_ascii_alphanumeric)),
        )
    }

    /// How specific it is: of two patterns that match a key, the heavier one is the right one. The
    /// number of literal bytes, then of placeholders with a form.
    #[must_use]
    pub(crate) fn weight(&self) -> (usize, usize) {
        let mut weight = (0, 0);
        for part in &self.parts {
            match part {
                Part::Literal(text) => weight.0 += text.len(),
                Part::Placeholder(class) => weight.1 += usize::from(*class != Class::Text),
            }
        }
        weight
    }

    /// A pattern for the keys of both; where they differ, it has a placeholder for any text.
    pub(crate) fn widened(&self, other: &Self) -> Self {
        let mut both = Self::default();
        for (mine, theirs) in self.parts.iter().zip(&other.parts) {
            match (mine, theirs) {
                (Part::Literal(text), _) => both.push_literal(text),
                (Part::Placeholder(a), Part::Placeholder(b)) if a == b => both.push_placeholder(*a),
                _ => both.push_placeholder(Class::Text),
            }
        }
        both
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.parts.is_empty() {
            return f.write_str("(the empty name)");
        }
        for part in &self.parts {
            match part {
                Part::Literal(text) => f.write_str(&crate::escape(text))?,
                Part::Placeholder(class) => write!(f, "{{{}}}", class.name())?,
            }
        }
        Ok(())
    }
}

/// The narrowest glob for a value of the class.
fn narrow(class: Class) -> &'static [u8] {
    match class {
        Class::Uuid => b"????????-????-????-????-????????????",
        Class::Integer => b"[0-9]*",
        Class::Hex => b"[0-9a-fA-F]*[0-9a-fA-F]",
        Class::Date => b"[12][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]",
        Class::Email => b"*@*",
        Class::Token | Class::Text => b"*",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use compartment_core::backend::glob_matches;
    use proptest::prelude::*;

    fn exact(name: &[u8]) -> Pattern {
        let mut pattern = Pattern::default();
        pattern.push_literal(name);
        pattern
    }

    #[test]
    fn a_pattern_reads_well_and_selects_its_keys() {
        let mut pattern = exact(b"doc:");
        pattern.push_placeholder(Class::Uuid);
        pattern.push_literal(b":text");
        assert_eq!(pattern.to_string(), "doc:{uuid}:text");
        assert_eq!(pattern.glob(), b"doc:*:text");
        let mut bare = Pattern::default();
        bare.push_placeholder(Class::Uuid);
        assert!(glob_matches(&bare.glob(), b"7f3a5c1e-98ab-4c5d-8e6f-0123456789ab"));
        assert!(!glob_matches(&bare.glob(), b"doc:1"));
        assert!(!bare.takes_all() && !pattern.takes_all());
        let mut token = Pattern::default();
        token.push_placeholder(Class::Token);
        assert!(token.takes_all());
    }

    proptest! {
        #[test]
        fn an_exact_pattern_selects_one_name(
            name in prop::collection::vec(any::<u8>(), 0..20),
            other in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let glob = exact(&name).glob();
            prop_assert!(glob_matches(&glob, &name));
            prop_assert_eq!(glob_matches(&glob, &other), name == other);
        }
    }
}
