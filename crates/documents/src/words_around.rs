//! The words around a place in a text, for people who look at it.

use crate::model::Around;
use crate::visible::visible;

/// Bytes before and after the place.
const AROUND: usize = 70;

/// The words around `start..end`. Whole words, and never half a character.
pub(crate) fn words_around(text: &str, start: usize, end: usize) -> Around {
    let from = text.floor_char_boundary(start.saturating_sub(AROUND));
    let to = text.ceil_char_boundary((end + AROUND).min(text.len()));
    // A word that is cut at an end is left out.
    let before = text.get(from..start).unwrap_or_default();
    let before = match from {
        0 => before,
        _ => before.find(char::is_whitespace).map_or("", |at| &before[at..]),
    };
    let after = text.get(end..to).unwrap_or_default();
    let after = match to == text.len() {
        true => after,
        false => after.rfind(char::is_whitespace).map_or("", |at| &after[..at]),
    };
    // A blank stands between the place and its neighbours where the text has one.
    let mut before_words = on_one_line(before);
    if before.ends_with(char::is_whitespace) && !before_words.is_empty() {
        before_words.push(' ');
    }
    let mut after_words = on_one_line(after);
    if after.starts_with(char::is_whitespace) && !after_words.is_empty() {
        after_words.insert(0, ' ');
    }
    Around { before: before_words, after: after_words }
}

/// The words with one blank between them, without control characters.
fn on_one_line(text: &str) -> String {
    visible(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_stand_on_one_line() {
        let text = format!(
            "{} The court\n\nfound for Ann Roe, and {}",
            "x".repeat(50),
            "so on ".repeat(30)
        );
        let at = text.find("Ann Roe").unwrap();
        let around = words_around(&text, at, at + 7);
        assert_eq!(around.before, "The court found for ");
        assert!(around.after.starts_with(", and so on so on"), "{around:?}");
        assert_eq!(words_around("Ann Roe", 0, 7), Around::default());
    }

    #[test]
    fn characters_are_not_cut() {
        let text = format!("{}é Roe {}", "é".repeat(80), "é".repeat(80));
        let at = text.find("Roe").unwrap();
        assert_eq!(words_around(&text, at, at + 3), Around::default());
    }
}
