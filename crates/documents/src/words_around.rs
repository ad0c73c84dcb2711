//! The words around a place in a text, for people who look at it.

/// Bytes before and after the place.
const AROUND: usize = 70;

/// The words around `start..end` on one line, with those in it. Whole words, and never half a character.
pub(crate) fn words_around(text: &str, start: usize, end: usize) -> String {
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
    let place = text.get(start..end).unwrap_or_default();
    let mut words = String::with_capacity(before.len() + place.len() + after.len());
    for word in [before, place, after].concat().split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    crate::visible::visible(&words).into_owned()
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
        assert!(around.starts_with("The court found for Ann Roe, and so on"), "{around}");
        assert!(around.ends_with("so on") || around.ends_with("so"), "{around}");
        assert_eq!(words_around("Ann Roe", 0, 7), "Ann Roe");
    }

    #[test]
    fn characters_are_not_cut() {
        let text = format!("{}é Roe {}", "é".repeat(80), "é".repeat(80));
        let at = text.find("Roe").unwrap();
        assert_eq!(words_around(&text, at, at + 3), "Roe");
    }
}
