//! Tells a document's own caption from a case that its text refers to by name alone.

use crate::static_regex::static_regex;

/// Length of the part of a document that a caption stands in, in bytes.
pub(super) const PREAMBLE: usize = 3_000;

static_regex!(
    /// The roles and counsel that a caption gives behind the names.
    caption_regex,
    r"(?i)(?:(?:\.{2,}|…|-{3,})\s{0,20}(?:appellant|petitioner|respondent|plaintiff|defendant|applicant)|(?:^|[\s.])for\s(?:the\s)?(?:appellant|petitioner|respondent|plaintiff|defendant|applicant)s?\s{0,4}:|\b(?:advocates?|adv\.|counsel)\s(?:,\s?)?for\s(?:the\s)?(?:appellant|petitioner|respondent|applicant))"
);

/// Whether what follows a name shows that it is the document's caption and no reference to a case.
pub(super) fn is_caption(behind: &str) -> bool {
    caption_regex().is_match(&behind[..behind.floor_char_boundary(160)])
}

/// Whether the word is the role of a party, as captions give it.
pub(super) fn is_role(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphabetic()).to_lowercase();
    let word = word.strip_suffix('s').unwrap_or(&word);
    matches!(
        word,
        "appellant"
            | "petitioner"
            | "respondent"
            | "plaintiff"
            | "defendant"
            | "applicant"
            | "complainant"
            | "appellee"
    )
}

#[cfg(test)]
mod tests {
    use super::is_role;
    use crate::entities::case_names::bare_names;
    use crate::entities::initials::Initials;

    #[test]
    fn captions_are_no_references() {
        for text in [
            "Alder Vs. State of Bihar ... Respondent",
            "Alder Vs State of Bihar & Ors. For the Petitioners : Mr. Dey",
        ] {
            assert!(bare_names(text, &[], &Initials::default()).is_empty(), "{text}");
        }
        let text = "In Alder v. Birch the judgment was for the plaintiff.";
        assert_eq!(bare_names(text, &[], &Initials::default()).len(), 1);
    }

    #[test]
    fn roles_are_known_in_singular_and_plural() {
        assert!(is_role("Appellants") && is_role("PETITIONER.") && !is_role("Alder"));
    }
}
