//! Key names as text and back: names are bytes, and people and files need text.

use std::fmt::Write;

/// The name as one line of text: visible characters of any script unchanged, every other byte as
/// `\xNN`, the backslash doubled. [`unescape`] reverses it.
///
/// Spaces are escaped, so that a line can hold several names. Characters that control a terminal or
/// the direction of writing are escaped, so that a name cannot look like another text.
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

/// Foreign text made safe to display: everything but visible characters and spaces becomes `\xNN`.
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

/// The text of a JSON document, or of another format with the escapes of JSON, made safe to display: visible
/// characters, spaces, tabs and line ends are kept, everything else becomes `\uNNNN`. The document keeps its meaning,
/// since JSON has such characters only in strings.
#[must_use]
pub fn printable_in_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, ' ' | '\n' | '\t') || is_visible(letter) {
            shown.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            let _ = write!(shown, "\\u{unit:04x}");
        }
    }
    shown
}

fn bytes_into(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, "\\x{byte:02x}");
    }
}

/// Whether a character is visible and does not affect the characters around it.
fn is_visible(letter: char) -> bool {
    let steers = matches!(letter,
        // Format characters: soft hyphens, joiners, marks and overrides of direction, tags.
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        // Noncharacters and private use.
        | '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..);
    !letter.is_control() && !letter.is_whitespace() && !steers
}

/// The name that [`escape`] wrote. A lone backslash is kept, so that plain names and patterns can
/// be typed unchanged.
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

/// A glob as text: UTF-8 unchanged, and each byte that cannot be typed as `\xNN`. [`read_glob`]
/// reverses it. Redis understands the text directly if it has no `\xNN`.
#[must_use]
pub fn glob_text(glob: &[u8]) -> String {
    let mut text = String::with_capacity(glob.len());
    for chunk in glob.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                letter if letter != ' ' && !is_visible(letter) => {
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
    // A backslash before the byte would escape the `\xNN` that follows, and has no effect on the
    // byte itself.
    if !bytes.is_empty() && text.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1 {
        text.pop();
    }
    for byte in bytes {
        let _ = write!(text, "\\x{byte:02x}");
    }
}

/// Appends `text` as a glob that matches itself only. Works on bytes.
pub(crate) fn escape_glob_into(text: &[u8], glob: &mut Vec<u8>) {
    for &byte in text {
        // `-` and `^` are special only in brackets, which are escaped.
        if b"*?[]\\".contains(&byte) {
            glob.push(b'\\');
        }
        glob.push(byte);
    }
}

/// The pattern that matches only this name, in the form that commands accept.
#[must_use]
pub fn glob_of_name(name: &[u8]) -> String {
    let mut glob = Vec::with_capacity(name.len());
    escape_glob_into(name, &mut glob);
    glob_text(&glob)
}

/// Reads a glob: Redis's rules, and `\xNN` for a byte that cannot be typed (below 20, or 7f and
/// above). Redis takes the `x` for a plain letter, and so do we before a byte that can be typed,
/// such as `\x41`.
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

    proptest! {
        #[test]
        fn a_glob_of_a_name_comes_back(name in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut glob = Vec::new();
            escape_glob_into(&name, &mut glob);
            prop_assert_eq!(read_glob(&glob_text(&glob)), glob);
        }

        #[test]
        fn any_glob_means_the_same_once_written(
            glob in proptest::collection::vec(prop_oneof![Just(b'\\'), Just(b'*'), any::<u8>()], 0..12),
            name in proptest::collection::vec(any::<u8>(), 0..12),
        ) {
            let back = read_glob(&glob_text(&glob));
            let is_odd = glob.windows(3).any(|part| part[0] == b'\\' && part[1] == b'x');
            prop_assert!(is_odd || compartment_core::backend::glob_matches(&back, &name)
                == compartment_core::backend::glob_matches(&glob, &name));
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
