//! Typed keys: a template bound to a value type, a database and a TTL.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use crate::{Codec, Error, ErrorKind, Result, escape_glob};

/// The prefix of keys that Compartment stores for itself beside the user's keys, for example the stamps of a cache. A
/// budget evicts them only if no others are left.
pub const HOUSEKEEPING_PREFIX: &str = "compartment:";

/// The pattern of a key, with placeholders: `doc:ocr_result:{document_uuid}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    Literal(String),
    Placeholder(String),
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for an unclosed or empty placeholder, a name used twice, two adjacent
    /// placeholders (the key could not be parsed), or an empty template.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Err(Error::new(
                ErrorKind::Configuration,
                "read key template",
                format!("{text:?}: {what}; a template looks like doc:state:{{document_uuid}}"),
            ))
        };
        if text.is_empty() {
            return wrong("it is empty");
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (literal, after) = rest.split_once('{').map_or((rest, None), |(l, a)| (l, Some(a)));
            if literal.contains('}') {
                return wrong("a } without a {");
            }
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            let Some(after) = after else { break };
            let Some((name, after)) = after.split_once('}') else {
                return wrong("a { without a }");
            };
            let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(good) {
                return wrong("a placeholder must be a name of letters, digits and _");
            }
            if parts.contains(&Part::Placeholder(name.to_owned())) {
                return wrong("it has a placeholder twice");
            }
            if matches!(parts.last(), Some(Part::Placeholder(_))) {
                return wrong("two placeholders are adjacent");
            }
            parts.push(Part::Placeholder(name.to_owned()));
            rest = after;
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// The template as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of the placeholders, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Placeholder(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The key with the placeholders replaced by `values`, in order.
    ///
    /// The characters `: / { } %`, white space and control characters in a value are written as `%` and two hex
    /// digits for each byte, so that two different lists of values never make one key.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the number of values differs from that of the placeholders, or a value is
    /// empty.
    pub fn fill(&self, values: &[&str]) -> Result<String> {
        let wanted = self.placeholders().count();
        if values.len() != wanted || values.iter().any(|value| value.is_empty()) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "make key",
                format!(
                    "template {:?} takes {wanted} non-empty values, but got {}",
                    self.text,
                    values.len()
                ),
            ));
        }
        let mut key = String::with_capacity(self.text.len() + 40);
        let mut values = values.iter();
        for part in &self.parts {
            match part {
                Part::Literal(text) => key.push_str(text),
                Part::Placeholder(_) => values.next().into_iter().for_each(|v| escape(v, &mut key)),
            }
        }
        Ok(key)
    }

    /// Whether `key` can be made from this template.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        self.values(key).is_some()
    }

    /// The values of the placeholders in `key`, in order and as they stand there; `None` if the key cannot be made from
    /// this template.
    #[must_use]
    pub fn values<'k>(&self, key: &'k str) -> Option<Vec<&'k str>> {
        // Our values contain no unescaped separators, but those of other programs may: a placeholder matches at least
        // one character, and the literals must occur in order.
        let (mut rest, mut values) = (key, Vec::new());
        let mut parts = self.parts.iter().peekable();
        let mut is_open = false;
        while let Some(part) = parts.next() {
            match part {
                Part::Placeholder(_) => is_open = true,
                Part::Literal(text) if !is_open => rest = rest.strip_prefix(text.as_str())?,
                Part::Literal(text) => {
                    let at = match parts.peek() {
                        Some(_) => rest.find(text.as_str())?,
                        None => {
                            rest.len() - rest.strip_suffix(text.as_str()).map(|_| text.len())?
                        }
                    };
                    if at == 0 {
                        return None;
                    }
                    values.push(&rest[..at]);
                    rest = &rest[at + text.len()..];
                    is_open = false;
                }
            }
        }
        if is_open == rest.is_empty() {
            return None;
        }
        if is_open {
            values.push(rest);
        }
        Some(values)
    }

    /// The glob pattern of its keys, for a scan.
    #[must_use]
    pub fn glob(&self) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => escape_glob(text),
                Part::Placeholder(_) => "*".to_owned(),
            })
            .collect()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

fn escape(value: &str, into: &mut String) {
    for character in value.chars() {
        if matches!(character, ':' | '/' | '{' | '}' | '%')
            || character.is_control()
            || character.is_whitespace()
        {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                into.push('%');
                for digit in [byte >> 4, byte & 15] {
                    into.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
                }
            }
        } else {
            into.push(character);
        }
    }
}

/// A template bound to a value type, a database, a TTL and a codec. A program declares it once, so that a key cannot
/// be written to the wrong database or with the wrong type.
///
/// ```
/// use compartment_core::KeyTemplate;
/// use std::time::Duration;
///
/// const DOC_STATE: KeyTemplate<String> =
///     KeyTemplate::new("doc_state", "doc:state:{document_uuid}", "cache")
///         .with_ttl(Duration::from_secs(3 * 86_400));
///
/// let key = DOC_STATE.key(&["7f3a"])?;
/// assert_eq!(key.as_str(), "doc:state:7f3a");
/// # Ok::<(), compartment_core::Error>(())
/// ```
pub struct KeyTemplate<V> {
    name: &'static str,
    template: &'static str,
    database: &'static str,
    ttl: Option<Duration>,
    codec: Codec,
    value: PhantomData<fn() -> V>,
}

impl<V> KeyTemplate<V> {
    /// A template with a `name` (as in `[keys]` of the configuration), for values `V` in `database`.
    #[must_use]
    pub const fn new(name: &'static str, template: &'static str, database: &'static str) -> Self {
        Self { name, template, database, ttl: None, codec: Codec::JSON, value: PhantomData }
    }

    /// Sets the template's TTL; `[keys]` of the configuration overrides it.
    #[must_use]
    pub const fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Sets the codec; the default is [`Codec::JSON`].
    #[must_use]
    pub const fn with_codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// The template's name in `[keys]`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The template as written.
    #[must_use]
    pub const fn template(&self) -> &'static str {
        self.template
    }

    /// The database of its keys.
    #[must_use]
    pub const fn database(&self) -> &'static str {
        self.database
    }

    /// The template's TTL, if it has one.
    #[must_use]
    pub const fn ttl(&self) -> Option<Duration> {
        self.ttl
    }

    /// The codec of its values.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The key for these values of the placeholders, in order. See [`Template::fill`].
    ///
    /// # Errors
    /// As [`Template::parse`] and [`Template::fill`].
    pub fn key(&self, values: &[&str]) -> Result<TypedKey<V>> {
        Ok(TypedKey { text: Template::parse(self.template)?.fill(values)?, template: *self })
    }
}

// By hand, because a derive would require `V: Clone`.
impl<V> Clone for KeyTemplate<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for KeyTemplate<V> {}

impl<V> fmt::Debug for KeyTemplate<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyTemplate({} = {:?} in {:?})", self.name, self.template, self.database)
    }
}

/// One key of a [`KeyTemplate`].
pub struct TypedKey<V> {
    template: KeyTemplate<V>,
    text: String,
}

impl<V> TypedKey<V> {
    /// The full name of the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The template it was made from.
    #[must_use]
    pub fn template(&self) -> &KeyTemplate<V> {
        &self.template
    }
}

impl<V> Clone for TypedKey<V> {
    fn clone(&self) -> Self {
        Self { template: self.template, text: self.text.clone() }
    }
}

impl<V> fmt::Debug for TypedKey<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypedKey({:?} in {:?})", self.text, self.template.database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wrong_templates_say_what_is_wrong() {
        for (text, what) in [
            ("", "empty"),
            ("doc:{", "without a }"),
            ("doc:}", "without a {"),
            ("doc:{}", "a placeholder must be a name"),
            ("{a}:{a}", "twice"),
            ("{a}{b}", "adjacent"),
        ] {
            let error = Template::parse(text).unwrap_err().to_string();
            assert!(error.contains(what), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_key_matches_its_template_and_no_other() {
        let template = Template::parse("doc:{kind}:of:{id}:end").unwrap();
        assert!(template.matches("doc:a:of:b:end"));
        assert!(template.matches("doc:a:of:b:c:end"));
        assert!(!template.matches("doc::of:b:end"));
        assert!(!template.matches("doc:a:of:b"));
        assert_eq!(template.values("doc:a:of:b:c:end"), Some(vec!["a", "b:c"]));
        assert_eq!(template.values("doc:a:of::end"), None);
        assert_eq!(template.glob(), "doc:*:of:*:end");
        assert!(Template::parse("plain").unwrap().matches("plain"));
        assert!(!Template::parse("plain").unwrap().matches("plainer"));
    }

    proptest! {
        #[test]
        fn different_values_never_make_one_key(
            a in prop::array::uniform2(".{1,8}"), b in prop::array::uniform2(".{1,8}"),
        ) {
            let template = Template::parse("doc:{a}:{b}").unwrap();
            let fill = |v: &[String; 2]| template.fill(&[&v[0], &v[1]]).unwrap();
            prop_assert_eq!(fill(&a) == fill(&b), a == b);
            prop_assert!(template.matches(&fill(&a)));
            prop_assert!(crate::backend::glob_matches(template.glob().as_bytes(), fill(&a).as_bytes()));
        }
    }

    #[test]
    fn a_missing_or_empty_value_is_an_error() {
        let template = Template::parse("doc:{a}:{b}").unwrap();
        assert!(template.fill(&["x"]).is_err());
        assert!(template.fill(&["x", ""]).is_err());
    }
}
