//! Names that others write: how long they may be, and which characters they may have.

/// The longest name of a batch, a worker, a queue or a project, in bytes.
pub const MAX_NAME: usize = 255;

/// The longest message of others that is kept, such as the error of a document, in bytes.
const MAX_MESSAGE: usize = 64 * 1024;

/// Whether a text can be a name: 1 to [`MAX_NAME`] bytes, and no control characters.
#[must_use]
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME && !text.contains(char::is_control)
}

/// A name from others that is only shown, such as that of a document: each control character is replaced by
/// U+FFFD, and of a name that is too long the end is kept, behind `…`. The result has at most [`MAX_NAME`] bytes.
#[must_use]
pub fn shown_name(text: &str) -> String {
    const CUT: char = '…';
    let replaced = |letter: char| match letter.is_control() {
        true => char::REPLACEMENT_CHARACTER,
        false => letter,
    };
    // Few letters are read however long the text is; a replaced letter may need more bytes than before.
    let (mut letters, mut bytes, mut is_cut) = (Vec::new(), 0, false);
    for letter in text.chars().rev().map(replaced) {
        if bytes + letter.len_utf8() > MAX_NAME {
            is_cut = true;
            break;
        }
        bytes += letter.len_utf8();
        letters.push(letter);
    }
    while is_cut && bytes + CUT.len_utf8() > MAX_NAME {
        bytes -= letters.pop().map_or(bytes, char::len_utf8);
    }
    letters.extend(is_cut.then_some(CUT));
    letters.into_iter().rev().collect()
}

/// The part of a message from others that is kept: its first 64 KiB, cut between characters.
#[must_use]
pub fn shown_message(text: &str) -> &str {
    beginning(text, MAX_MESSAGE)
}

/// The first bytes of a text, cut between characters.
pub(crate) fn beginning(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_between_characters() {
        assert_eq!(shown_message("a\nb"), "a\nb");
        assert_eq!(shown_message(&"\u{20ac}".repeat(MAX_MESSAGE)).len(), MAX_MESSAGE - 1);
    }

    #[test]
    fn a_name_has_bounds() {
        let longest = "n".repeat(MAX_NAME);
        for name in ["a", "Smith v. Jones", "\u{e9}\u{202e}", longest.as_str()] {
            assert!(is_name(name), "{name:?}");
        }
        let too_long = "\u{e9}".repeat(128);
        for name in ["", "a\nb", "\u{1b}[31m", "a\u{7f}", "\u{9b}", too_long.as_str()] {
            assert!(!is_name(name), "{name:?}");
        }
    }

    #[test]
    fn a_shown_name_is_one_whatever_the_text() {
        assert_eq!(shown_name("a/b.pdf"), "a/b.pdf");
        assert_eq!(shown_name("a\n\u{1b}b"), "a\u{fffd}\u{fffd}b");
        for letter in ["x", "\u{e9}", "\u{1f4c4}", "\n", "\u{9b}"] {
            for count in [1, 63, 64, 84, 85, 127, 128, 254, 255, 256, 100_000] {
                let shown = shown_name(&letter.repeat(count));
                assert!(is_name(&shown), "{letter:?} {count}");
                let kept = shown.chars().filter(|shown| *shown != '…').count();
                assert_eq!(shown.starts_with('…'), kept < count, "{count}");
            }
        }
        assert!(shown_name(&format!("{}/paper.pdf", "f".repeat(300))).ends_with("/paper.pdf"));
    }
}
