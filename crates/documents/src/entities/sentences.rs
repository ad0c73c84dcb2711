//! Where the sentence begins that a place of the text stands in.

use super::tables::words::is_abbreviation;

/// The text before byte `end`, back to the beginning of its sentence, at most `reach` bytes.
pub(super) fn sentence_before(text: &str, end: usize, reach: usize) -> &str {
    let from = text.floor_char_boundary(end.saturating_sub(reach));
    let head = text.get(from..end).unwrap_or_default();
    let mut cut = 0;
    let mut line = 0;
    for (at, c) in head.char_indices().filter(|(_, c)| c.is_whitespace()) {
        let word = head[..at].rsplit(char::is_whitespace).next().unwrap_or_default();
        // A short line with an empty one behind it is a heading, or the end of a paragraph.
        let is_heading = c == '\n' && head[at + 1..].starts_with('\n') && at - line < 45;
        let ends = word.ends_with(['.', '?', ';']) && !is_abbreviation(word);
        if is_heading && !word.ends_with(',') || ends {
            cut = at;
        }
        if c == '\n' {
            line = at + 1;
        }
    }
    &head[cut..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_begins_behind_a_full_stop_or_a_heading() {
        let before = |text: &'static str| sentence_before(text, text.len(), 100).trim();
        assert_eq!(before("It rained. Acme Mfg. Co. and Roe"), "Acme Mfg. Co. and Roe");
        assert_eq!(before("No. 20-1\n\nCOMPLAINT\n\nRoe and Poe"), "Roe and Poe");
        assert_eq!(before("x; ROE,\n\nPOE"), "ROE,\n\nPOE");
    }
}
