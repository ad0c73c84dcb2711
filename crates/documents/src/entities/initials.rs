//! Recognises a `V.` that is a person's initial and not "versus", by signatures and counsel lists.

use std::collections::HashSet;

use super::persons::is_office_word;
use crate::static_regex::static_regex;

static_regex!(initial_regex, r"(?P<given>[A-Z][\w'’-]+)[ \t]+V\.[ \t]+(?P<family>[A-Z][\w'’-]+)");
static_regex!(
    signed_regex,
    r"(?i)/s/|\b(?:sbn|bar\s+no|esq|attorneys?|counsel|ll[pc]|declarant)\b|@"
);

/// Maximum distance between a name and the signs of a signature, in bytes.
const NEAR: usize = 120;

/// The people of a document whose middle initial is V, as given name and family name in lower case.
#[derive(Debug, Default)]
pub(super) struct Initials(HashSet<(String, String)>);

impl Initials {
    /// Reads these people from lines on which people sign or are listed as counsel.
    pub(super) fn read(text: &str) -> Self {
        let mut people = HashSet::new();
        for captures in initial_regex().captures_iter(text) {
            let Some(whole) = captures.get(0) else { continue };
            let line = text[..whole.start()].rfind('\n').map_or(0, |at| at + 1);
            let end = text[whole.end()..].find('\n').map_or(text.len(), |at| whole.end() + at);
            // In a case's name, words on both sides belong to the name.
            let before = text[line..whole.start()]
                .rsplit([',', '/', ':', '_', '(', ')', '|', '\t'])
                .next()
                .unwrap_or_default();
            let before = before.rsplit("   ").next().unwrap_or_default();
            let alone = !before.split_whitespace().any(|word| word.starts_with(char::is_uppercase));
            let company = [&captures["given"], &captures["family"]].into_iter().any(is_office_word);
            let from = text.floor_char_boundary(line.saturating_sub(NEAR));
            let to = text.ceil_char_boundary((end + NEAR).min(text.len()));
            if alone && !company && signed_regex().is_match(&text[from..to]) {
                people.insert(pair(&captures["given"], &captures["family"]));
            }
        }
        Self(people)
    }

    /// Whether the `V.` between the two texts is the initial of one of these people.
    pub(super) fn has(&self, before: &str, after: &str) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let edge = |c: char| !c.is_alphanumeric();
        let given = before.split_whitespace().next_back().unwrap_or_default();
        let family = after.split_whitespace().next().unwrap_or_default();
        self.0.contains(&pair(given.trim_matches(edge), family.trim_matches(edge)))
    }
}

fn pair(given: &str, family: &str) -> (String, String) {
    let family = family.strip_suffix("'s").or(family.strip_suffix("’s")).unwrap_or(family);
    (given.to_lowercase(), family.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_has_initials_and_a_caption_has_parties() {
        let signed = Initials::read("/s/ Ann V. Roe\nAnn V. Roe\nRoe Poe LLP");
        assert!(signed.has("by ANN", "ROE, Esq."));
        assert!(!signed.has("Ann", "Poe"));
        let caption = Initials::read("ACME V. ROE\n\nThe complaint says that");
        assert!(!caption.has("ACME", "ROE"));
    }
}
