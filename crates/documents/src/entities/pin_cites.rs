//! Pin cites: the pages, notes, paragraphs, screens and sections of a source that a citation points to.

use crate::static_regex::static_regex;

/// A page with what may stand before it, a range, lines of a page, and notes on it.
const PLACE: &str = r"(?:(?:&\s?)?(?:notes?|nn?\.|nn?|fn\.?)\s?|¶{1,2}\s?|§{1,2}\s?|\*{1,4}\s?|pages?\s|pg\.?\s|pp?\.\s?|slip\sop\.,?\sat\s)?(?:_{2,6}|\d{1,3}(?:,\d{3})+\b|\d{1,5}(?:\.\d{1,3})?)(?::\d{1,3}(?:\s?[-–]\s?\d{1,4}(?::\d{1,3})?)?)?(?:\s?[-–—]{1,2}\s?(?:¶{1,2}\s?|\*)?\d{1,5})?(?:,?\s?(?:&\s?)?(?:nn?|nn|fn|notes?)\.?\s?\d{1,3}(?:\s?[-–,&]\s?\d{1,3}\b)?)?";

static_regex!(place_regex, format!("^{PLACE}"));
static_regex!(separator_regex, r"^(?:,\s?|\s?&\s|,?\sand\s)(?:at\s)?");
static_regex!(opening_regex, r"^\s{0,8},?\s{0,90}(?:at\s{1,90})?");

/// The most places that a list can have.
const MOST_PLACES: usize = 12;

/// The ends of the places of the list that the text begins with: `347-48, 350 n.4`; none if there is no list.
fn place_ends(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    while ends.len() < MOST_PLACES
        && let Some(place) = place_regex().find(&text[at..])
    {
        at += place.end();
        ends.push(at);
        let Some(separator) = separator_regex().find(&text[at..]) else { break };
        at += separator.end();
    }
    ends
}

/// The length of the list of places that the text begins with.
pub(super) fn pin_length(text: &str) -> Option<usize> {
    place_ends(text).last().copied()
}

/// The pin cite at the start of `rest`, as a range of it, and whether `at` stands before it.
///
/// `room` is the distance to the next citation: a last number that ends there is that citation's volume. Nor is a
/// number part of a list when the sentence goes on behind it: `57, 12 men`.
pub(super) fn pin_behind(rest: &str, room: usize) -> Option<(std::ops::Range<usize>, bool)> {
    let opening = opening_regex().find(rest)?;
    let mut ends = place_ends(&rest[opening.end()..]);
    while let Some(end) = ends.last() {
        let end = opening.end() + end;
        let next_volume = end >= room || room < rest.len() && rest[end..room].trim().is_empty();
        if !(next_volume || ends.len() > 1 && goes_on(&rest[end..])) {
            return Some((opening.end()..end, opening.as_str().contains("at")));
        }
        ends.pop();
    }
    None
}

/// Whether the sentence goes on, so that the number before belongs to it.
fn goes_on(behind: &str) -> bool {
    let ends = ['.', ',', ';', ':', ')', ']', '\\', '(', '[', '"', '”', '—', '\n'];
    !(behind.is_empty()
        || behind.starts_with(ends)
        || behind.trim_start().starts_with(['(', '[', '&']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(rest: &str) -> Option<&str> {
        pin_behind(rest, rest.len() + 1).map(|(range, _)| &rest[range])
    }

    #[test]
    fn lists_of_pages_notes_and_paragraphs() {
        for (rest, shown) in [
            (", 57-58 (1973)", "57-58"),
            (", 347–48, 350 n.4.", "347–48, 350 n.4"),
            (", 5, 8-9 & n.3 (1920)", "5, 8-9 & n.3"),
            (", 6, at 7 (1925)", "6, at 7"),
            (", ¶ 12", "¶ 12"),
            (", ¶¶ 12-15.", "¶¶ 12-15"),
            (", at *3 (", "*3"),
            (" at 12:5-13:4)", "12:5-13:4"),
            (", ____ (2015)", "____"),
            (", 5 nn.3-4 (", "5 nn.3-4"),
            (", 57, 12 men came", "57"),
        ] {
            assert_eq!(pin(rest), Some(shown), "{rest}");
        }
        assert_eq!(pin(" was so"), None);
    }

    #[test]
    fn the_next_volume_is_no_page() {
        let rest = ", 58, 93 S. Ct. 10";
        assert_eq!(pin_behind(rest, 6).map(|(range, _)| &rest[range]), Some("58"));
        let rest = ", 93 S. Ct. 10";
        assert_eq!(pin_behind(rest, 2), None);
    }
}
