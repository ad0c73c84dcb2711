//! Patterns of keys: Redis's globs, and placeholders as in templates.

use std::fmt;

use crate::glob::glob_matches;
use crate::{Error, ErrorKind, Result, Template, escape_glob};

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 1_024;

/// A pattern of keys: `page:*`, `session:{id}`, `bull:{*}:wait`.
///
/// `*`, `?`, `[a-z]`, `[^a]` and `\` before the next character mean what they mean in Redis's `SCAN … MATCH`. `{name}`
/// and `{*}` match one byte or more; a brace that is a part of the key is written as `\{`. It matches whole keys, by
/// their bytes, without allocating.
///
/// ```
/// use compartment_core::KeyPattern;
///
/// let jobs = KeyPattern::parse("bull:{queue}:*")?;
/// assert!(jobs.matches(b"bull:mail:wait") && jobs.matches(b"bull:mail:"));
/// assert!(!jobs.matches(b"bull::wait"));
/// assert_eq!(jobs.literal(), b"bull:");
/// # Ok::<(), compartment_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyPattern {
    text: String,
    literal: Vec<u8>,
    rest: Rest,
}

/// What follows the literal beginning of a pattern. Most patterns are one of the first three, which are decided
/// without a walk through the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Rest {
    /// Nothing: the key is the literal.
    End,
    /// At least this many bytes.
    Bytes(usize),
    /// At least this many bytes, and then these.
    Suffix(usize, Vec<u8>),
    /// A glob.
    Glob(Vec<u8>),
}

/// One element of a pattern.
enum Element {
    Literal(u8),
    /// `?`
    Byte,
    /// `*`
    Bytes,
    /// A class with its brackets.
    Class(Vec<u8>),
}

impl KeyPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for an empty pattern, a pattern of more than 1,024 bytes, a `[` without its `]`, a `\`
    /// at the end, and a `{` that begins no placeholder.
    pub fn parse(text: &str) -> Result<Self> {
        let elements = elements(text.as_bytes()).map_err(|what| {
            let message = format!("{text:?}: {what}");
            Error::new(ErrorKind::Configuration, "read key pattern", message)
        })?;
        Ok(Self::of(text.to_owned(), &elements))
    }

    /// The pattern of the keys of a template behind a prefix.
    ///
    /// # Errors
    /// None for a template that is one; as [`KeyPattern::parse`].
    pub fn of_template(prefix: &str, template: &Template) -> Result<Self> {
        let mut text = escape_glob(prefix).replace('{', "\\{");
        let mut rest = template.as_str();
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            text.push_str(&escape_glob(literal));
            text.extend(["{", name, "}"]);
            rest = after;
        }
        text.push_str(&escape_glob(rest));
        Self::parse(&text)
    }

    fn of(text: String, elements: &[Element]) -> Self {
        let as_literal = |element: &Element| match element {
            Element::Literal(byte) => Some(*byte),
            Element::Byte | Element::Bytes | Element::Class(_) => None,
        };
        let literal: Vec<u8> = elements.iter().map_while(as_literal).collect();
        let behind = elements.get(literal.len()..).unwrap_or_default();
        let is_open = |element: &&Element| matches!(element, Element::Byte | Element::Bytes);
        let open = behind.iter().take_while(is_open).count();
        let (open, suffix) = behind.split_at(open);
        let least = open.iter().filter(|element| matches!(element, Element::Byte)).count();
        let has_star = least < open.len();
        let rest = match suffix.iter().map(as_literal).collect::<Option<Vec<u8>>>() {
            _ if behind.is_empty() => Rest::End,
            Some(suffix) if has_star && suffix.is_empty() => Rest::Bytes(least),
            Some(suffix) if has_star => Rest::Suffix(least, suffix),
            _ => Rest::Glob(glob(behind)),
        };
        Self { text, literal, rest }
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The bytes that every key of it begins with.
    #[must_use]
    pub fn literal(&self) -> &[u8] {
        &self.literal
    }

    /// Whether the pattern is of one key, its literal.
    #[must_use]
    pub fn is_one_key(&self) -> bool {
        self.rest == Rest::End
    }

    /// Whether each key of `other` is certainly one of this pattern: it is the same, or this one takes every key with a
    /// beginning that the other's keys have. `false` says nothing.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let takes_behind = |least: usize| match other.literal.strip_prefix(self.literal.as_slice())
        {
            Some(behind) => behind.len() >= least,
            None => false,
        };
        let is_same = self.literal == other.literal && self.rest == other.rest;
        is_same || matches!(self.rest, Rest::Bytes(least) if takes_behind(least))
    }

    /// Whether it is a pattern of this key.
    #[must_use]
    pub fn matches(&self, key: &[u8]) -> bool {
        // Comparing no bytes is not free: with AVX-512 the C library reads from the address of an empty list, which
        // is no place in memory, and the processor takes 0.1 us to find that out.
        let rest = match self.literal.is_empty() {
            true => Some(key),
            false => key.strip_prefix(self.literal.as_slice()),
        };
        let Some(rest) = rest else { return false };
        match &self.rest {
            Rest::End => rest.is_empty(),
            Rest::Bytes(least) => rest.len() >= *least,
            Rest::Suffix(least, suffix) => {
                rest.len() >= least + suffix.len() && rest.ends_with(suffix)
            }
            Rest::Glob(glob) => glob_matches(glob, rest),
        }
    }
}

impl fmt::Display for KeyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

fn elements(pattern: &[u8]) -> Result<Vec<Element>, &'static str> {
    if pattern.is_empty() {
        return Err("a pattern of keys is not empty; * matches every key");
    }
    if pattern.len() > MAX_PATTERN {
        return Err("a pattern of keys has at most 1024 bytes; end it with a * earlier");
    }
    let (mut elements, mut at) = (Vec::new(), 0);
    while let Some(byte) = pattern.get(at) {
        at += 1;
        match byte {
            b'*' => elements.push(Element::Bytes),
            b'?' => elements.push(Element::Byte),
            b'\\' => {
                let Some(byte) = pattern.get(at) else {
                    return Err("a \\ at the end; a \\ in a key is written as \\\\");
                };
                elements.push(Element::Literal(*byte));
                at += 1;
            }
            b'[' => {
                let end = class_end(pattern, at)
                    .ok_or("a [ without a ]; a [ in a key is written as \\[")?;
                elements
                    .push(Element::Class(pattern.get(at - 1..end).unwrap_or_default().to_vec()));
                at = end;
            }
            b'{' => {
                let length = placeholder(pattern.get(at..).unwrap_or_default()).ok_or(
                    "a { begins a placeholder such as {id} or {*}; a { in a key is written as \\{",
                )?;
                elements.extend([Element::Byte, Element::Bytes]);
                at += length;
            }
            literal => elements.push(Element::Literal(*literal)),
        }
    }
    Ok(elements)
}

/// The position behind the class that begins at `at`, behind its `[`.
fn class_end(pattern: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match pattern.get(at)? {
            b'\\' => at += 2,
            b']' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// The bytes of a placeholder behind its `{`.
fn placeholder(text: &[u8]) -> Option<usize> {
    let end = text.iter().position(|byte| *byte == b'}')?;
    let name = text.get(..end)?;
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let is_name = !name.is_empty() && name.iter().all(is_letter);
    (is_name || name == b"*").then_some(end + 1)
}

/// The elements as a glob of Redis. Several `*` in a row are one.
fn glob(elements: &[Element]) -> Vec<u8> {
    let mut glob = Vec::new();
    let mut is_behind_star = false;
    for element in elements {
        match element {
            Element::Bytes if is_behind_star => {}
            Element::Bytes => glob.push(b'*'),
            Element::Byte => glob.push(b'?'),
            Element::Literal(byte) => {
                if matches!(byte, b'*' | b'?' | b'[' | b'\\') {
                    glob.push(b'\\');
                }
                glob.push(*byte);
            }
            Element::Class(class) => glob.extend_from_slice(class),
        }
        is_behind_star = matches!(element, Element::Bytes);
    }
    glob
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> KeyPattern {
        KeyPattern::parse(text).unwrap()
    }

    #[test]
    fn patterns_match_whole_keys_by_their_bytes() {
        for (text, yes, no) in [
            ("page", &["page"][..], &["pages", "pag", ""][..]),
            ("page:*", &["page:", "page:1", "page:\u{0}"], &["page", "xpage:1"]),
            ("session:{id}", &["session:a", "session:a:b"], &["session:", "session"]),
            ("session:{*}", &["session:a"], &["session:"]),
            ("bull:{*}:wait", &["bull:q:wait", "bull:a:b:wait"], &["bull::wait", "bull:wait"]),
            ("a*:b?", &["a:b1", "axx:b2"], &["a:b", "a:b12"]),
            ("*", &["", "anything"], &[]),
            ("**", &["", "anything"], &[]),
            ("?*", &["a"], &[""]),
            ("[ab]x\\*", &["ax*", "bx*"], &["cx*", "axx"]),
            ("asynq:\\{{queue}}:*", &["asynq:{mail}:pending"], &["asynq:mail:pending"]),
            ("[{]a", &["{a"], &["a"]),
            ("{a}-{b}", &["1-2", "1--2"], &["-2", "1-"]),
            ("\u{e9}?", &["\u{e9}1"], &["e1"]),
        ] {
            let pattern = pattern(text);
            assert_eq!(pattern.as_str(), text);
            for key in yes {
                assert!(pattern.matches(key.as_bytes()), "{text} {key:?}");
            }
            for key in no {
                assert!(!pattern.matches(key.as_bytes()), "{text} {key:?}");
            }
        }
        assert!(pattern("a?").matches(b"a\xff"));
    }

    #[test]
    fn a_wrong_pattern_says_how_the_letter_is_written() {
        for (text, says) in [
            ("", "* matches every key"),
            ("a[b", "\\["),
            ("a[b\\]", "\\["),
            ("a\\", "\\\\"),
            ("a{b", "\\{"),
            ("a{}", "{*}"),
            ("a{b:*}", "{id}"),
            ("a{b c}", "{id}"),
        ] {
            let error = KeyPattern::parse(text).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains(&format!("{text:?}")), "{error}");
        }
        assert!(KeyPattern::parse(&"a".repeat(1_024)).is_ok());
        let error = KeyPattern::parse(&"a".repeat(1_025)).unwrap_err().to_string();
        assert!(error.contains("1024 bytes"), "{error}");
    }

    #[test]
    fn the_literal_beginning_is_without_its_escapes() {
        assert_eq!(pattern("a\\*b\\{c*").literal(), b"a*b{c");
        assert_eq!(pattern("*a").literal(), b"");
        assert!(pattern("a\\?").is_one_key() && !pattern("a?").is_one_key());
    }

    #[test]
    fn a_template_is_a_pattern_behind_its_prefix() {
        let template = Template::parse("doc*:{id}:text").unwrap();
        let pattern = KeyPattern::of_template("{app}:", &template).unwrap();
        assert!(pattern.matches(b"{app}:doc*:7:text"));
        for key in ["{app}:docs:7:text", "doc*:7:text", "{app}:doc*::text", "app:doc*:7:text"] {
            assert!(!pattern.matches(key.as_bytes()), "{key}");
        }
        assert_eq!(pattern.literal(), b"{app}:doc*:");
    }

    /// Matching by trying everything.
    fn naive(elements: &[Element], key: &[u8]) -> bool {
        match elements {
            [] => key.is_empty(),
            [Element::Bytes, rest @ ..] => (0..=key.len()).any(|n| naive(rest, &key[n..])),
            [one, rest @ ..] => {
                let Some((first, behind)) = key.split_first() else { return false };
                let fits = match one {
                    Element::Literal(byte) => byte == first,
                    Element::Byte | Element::Bytes => true,
                    Element::Class(class) => glob_matches(class, &[*first]),
                };
                fits && naive(rest, behind)
            }
        }
    }

    #[test]
    fn a_pattern_covers_those_whose_keys_it_takes() {
        for (one, other, expected) in [
            ("page:*", "page:1*", true),
            ("page:*", "page:{id}", true),
            ("page:{id}", "page:*", false),
            ("page:{id}", "page:1", true),
            ("*", "[ab]c", true),
            ("page:1*", "page:*", false),
            ("a{x}b", "a{y}b", true),
            ("a*b", "axb", false),
        ] {
            assert_eq!(pattern(one).covers(&pattern(other)), expected, "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn matching_is_as_trying_everything(
            text in "([ab:*?]|\\{\\*\\}|\\{b\\}|\\[a:\\]|\\[\\^a\\]|\\\\\\{|\\\\\\*){1,8}",
            keys in prop::collection::vec("[ab:{*]{0,8}", 20),
        ) {
            let pattern = pattern(&text);
            let elements = elements(text.as_bytes()).unwrap();
            for key in keys {
                prop_assert_eq!(
                    pattern.matches(key.as_bytes()), naive(&elements, key.as_bytes()),
                    "{} {:?}", text, key
                );
            }
        }

        #[test]
        fn a_covered_pattern_has_no_key_of_its_own(
            one in "([ab*]|\\{x\\}){1,4}",
            other in "([ab*?]|\\{x\\}){1,4}",
            keys in prop::collection::vec("[ab]{0,5}", 20),
        ) {
            let (one, other) = (pattern(&one), pattern(&other));
            if one.covers(&other) {
                for key in keys {
                    prop_assert!(!other.matches(key.as_bytes()) || one.matches(key.as_bytes()));
                }
            }
        }

        #[test]
        fn no_text_is_a_pattern_that_panics(text in "[ab{}*?\\[\\]\\\\^-]{0,12}", key in "[ab{}]{0,6}") {
            if let Ok(pattern) = KeyPattern::parse(&text) {
                prop_assert!(!pattern.matches(key.as_bytes()) || key.as_bytes().starts_with(pattern.literal()));
            }
        }
    }
}
