//! Explanations behind a citation, in a parenthesis of their own: `(quoting Roe v. Doe, 1 U.S. 2 (1790))`.

use std::ops::Range;

use crate::model::CitationParts;

/// Longest explanation, in bytes.
const LONGEST: usize = 600;

/// Reads the parenthesis behind byte `end` of the text, parentheses inside it included.
pub(super) fn read_parenthetical(text: &str, end: usize, parts: &mut CitationParts) {
    let limit = text.ceil_char_boundary((end + LONGEST).min(text.len()));
    let Some(rest) = text.get(end..limit) else { return };
    if let Some(inner) = parenthesis(rest) {
        let shown = rest[inner.clone()].split_whitespace().collect::<Vec<_>>().join(" ");
        parts.parenthetical = Some(shown);
        parts.parenthetical_end = Some(end + inner.end + 1);
    }
}

/// Where the text within the parenthesis lies that `rest` opens with.
fn parenthesis(rest: &str) -> Option<Range<usize>> {
    let blank = rest.len() - rest.trim_start_matches([' ', '\n', ',']).len();
    let inner = rest[blank..].strip_prefix('(')?;
    let mut depth = 1;
    for (at, c) in inner.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(blank + 1..blank + 1 + at);
        }
    }
    None
}

/// Where the text within each of the parentheses lies that follow on byte `end` of the text: the first three.
pub(super) fn parentheses_behind(text: &str, end: usize) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut at = end;
    while found.len() < 3 {
        let limit = text.ceil_char_boundary((at + LONGEST).min(text.len()));
        let Some(inner) = text.get(at..limit).and_then(parenthesis) else { break };
        found.push(at + inner.start..at + inner.end);
        at += inner.end + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CitationForm;

    fn read(rest: &str) -> Option<(String, usize)> {
        let mut parts = CitationParts::new(CitationForm::FullCase, 0, 0);
        read_parenthetical(rest, 0, &mut parts);
        Some((parts.parenthetical?, parts.parenthetical_end?))
    }

    #[test]
    fn the_whole_parenthesis_is_read() {
        let text = " (quoting Alder v. Birch, 3 U.S. 4 (1799)). Id.";
        let shown = "quoting Alder v. Birch, 3 U.S. 4 (1799)".to_owned();
        assert_eq!(read(text), Some((shown, 42)));
        assert_eq!(read(" (never closed"), None);
        assert_eq!(read(" and (later)"), None);
        assert_eq!(read(&" (".repeat(100_000)), None);
    }
}
