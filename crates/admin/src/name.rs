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

/// A glob as text: UTF-8 as it is, and each byte that cannot be typed as `\xNN`. [`read_glob`] gives
/// the glob back, and Redis reads the text as it stands where it has no such byte.
#[must_use]
pub fn glob_text(glob: &[u8]) -> String {
    let mut text = String::with_capacity(glob.len());
    for chunk in glob.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                letter if letter.is_control() => {
                    let mut bytes = [0; 4];
                    write_bytes(&mut text, letter.encode_utf8(&mut bytes).as_bytes());
                }
                letter => text.push(letter),
            }
        }
        write_bytes(&mut text, chunk.invalid());
    }
    text
}

fn write_bytes(text: &mut String, bytes: &[u8]) {
    // A backslash before it would change what follows, and says nothing of such a byte.
    if !bytes.is_empty() && text.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1 {
        text.pop();
    }
    for byte in bytes {
        let _ = write!(text, "\\x{byte:02x}");
    }
}

/// The glob that a text says: Redis's own rules, and `\xNN` for a byte that cannot be typed, which
/// is below 20, 7f, or above. (Redis takes the `x` of it for a plain letter. Of a byte that can be
/// typed, as `\x41`, we do too.)
#[must_use]
pub fn read_glob(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut glob = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let length = match &bytes[at..] {
            [b'\\', b'x', high, low, ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) if !(0x20..0x7f).contains(&(high * 16 + low)) => {
                    glob.push(high * 16 + low);
                    at += 4;
                    continue;
                }
                _ => 2,
            },
            [b'\\', _, ..] => 2,
            _ => 1,
        };
        glob.extend_from_slice(&bytes[at..at + length]);
        at += length;
    }
    glob
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

    proptest! {
        #[test]
        fn a_glob_of_a_name_comes_back(name in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut glob = Vec::new();
            crate::patterns::escape_glob_into(&name, &mut glob);
            prop_assert_eq!(read_glob(&glob_text(&glob)), glob);
        }

        #[test]
        fn any_glob_means_the_same_once_written(
            glob in proptest::collection::vec(prop_oneof![Just(b'\\'), Just(b'*'), any::<u8>()], 0..12),
            name in proptest::collection::vec(any::<u8>(), 0..12),
        ) {
            let back = read_glob(&glob_text(&glob));
            let is_odd = glob.windows(3).any(|part| part[0] == b'\\' && part[1] == b'x');
            prop_assert!(is_odd || compartment_core::glob_matches(&back, &name)
                == compartment_core::glob_matches(&glob, &name));
        }
    }

    #[test]
    fn a_glob_is_redis_own() {
        for text in
            [r"App\\Models\\User", r"a\*b", r"[a-z]\?", r"\x41", r"a\", "caf\u{e9} *", r"\\xff"]
        {
            assert_eq!(read_glob(text), text.as_bytes(), "{text}");
            assert_eq!(glob_text(text.as_bytes()), text);
        }
        assert_eq!(read_glob(r"rk\x06\xff*"), b"rk\x06\xff*");
        assert_eq!(glob_text(b"rk\x06\xff*"), r"rk\x06\xff*");
    }

    #[test]
    fn plain_text_and_patterns_are_taken_as_typed() {
        assert_eq!(unescape(r"doc:\*:[a-z]"), br"doc:\*:[a-z]");
        assert_eq!(unescape(r"rk\x06\x16q"), b"rk\x06\x16q");
        assert_eq!(escape("naïve key\n".as_bytes()), r"na\xc3\xafve\x20key\x0a");
    }
}
