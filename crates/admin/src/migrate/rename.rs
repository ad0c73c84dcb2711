//! A new naming convention: `old:{id}` becomes `doc:state:{id}`.

use crate::{AdminError, Result, escape, unescape};

/// Turns names of one form into names of another. A placeholder in braces stands for one or more
/// bytes. A name is split from the left, each placeholder as short as possible, and the last one
/// takes the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    from: Vec<Part>,
    to: Vec<Part>,
    /// The forms as typed.
    forms: (String, String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Placeholder(String),
}

impl Rename {
    /// Reads both forms.
    ///
    /// # Errors
    /// When a form cannot be read, or two names could become equal: every placeholder has to occur
    /// once in each form.
    pub fn parse(from: &str, to: &str) -> Result<Self> {
        let (old, new) = (parts(from)?, parts(to)?);
        let names = |form: &[Part]| {
            let mut names: Vec<String> = form
                .iter()
                .filter_map(|part| match part {
                    Part::Placeholder(name) => Some(name.clone()),
                    Part::Text(_) => None,
                })
                .collect();
            names.sort();
            names
        };
        let (old_names, new_names) = (names(&old), names(&new));
        let twice = old_names.windows(2).any(|pair| pair[0] == pair[1]);
        if old_names != new_names || twice {
            return Err(AdminError::Invalid(format!(
                "rename {from:?} to {to:?}: each placeholder must be in both templates exactly once, \
                 or two keys could end as one"
            )));
        }
        let beside = |form: &[Part]| {
            form.windows(2).any(|p| matches!(p, [Part::Placeholder(_), Part::Placeholder(_)]))
        };
        if beside(&old) || beside(&new) {
            return Err(AdminError::Invalid(format!(
                "rename {from:?} to {to:?}: there must be some text between two placeholders"
            )));
        }
        Ok(Self { from: old, to: new, forms: (from.to_owned(), to.to_owned()) })
    }

    /// Both forms, as they were typed.
    #[must_use]
    pub fn forms(&self) -> (&str, &str) {
        (&self.forms.0, &self.forms.1)
    }

    /// The reverse renaming.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let (from, to) = &self.forms;
        Self { from: self.to.clone(), to: self.from.clone(), forms: (to.clone(), from.clone()) }
    }

    /// A glob that every name of the first form matches.
    pub(crate) fn pattern(&self) -> Vec<u8> {
        let mut glob = Vec::new();
        for part in &self.from {
            match part {
                Part::Text(text) => {
                    for &byte in text {
                        if b"*?[]\\^".contains(&byte) {
                            glob.push(b'\\');
                        }
                        glob.push(byte);
                    }
                }
                Part::Placeholder(_) => glob.push(b'*'),
            }
        }
        glob
    }

    /// The new name; `None` for a name that does not have the first form, or cannot be renamed
    /// back.
    #[must_use]
    pub fn apply(&self, name: &[u8]) -> Option<Vec<u8>> {
        let new = fill(&self.to, &take_apart(&self.from, name)?);
        // A value may contain a separator of the other form; such a name could collide with another
        // one.
        let back = fill(&self.from, &take_apart(&self.to, &new)?);
        (back == name).then_some(new)
    }
}

fn parts(form: &str) -> Result<Vec<Part>> {
    let wrong = |what: &str| AdminError::Invalid(format!("the form {form:?}: {what}"));
    let mut parts = Vec::new();
    let mut rest = form;
    while let Some((text, after)) = rest.split_once('{') {
        if !text.is_empty() {
            parts.push(Part::Text(unescape(text)));
        }
        let (name, after) = after.split_once('}').ok_or_else(|| wrong("a { is not closed"))?;
        if name.is_empty() {
            return Err(wrong("a placeholder needs a name"));
        }
        parts.push(Part::Placeholder(name.to_owned()));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(unescape(rest)));
    }
    if parts.is_empty() {
        return Err(wrong("it is empty"));
    }
    Ok(parts)
}

fn take_apart<'a>(form: &'a [Part], name: &'a [u8]) -> Option<Vec<(&'a str, &'a [u8])>> {
    let mut rest = name;
    let mut values = Vec::new();
    let mut parts = form.iter().peekable();
    while let Some(part) = parts.next() {
        match part {
            Part::Text(text) => rest = rest.strip_prefix(text.as_slice())?,
            Part::Placeholder(placeholder) => {
                let last = parts.len() == 1;
                let end = match parts.peek() {
                    // The text after the last placeholder has to end the name.
                    Some(Part::Text(text)) if last => rest.strip_suffix(text.as_slice())?.len(),
                    Some(Part::Text(text)) => find(rest, text)?,
                    _ => rest.len(),
                };
                if end == 0 {
                    return None;
                }
                values.push((placeholder.as_str(), &rest[..end]));
                rest = &rest[end..];
            }
        }
    }
    rest.is_empty().then_some(values)
}

/// Position of `text` in `name`, after at least one byte.
fn find(name: &[u8], text: &[u8]) -> Option<usize> {
    (1..name.len()).find(|at| name[*at..].starts_with(text))
}

fn fill(form: &[Part], values: &[(&str, &[u8])]) -> Vec<u8> {
    let mut name = Vec::new();
    for part in form {
        match part {
            Part::Text(text) => name.extend_from_slice(text),
            Part::Placeholder(wanted) => {
                let value = values.iter().find(|(placeholder, _)| placeholder == wanted);
                name.extend_from_slice(value.map_or(b"".as_slice(), |(_, value)| value));
            }
        }
    }
    name
}

impl std::fmt::Display for Rename {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (from, to) = &self.forms;
        write!(f, "{} -> {}", escape(from.as_bytes()), escape(to.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use compartment_core::backend::glob_matches;
    use proptest::prelude::*;

    fn renamed(from: &str, to: &str, name: &str) -> Option<String> {
        let new = Rename::parse(from, to).unwrap().apply(name.as_bytes())?;
        Some(String::from_utf8(new).unwrap())
    }

    #[test]
    fn names_of_the_form_are_renamed_and_others_are_left() {
        let r = |name| renamed("old:{id}", "doc:state:{id}", name);
        assert_eq!(r("old:7").as_deref(), Some("doc:state:7"));
        assert_eq!(r("old:"), None);
        assert_eq!(r("older:7"), None);
        let r = |name| renamed("{app}:{id}:text", "text:{id}:{app}", name);
        assert_eq!(r("web:a:text").as_deref(), Some("text:a:web"));
        assert_eq!(r("web:a:other"), None);
        // `b:c` would be split differently on the way back.
        assert_eq!(r("web:b:c:text"), None);
    }

    #[test]
    fn forms_that_lose_something_are_refused() {
        assert!(Rename::parse("a:{x}", "b").is_err());
        assert!(Rename::parse("a:{x}", "b:{y}").is_err());
        assert!(Rename::parse("a:{x}{y}", "b:{x}:{y}").is_err());
        assert!(Rename::parse("a:{x", "b:{x}").is_err());
        assert!(Rename::parse("", "").is_err());
    }

    proptest! {
        #[test]
        fn no_two_names_become_one(a in "[ab:]{0,8}", b in "[ab:]{0,8}") {
            let rename = Rename::parse("{x}:{y}", "{y}a{x}").unwrap();
            let (a, b) = (a.as_bytes(), b.as_bytes());
            let (new_a, new_b) = (rename.apply(a), rename.apply(b));
            if new_a.is_some() {
                prop_assert!(glob_matches(&rename.pattern(), a));
            }
            if a != b && new_a.is_some() {
                prop_assert_ne!(new_a, new_b);
            }
        }
    }
}
