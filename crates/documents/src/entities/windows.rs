//! Windows of text around trigger words, so that costly patterns run only where they can match.

use std::ops::Range;

use regex::Regex;

/// The windows from `before` bytes before a trigger to `after` bytes after it; touching windows are joined. A
/// window starts at the start of a word.
pub(super) fn windows(
    text: &str,
    trigger: &Regex,
    before: usize,
    after: usize,
) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for hit in trigger.find_iter(text) {
        let mut start = text.floor_char_boundary(hit.start().saturating_sub(before));
        // A window that began inside a word would take half a name for a whole one.
        if start > 0 {
            start +=
                text[start..hit.start()].find(char::is_whitespace).unwrap_or(hit.start() - start);
        }
        let end = text.ceil_char_boundary((hit.end() + after).min(text.len()));
        match found.last_mut() {
            Some(last) if start <= last.end => last.end = last.end.max(end),
            _ => found.push(start..end),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_start_at_words_and_join() {
        let text = "alpha beta Judge gamma; far far far away Judge end";
        let trigger = Regex::new("Judge").unwrap();
        let found: Vec<&str> =
            windows(text, &trigger, 8, 3).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, [" beta Judge ga", " away Judge en"]);
        assert_eq!(windows(text, &trigger, 40, 30).len(), 1);
    }
}
