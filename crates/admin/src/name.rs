//! Key names as text and back: names are bytes, and people and files need text.

use std::fmt::Write;

/// The name as text that fits on a line: what can be seen as it is, in any script, every other
/// byte as `\xNN`, the backslash doubled. [`unescape`] gives the name back.
///
/// Spaces are written out too, so that a line can hold several names; so is all that steers a
/// terminal or the direction of writing, so that a name cannot pass for another text.
#[must_use]
pub fn escape(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    escape_into(&mut text, name);
    text
}

/// Appends the name as [`escape`] writes it.
pub(crate) fn escape_into(text: &mut String, name: &[u8]) {
    for chunk in name.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\\' => text.push_str("\\\\"),
                letter if is_visible(letter) => text.push(letter),
                letter => bytes_into(text, letter.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        bytes_into(text, chunk.invalid());
    }
}

/// A text of others as it can be shown: whatever is no visible letter or space as `\xNN`.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            letter if letter == ' ' || is_visible(letter) => shown.push(letter),
            letter => bytes_into(&mut shown, letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    shown
}

fn bytes_into(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, "\\x{byte:02x}");
    }
}

/// Whether a letter can be seen, and changes nothing about those around it.
fn is_visible(letter: char) -> bool {
    let steers = matches!(letter,
        // Format characters: soft hyphens, joiners, marks and overrides of direction, tags.
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        // No letters at all, and private ones.
        | '\u{fffe}' | '\u{ffff}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..);
    !letter.is_control() && !letter.is_whitespace() && !steers
}

/// The name that [`escape`] wrote. A lone backslash stands for itself, so that plain names and
/// patterns can be typed as they are.
#[must_use]
pub fn unescape(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut name = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let (byte, length) = match &bytes[at..] {
            [b'\\', b'\\', ..] => (b'\\', 2),
            [b'\\', b'x', high, low, ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high * 16 + low, 4),
                _ => (b'\\', 1),
            },
            _ => (bytes[at], 1),
        };
        name.push(byte);
        at += length;
    }
    name
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_name_comes_back(name in proptest::collection::vec(any::<u8>(), 0..40)) {
            let text = escape(&name);
            prop_assert!(text.chars().all(is_visible));
            prop_assert_eq!(unescape(&text), name);
        }

        #[test]
        fn every_text_comes_back(name in any::<String>()) {
            let text = escape(name.as_bytes());
            prop_assert!(text.chars().all(is_visible));
            prop_assert_eq!(unescape(&text), name.as_bytes());
        }
    }

    #[test]
    fn plain_text_and_patterns_are_taken_as_typed() {
        assert_eq!(unescape(r"doc:\*:[a-z]"), br"doc:\*:[a-z]");
        assert_eq!(unescape(r"rk\x06\x16q"), b"rk\x06\x16q");
        assert_eq!(escape("naïve key\n".as_bytes()), r"naïve\x20key\x0a");
    }

    #[test]
    fn other_scripts_are_shown_and_what_steers_is_not() {
        for name in ["ключ:1", "命令:状態", "e\u{301}tat", "किताब:2", "🔑:1"] {
            assert_eq!(escape(name.as_bytes()), name);
        }
        assert_eq!(escape("a\u{202e}b\u{7f}".as_bytes()), r"a\xe2\x80\xaeb\x7f");
        assert_eq!(escape(b"\xc3\x28"), r"\xc3(");
        assert_eq!(printable("a b\u{1b}[2J\\x00 ключ"), r"a b\x1b[2J\x00 ключ");
    }
}
