//! Names of others as text that cannot look like another text.

use std::fmt::{Display, Formatter, Result, Write};

/// Bytes to show: visible characters and spaces as they are, a backslash doubled, every other byte as `\xNN`. So a key
/// can be given back to a command as it was shown.
pub(super) struct Shown<'a>(pub(super) &'a [u8]);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for chunk in self.0.utf8_chunks() {
            for letter in chunk.valid().chars() {
                // What controls a terminal or the direction of writing is escaped by the standard library.
                let is_visible = matches!(letter, '"' | '\'') || letter.escape_debug().len() == 1;
                match letter {
                    '\\' => f.write_str("\\\\")?,
                    _ if is_visible => f.write_char(letter)?,
                    _ => bytes(f, letter.encode_utf8(&mut [0; 4]).as_bytes())?,
                }
            }
            bytes(f, chunk.invalid())?;
        }
        Ok(())
    }
}

fn bytes(f: &mut Formatter<'_>, bytes: &[u8]) -> Result {
    bytes.iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_in_one_line() {
        let shown = |name: &[u8]| Shown(name).to_string();
        assert_eq!(shown("page:\u{e9} 'a' \"b\"".as_bytes()), "page:\u{e9} 'a' \"b\"");
        assert_eq!(shown(b"a\n\x1b[31m\xff\\"), "a\\x0a\\x1b[31m\\xff\\\\");
        assert_eq!(shown("\u{202e}".as_bytes()), "\\xe2\\x80\\xae");
    }
}
