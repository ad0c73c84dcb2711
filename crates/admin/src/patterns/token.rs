//! Splits a key's name into segments at its separators, and classifies each segment.

use serde::{Deserialize, Serialize};

/// The form of a segment that differs from key to key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub(crate) enum Class {
    /// `7f3a5c1e-…` of 36 characters.
    Uuid,
    /// Digits only.
    Integer,
    /// At least eight hexadecimal digits, at least one of them decimal.
    Hex,
    /// `2026-11-21`.
    Date,
    /// `someone@example.org`.
    Email,
    /// Random characters: base64, nano ids, tokens.
    Token,
    /// Anything else.
    Text,
}

impl Class {
    /// Its name in a pattern: `{uuid}`.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Integer => "int",
            Self::Hex => "hex",
            Self::Date => "date",
            Self::Email => "email",
            Self::Token => "token",
            Self::Text => "id",
        }
    }

    /// Whether values of this class practically never repeat, so that the segment is a placeholder
    /// from the first key on.
    pub(crate) fn varies(self) -> bool {
        match self {
            Self::Uuid | Self::Hex | Self::Date | Self::Email | Self::Token => true,
            Self::Integer | Self::Text => false,
        }
    }
}

/// A segment and the separator before it, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) separator: Option<u8>,
    pub(crate) text: &'a [u8],
    pub(crate) class: Class,
}

/// Maximum number of segments; the rest of the name is one more segment of class `Text`.
const MAX_TOKENS: usize = 20;
/// A longer segment is not a word chosen by a program.
const LONGEST_WORD: usize = 64;

/// Splits `name`. The concatenated parts give the name.
pub(crate) fn tokens<'a>(name: &'a [u8], into: &mut Vec<Token<'a>>) {
    into.clear();
    let mut rest = name;
    let mut separator = None;
    loop {
        if into.len() == MAX_TOKENS {
            into.push(Token { separator, text: rest, class: Class::Text });
            return;
        }
        let (length, class) = first_segment(rest);
        let (text, after) = rest.split_at(length);
        match class {
            Class::Text => push_word(separator, text, into),
            _ => into.push(Token { separator, text, class }),
        }
        let Some((&byte, after)) = after.split_first() else { return };
        if is_separator(byte) {
            separator = Some(byte);
            rest = after;
        } else {
            // Only after a segment that ends by its form, such as a date: `2026-11-21T10`.
            separator = None;
            rest = &rest[length..];
        }
    }
}

/// Pushes a word, or a word and a number: `user17` is `user` and its number.
fn push_word<'a>(separator: Option<u8>, text: &'a [u8], into: &mut Vec<Token<'a>>) {
    let letters = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let digits = text[letters..].iter().all(u8::is_ascii_digit);
    let is_word = letters >= 2 || is_version_word(&text[..letters]);
    if is_word && letters < text.len() && digits {
        let (word, number) = text.split_at(letters);
        into.push(Token { separator, text: word, class: Class::Text });
        into.push(Token { separator: None, text: number, class: Class::Integer });
    } else {
        into.push(Token { separator, text, class: Class::Text });
    }
}

/// Whether a number after this word is a version.
pub(crate) fn is_version_word(word: &[u8]) -> bool {
    const WORDS: [&str; 4] = ["v", "ver", "version", "rev"];
    WORDS.iter().any(|one| word.eq_ignore_ascii_case(one.as_bytes()))
}

pub(crate) fn is_separator(byte: u8) -> bool {
    matches!(byte, b':' | b'/' | b'|' | 0x06 | 0x16) || is_weak_separator(byte)
}

/// Separators that also occur within one value: a UUID, a date, base64, an address.
fn is_weak_separator(byte: u8) -> bool {
    b".-_#,;=!@$ {}[]()<>~".contains(&byte)
}

/// The length and class of the segment at the start of `rest`, up to a separator.
fn first_segment(rest: &[u8]) -> (usize, Class) {
    if is_uuid(rest) {
        return (36, Class::Uuid);
    }
    if is_date(rest) {
        return (10, Class::Date);
    }
    let is_end = |byte: &u8| is_separator(*byte) && !is_weak_separator(*byte);
    let region = &rest[..rest.iter().position(is_end).unwrap_or(rest.len())];
    if is_email(region) {
        return (region.len(), Class::Email);
    }
    // A region without separators is classified below, where hexadecimal digits are tried first.
    let in_pieces = region.iter().any(|byte| is_separator(*byte));
    if in_pieces && !has_words(region) && is_token(region) {
        return (region.len(), Class::Token);
    }
    let length = region.iter().position(|byte| is_separator(*byte)).unwrap_or(region.len());
    (length, class_of(&region[..length]))
}

fn class_of(segment: &[u8]) -> Class {
    if segment.is_empty() {
        Class::Text
    } else if segment.iter().all(u8::is_ascii_digit) {
        Class::Integer
    } else if segment.len() >= 8
        && segment.iter().all(u8::is_ascii_hexdigit)
        && segment.iter().any(u8::is_ascii_digit)
    {
        Class::Hex
    } else if segment.len() > LONGEST_WORD || is_token(segment) {
        Class::Token
    } else {
        Class::Text
    }
}

fn is_uuid(rest: &[u8]) -> bool {
    let Some(text) = rest.get(..36) else { return false };
    let ends = rest.get(36).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    ends && text.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

fn is_date(rest: &[u8]) -> bool {
    let Some(text) = rest.get(..10) else { return false };
    let ends = rest.get(10).is_none_or(|byte| !byte.is_ascii_digit());
    let digits = text.iter().enumerate().all(|(at, byte)| match at {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    ends && digits && matches!(text[0], b'1' | b'2')
}

fn is_email(region: &[u8]) -> bool {
    let Some(at) = region.iter().position(|byte| *byte == b'@') else { return false };
    let (user, host) = (&region[..at], &region[at + 1..]);
    let good = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    !user.is_empty()
        && user.iter().all(good)
        && host.iter().all(good)
        && host.iter().position(|byte| *byte == b'.').is_some_and(|dot| dot > 0)
        && host.last().is_some_and(u8::is_ascii_alphabetic)
}

/// Whether a part between weak separators is an ordinary word: `celery-task-…`.
fn has_words(region: &[u8]) -> bool {
    let is_word = |part: &[u8]| {
        part.len() >= 4
            && part[0].is_ascii_alphabetic()
            && part[1..].iter().all(u8::is_ascii_lowercase)
    };
    region.split(|byte| is_separator(*byte)).any(is_word)
}

/// Whether the characters look random: sixteen or more of base64's, changing between lower case,
/// upper case and digit at least every fourth.
fn is_token(region: &[u8]) -> bool {
    if region.len() < 16 {
        return false;
    }
    let (mut changes, mut last, mut seen) = (0, 0, 0_u8);
    for byte in region {
        let kind = match byte {
            b'a'..=b'z' => 1,
            b'A'..=b'Z' => 2,
            b'0'..=b'9' => 4,
            b'-' | b'_' | b'+' | b'=' => 0,
            _ => return false,
        };
        seen |= kind;
        if kind != 0 && last != 0 && kind != last {
            changes += 1;
        }
        if kind != 0 {
            last = kind;
        }
    }
    (seen == 7 || seen == 5 || seen == 6) && changes * 4 >= region.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(name: &str) -> String {
        let mut list = Vec::new();
        tokens(name.as_bytes(), &mut list);
        let show = |token: &Token<'_>| match token.class {
            Class::Text => String::from_utf8_lossy(token.text).into_owned(),
            class => format!("{{{}}}", class.name()),
        };
        list.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn segments_are_told_apart() {
        for (name, expected) in [
            ("doc:7f3a5c1e-98ab-4c5d-8e6f-0123456789ab:text", "doc {uuid} text"),
            ("user17:profile", "user {int} profile"),
            ("doc:17:v2", "doc {int} v {int}"),
            ("x1:y", "x1 y"),
            ("stat:processed:2026-11-21", "stat processed {date}"),
            ("session:dGhpcyBpcyBhIHRlc3Q0", "session {token}"),
            ("sess:Xk3-9aQz_71bTr5WmPq2", "sess {token}"),
            ("mail:jo.doe@example.org:last", "mail {email} last"),
            ("cache:0123456789abcdef", "cache {hex}"),
            (":1:views", " {int} views"),
            ("celery-task-7f3a5c1e-98ab-4c5d-8e6f-0123456789ab", "celery task {uuid}"),
            ("Session-9f86d081884c7d65", "Session {hex}"),
            ("process_cleanup", "process cleanup"),
            ("", ""),
            ("cafe:decade", "cafe decade"),
            ("q\u{6}\u{16}3", "q  {int}"),
        ] {
            assert_eq!(shown(name), expected, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn the_parts_make_the_name(name in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut list = Vec::new();
            tokens(&name, &mut list);
            let mut whole = Vec::new();
            for token in &list {
                whole.extend(token.separator);
                whole.extend_from_slice(token.text);
            }
            prop_assert_eq!(whole, name);
        }
    }
}
