//! Key names as text and back: names are bytes, and people and files need text.

use std::fmt::Write;

/// The name as text that fits on a line: printable ASCII as it is, everything else as `\xNN`, the
/// backslash doubled. [`unescape`] gives the name back.
#[must_use]
pub fn escape(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    escape_into(&mut text, name);
    text
}

/// Appends the name as [`escape`] writes it.
pub(crate) fn escape_into(text: &mut String, name: &[u8]) {
    for &byte in name {
        match byte {
            b'\\' => text.push_str("\\\\"),
            // A space is written out too, so that a line can hold several names.
            0x21..=0x7e => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
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
            prop_assert!(text.bytes().all(|byte| (0x21..=0x7e).contains(&byte)));
            prop_assert_eq!(unescape(&text), name);
        }
    }

    #[test]
    fn plain_text_and_patterns_are_taken_as_typed() {
        assert_eq!(unescape(r"doc:\*:[a-z]"), br"doc:\*:[a-z]");
        assert_eq!(unescape(r"rk\x06\x16q"), b"rk\x06\x16q");
        assert_eq!(escape("naïve key\n".as_bytes()), r"na\xc3\xafve\x20key\x0a");
    }
}
