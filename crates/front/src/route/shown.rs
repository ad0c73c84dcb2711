//! Names of others as text that cannot look like another text.

use std::fmt::{Display, Formatter, Result, Write};

/// Bytes to show: visible characters as they are, every other byte as `\xNN`, and a character that controls a terminal
/// or the direction of writing as `\u{NNNN}`.
pub(super) struct Shown<'a>(pub(super) &'a [u8]);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for chunk in self.0.utf8_chunks() {
            for letter in chunk.valid().chars() {
                match letter {
                    ' ' | '"' | '\'' => f.write_char(letter)?,
                    _ => write!(f, "{}", letter.escape_debug())?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_in_one_line() {
        let shown = |name: &[u8]| Shown(name).to_string();
        assert_eq!(shown("page:\u{e9} 'a' \"b\"".as_bytes()), "page:\u{e9} 'a' \"b\"");
        assert_eq!(shown(b"a\n\x1b[31m\xff\\"), "a\\n\\u{1b}[31m\\xff\\\\");
        assert_eq!(shown("\u{202e}".as_bytes()), "\\u{202e}");
    }
}
