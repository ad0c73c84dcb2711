//! Words of names and queries, in a form in which they can be compared.

/// The words of a text in lower case, without punctuation and the possessive `'s`.
pub(super) fn words(text: &str) -> Vec<String> {
    split(text, |c| c.is_alphanumeric())
}

/// The words of a query, of which each may end in `*`.
pub(super) fn query_words(text: &str) -> Vec<String> {
    split(text, |c| c.is_alphanumeric() || c == '*')
}

fn split(text: &str, is_letter: impl Fn(char) -> bool) -> Vec<String> {
    text.split(|c: char| !(is_letter(c) || matches!(c, '\'' | '’')))
        .map(|word| {
            let word = word.trim_matches(['\'', '’']).to_lowercase();
            let stem = word.strip_suffix("'s").or_else(|| word.strip_suffix("’s"));
            stem.map(str::to_owned).unwrap_or(word)
        })
        .filter(|word| !word.is_empty())
        .collect()
}

/// Whether every wanted word is among the words; one that ends in `*` stands for all that begin so.
pub(super) fn has_all(words: &[String], wanted: &[String]) -> bool {
    !wanted.is_empty()
        && wanted.iter().all(|wanted| match wanted.strip_suffix('*') {
            Some(start) => words.iter().any(|word| word.starts_with(start)),
            None => words.contains(wanted),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_must_be_there_in_any_order() {
        let name = words("SMITH’S Freight, Inc. (Smith-Jones)");
        assert_eq!(name, ["smith", "freight", "inc", "smith", "jones"]);
        assert!(has_all(&name, &query_words("Jones Smith")));
        assert!(has_all(&name, &query_words("frei*")));
        assert!(has_all(&words("ROE*"), &query_words("roe")), "a note's star is no part of a name");
        assert!(!has_all(&name, &words("frei")));
        assert!(!has_all(&name, &words("Smith Brown")));
        assert!(!has_all(&name, &[]));
    }
}
