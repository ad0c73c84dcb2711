//! Turns names into keys: differences in spelling are folded, distinguishing parts are kept.

use crate::entities::is_legal_form;

/// Maximum number of different names that are compared with each other because they share a word. With more, none
/// identifies anyone, and the time would grow with their square.
pub(super) const NAMESAKES: usize = 256;

/// The parts of a person's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PersonName {
    /// Family name in lower case letters.
    pub(super) family: String,
    /// Given names and initials in lower case letters.
    pub(super) given: Vec<String>,
    /// `jr`, `sr`, `ii` and so on; it distinguishes father and son.
    pub(super) suffix: Option<String>,
}

/// Splits a person's name.
pub(super) fn person(name: &str) -> PersonName {
    let mut words: Vec<String> = name
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '.'))
        .map(fold)
        .filter(|word| !word.is_empty())
        .collect();
    let mut suffix = None;
    if words.len() > 1 && words.last().is_some_and(|last| is_suffix(last)) {
        suffix = words.pop().map(|last| if last == "junior" { "jr".to_owned() } else { last });
    }
    let family = words.pop().unwrap_or_default();
    PersonName { family, given: words, suffix }
}

fn is_suffix(word: &str) -> bool {
    matches!(word, "jr" | "sr" | "ii" | "iii" | "iv" | "junior")
}

impl PersonName {
    /// Whether both can be one person: equal family names, and no conflicting given names.
    pub(super) fn is_compatible(&self, other: &Self) -> bool {
        let suffixes = match (&self.suffix, &other.suffix) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        self.family == other.family
            && suffixes
            && self
                .given
                .iter()
                .zip(&other.given)
                .all(|(a, b)| a.starts_with(b.as_str()) || b.starts_with(a.as_str()))
    }

    /// How complete the name is: the number of letters of given names, plus one for a suffix.
    pub(super) fn fullness(&self) -> usize {
        self.given.iter().map(String::len).sum::<usize>() + usize::from(self.suffix.is_some())
    }

    /// The name as a key.
    pub(super) fn key(&self) -> String {
        let mut key = self.family.clone();
        for given in &self.given {
            key.push(' ');
            key.push_str(given);
        }
        if let Some(suffix) = &self.suffix {
            key.push(',');
            key.push_str(suffix);
        }
        key
    }
}

/// Keeps lower-case letters and digits; apostrophes and hyphens inside a word are removed.
fn fold(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The key of a party's name: case, punctuation, legal forms and `et al.` folded.
pub(super) fn party_key(name: &str) -> String {
    let spaced = name.replace('&', " and ").replace(['.', '\'', '’'], "");
    let words: Vec<String> = spaced
        .split(|c: char| !c.is_alphanumeric())
        .map(fold)
        .filter(|word| !word.is_empty())
        .map(|word| match word.as_str() {
            "incorporated" => "inc".to_owned(),
            "corporation" => "corp".to_owned(),
            "company" => "co".to_owned(),
            "limited" => "ltd".to_owned(),
            "private" => "pvt".to_owned(),
            "association" | "assn" => "assn".to_owned(),
            "department" | "dept" => "dept".to_owned(),
            "commission" | "commn" => "commn".to_owned(),
            "international" | "intl" => "intl".to_owned(),
            "usa" => "united states".to_owned(),
            _ => word,
        })
        .collect();
    let joined = words.join(" ");
    let joined = joined.strip_prefix("the ").unwrap_or(&joined);
    let mut key = joined;
    for tail in [" et al", " and others", " and another", " and ors", " and anr"] {
        key = key.split(tail).next().unwrap_or(key);
    }
    // The United States are named with and without `of America`.
    match key {
        "us" | "u s" | "united states of america" => "united states".to_owned(),
        key => key.trim_end().to_owned(),
    }
}

/// Whether a name is written in capitals, wholly or partly; abbreviations of up to four letters do
/// not count.
pub(super) fn is_shouted(name: &str) -> bool {
    name.split_whitespace().any(|word| {
        let letters = word.chars().filter(|c| c.is_alphabetic()).count();
        letters > 4 && !word.chars().any(char::is_lowercase)
    })
}

/// Whether a name has words of a company, an office or a state, so that it is not a person's.
pub(super) fn is_organisation(key: &str) -> bool {
    const WORDS: [&str; 32] = [
        "bank",
        "state",
        "states",
        "united",
        "city",
        "county",
        "board",
        "dept",
        "department",
        "commn",
        "agency",
        "assn",
        "university",
        "school",
        "district",
        "trust",
        "fund",
        "insurance",
        "people",
        "commonwealth",
        "union",
        "society",
        "church",
        "hospital",
        "secretary",
        "commissioner",
        "authority",
        "government",
        "republic",
        "office",
        "bureau",
        "pvt",
    ];
    key.split(' ').any(|word| is_legal_form(word) || WORDS.contains(&word))
        || key.split(' ').count() > 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_company_are_one_key() {
        for name in ["ACME, INC.", "Acme Incorporated", "The Acme Inc", "Acme, Inc., et al."] {
            assert_eq!(party_key(name), "acme inc", "{name}");
        }
        assert_eq!(party_key("UNITED STATES OF AMERICA"), "united states");
    }

    #[test]
    fn initials_agree_with_names_and_sons_differ_from_fathers() {
        let full = person("John A. Roe");
        assert!(full.is_compatible(&person("Roe")) && full.is_compatible(&person("J. Roe")));
        assert!(!full.is_compatible(&person("Jane Roe")));
        assert!(!person("John Roe, Jr.").is_compatible(&person("John Roe, Sr.")));
    }
}
