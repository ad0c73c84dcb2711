//! Reads an abbreviation letter by letter: where it can end, and its key up to there.

use super::tables::reporter_key::LONGEST_KEY;

/// Maximum number of words of an abbreviation.
const MAX_WORDS: usize = 10;

/// Calls `at` for each place where an abbreviation that starts the text can end: with the key up to there, the number
/// of words, and the length in bytes.
pub(super) fn abbreviation_ends(text: &str, mut at: impl FnMut(&str, usize, usize)) {
    let mut key = String::with_capacity(LONGEST_KEY);
    let mut words = 1;
    let mut blank = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((offset, c)) = chars.next() {
        if c.is_whitespace() {
            blank += 1;
            // Line-wrapped typescript pads with a hundred spaces; more means another column.
            if blank > 120 {
                break;
            }
            if blank == 1 {
                words += 1;
            }
            continue;
        }
        blank = 0;
        if c.is_alphanumeric() || c == '&' {
            key.extend(c.to_lowercase());
        } else if !matches!(c, '.' | '\'' | '’' | ',' | '(' | ')' | '[' | ']' | '-' | '/') {
            break;
        }
        if key.len() > LONGEST_KEY || words > MAX_WORDS {
            break;
        }
        let next = chars.peek().map(|(_, next)| *next);
        let boundary = next.is_none_or(|next| !next.is_alphanumeric() || next == '\u{b6}')
            // `2015CO12`
            || (words == 1 && c.is_ascii_uppercase() && next.is_some_and(|next| next.is_ascii_digit()));
        // `F.2d` may touch the following text only between letters and digits: `Misc1211` is not a
        // reporter.
        if boundary && (c.is_alphanumeric() || matches!(c, '.' | ')' | ']' | '\'' | '’')) {
            at(&key, words, offset + c.len_utf8());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_the_key_of_the_letters_before() {
        let mut found = Vec::new();
        abbreviation_ends("F. Supp.\n 2d 1084 and", |key, words, length| {
            found.push((key.to_owned(), words, length));
        });
        let keys: Vec<&str> = found.iter().map(|(key, ..)| key.as_str()).collect();
        assert_eq!(keys[..4], ["f", "f", "fsupp", "fsupp"]);
        assert!(found.contains(&("fsupp2d".to_owned(), 3, 12)));
    }

    #[test]
    fn the_reading_is_bounded() {
        let mut ends = 0;
        abbreviation_ends(&"A. ".repeat(100_000), |_, _, _| ends += 1);
        assert!(ends < 100);
    }
}
