//! Pin cites: the pages, notes, paragraphs, screens and sections of a source that a citation points to.

use crate::static_regex::static_regex;

/// A page with what may stand before it, a range, lines of a page, and notes on it.
const PLACE: &str = r"(?:(?:&\s?)?(?:notes?|nn?\.|nn?|fn\.?)\s?|¶{1,2}\s?|§{1,2}\s?|\*{1,4}\s?|pages?\s|pg\.?\s|pp?\.\s?|slip\sop\.,?\sat\s)?(?:_{2,6}|\d{1,3}(?:,\d{3})+\b|\d{1,5}(?:\.\d{1,3})?)(?::\d{1,3}(?:\s?[-–]\s?\d{1,4}(?::\d{1,3})?)?)?(?:\s?[-–—]{1,2}\s?(?:¶{1,2}\s?|\*)?\d{1,5})?(?:,?\s?(?:&\s?)?(?:nn?|nn|fn|notes?)\.?\s?\d{1,3}(?:\s?[-–,&]\s?\d{1,3}\b)?)?";

/// A list of places: `347-48, 350 n.4`.
pub(super) fn pin_list() -> String {
    format!(r"{PLACE}(?:(?:,\s?|\s?&\s?|,?\sand\s)(?:at\s)?{PLACE}){{0,12}}")
}

static_regex!(
    behind_regex,
    format!(r"^\s{{0,8}},?\s{{0,90}}(?P<at>at\s+)?(?P<pin>{})", pin_list())
);
static_regex!(
    /// What may follow a pin cite within its citation.
    separator_regex,
    r"(?:,|\s?&|,?\sand)\s?(?:at\s)?"
);

/// The pin cite at the start of `rest`, as a range of it, and whether `at` stands before it.
///
/// `room` is the distance to the next citation: a last number that ends there is that citation's volume. Nor is a
/// number part of a list when the sentence goes on behind it: `57, 12 men`.
pub(super) fn pin_behind(rest: &str, room: usize) -> Option<(std::ops::Range<usize>, bool)> {
    let captures = behind_regex().captures(rest)?;
    let pin = captures.name("pin")?;
    let mut end = pin.end();
    let shown = pin.as_str();
    let next_volume = |end: usize| {
        end >= room || rest[end..room.min(rest.len())].trim().is_empty() && room < rest.len()
    };
    let goes_on = |end: usize| {
        let behind = &rest[end..];
        !(behind.is_empty()
            || behind
                .starts_with(['.', ',', ';', ':', ')', ']', '\\', '(', '[', '"', '”', '—', '\n'])
            || behind.trim_start().starts_with(['(', '[', '&']))
    };
    let mut first = true;
    let mut cut = shown.len();
    for separator in separator_regex().find_iter(shown).collect::<Vec<_>>().into_iter().rev() {
        if !(next_volume(end) || goes_on(end)) {
            break;
        }
        cut = separator.start();
        end = pin.start() + cut;
    }
    if separator_regex().is_match(&shown[..cut]) {
        first = false;
    }
    if first && next_volume(end) {
        return None;
    }
    let length = shown[..cut].trim_end().len();
    Some((pin.start()..pin.start() + length, captures.name("at").is_some()))
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
