//! Finds the place of a quote in a text. A quote that does not occur there has none.

/// A text in which quotes are found, whatever its line breaks and the form of its quotation marks and dashes.
pub(super) struct Places<'t> {
    text: &'t str,
    plain: Plain,
    /// Where the search for the next occurrence of a quote begins, by what was sought.
    next: std::collections::HashMap<String, usize>,
}

/// A text with one blank for each run of white space, straight marks and short dashes.
struct Plain {
    text: String,
    /// For each byte the place in the original text where its character begins.
    from: Vec<usize>,
}

impl Plain {
    fn of(text: &str) -> Self {
        let mut plain = Self { text: String::with_capacity(text.len()), from: Vec::new() };
        for (at, letter) in text.char_indices() {
            let letter = match letter {
                letter if letter.is_whitespace() => {
                    if plain.text.ends_with(' ') {
                        continue;
                    }
                    ' '
                }
                '\u{2018}' | '\u{2019}' => '\'',
                '\u{201c}' | '\u{201d}' => '"',
                '\u{2010}'..='\u{2015}' => '-',
                letter => letter,
            };
            plain.text.push(letter);
            plain.from.resize(plain.text.len(), at);
        }
        plain
    }

    /// The next whole words that are `quote`, from byte `from` on.
    fn find(&self, quote: &str, from: usize) -> Option<usize> {
        let mut from = from;
        while let Some(found) = self.text.get(from..)?.find(quote) {
            let at = from + found;
            if self.is_whole(at, at + quote.len()) {
                return Some(at);
            }
            from = self.text.ceil_char_boundary(at + 1);
        }
        None
    }

    /// Whether no word is cut at the ends of the place.
    fn is_whole(&self, start: usize, end: usize) -> bool {
        let (before, rest) = self.text.split_at(start);
        let (inner, after) = rest.split_at(end - start);
        let joins = |left: &str, right: &str| {
            left.ends_with(char::is_alphanumeric) && right.starts_with(char::is_alphanumeric)
        };
        !joins(before, inner) && !joins(inner, after)
    }
}

impl<'t> Places<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, plain: Plain::of(text), next: std::collections::HashMap::new() }
    }

    /// The place of `quote` as bytes of the text: within `around` if those words occur in the text and hold it; else
    /// its next occurrence that was not yet given for the same `label`, from the begin of the text.
    pub(super) fn find(
        &mut self,
        label: &str,
        quote: &str,
        around: &str,
    ) -> Option<std::ops::Range<usize>> {
        let quote = Plain::of(quote.trim()).text;
        if !quote.contains(char::is_alphanumeric) {
            return None;
        }
        let around = Plain::of(around.trim()).text;
        let within = self.within(&quote, &around);
        let sought = format!("{label}\n{quote}");
        let at = match within {
            Some(at) => at,
            None => {
                let from = self.next.get(&sought).copied().unwrap_or(0);
                self.plain.find(&quote, from)?
            }
        };
        let end = at + quote.len();
        let next = self.next.entry(sought).or_insert(0);
        *next = end.max(*next);
        let start = *self.plain.from.get(at)?;
        // The end of the last character of the quote.
        let last = *self.plain.from.get(end.checked_sub(1)?)?;
        let end = last + self.text.get(last..)?.chars().next()?.len_utf8();
        Some(start..end)
    }

    fn within(&self, quote: &str, around: &str) -> Option<usize> {
        if around.len() <= quote.len() {
            return None;
        }
        let inner = around.find(quote)?;
        let at = self.plain.text.find(around)? + inner;
        self.plain.is_whole(at, at + quote.len()).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Before Judge Ann\n   Roe. Defendant Roe’s “Motion” is denied; Roe shall pay. Roebuck pays.";

    fn found(quotes: &[(&str, &str)]) -> Vec<Option<(usize, &'static str)>> {
        let mut places = Places::of(TEXT);
        quotes
            .iter()
            .map(|(quote, around)| places.find("k", quote, around).map(|at| (at.start, &TEXT[at])))
            .collect()
    }

    #[test]
    fn a_quote_is_found_whatever_its_line_breaks_and_marks() {
        let found = found(&[("Ann Roe", ""), ("Roe's \"Motion\"", ""), ("Roe’s", "")]);
        assert_eq!(found[0], Some((13, "Ann\n   Roe")));
        assert_eq!(found[1].unwrap().1, "Roe’s “Motion”");
        assert_eq!(found[2].unwrap().1, "Roe’s");
    }

    #[test]
    fn a_quote_given_again_is_the_next_one_and_words_around_name_the_place() {
        let at: Vec<usize> = TEXT.match_indices("Roe").map(|(at, _)| at).collect();
        let found = found(&[("Roe", ""), ("Roe", ""), ("Roe", ""), ("Roe", "")]);
        let starts: Vec<_> = found.iter().map(|one| one.map(|(start, _)| start)).collect();
        assert_eq!(starts, [Some(at[0]), Some(at[1]), Some(at[2]), None]);
        let mut places = Places::of(TEXT);
        assert_eq!(places.find("k", "Roe", "; Roe shall").unwrap().start, at[2]);
        // Words that do not occur name no place, and the first one is taken.
        assert_eq!(places.find("l", "Roe", "Mr. Roe said").unwrap().start, at[0]);
    }

    #[test]
    fn what_does_not_occur_as_whole_words_has_no_place() {
        for quote in ["Ann Doe", "oe", "Roebuc", "", " ", ".", "Roe. Roe", "judge ann"] {
            assert_eq!(found(&[(quote, "")]), [None], "{quote}");
        }
        assert_eq!(Places::of("").find("k", "Roe", ""), None);
        assert_eq!(Places::of("é Roe é").find("k", "Roe", "é Roe é"), Some(3..6));
    }
}
