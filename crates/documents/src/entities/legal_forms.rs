//! The legal forms at the end of a company's name.

/// Legal forms in lower case, without full stops.
const FORMS: [&str; 20] = [
    "ag",
    "bv",
    "co",
    "company",
    "corp",
    "corporation",
    "gmbh",
    "inc",
    "incorporated",
    "limited",
    "llc",
    "llp",
    "lp",
    "ltd",
    "na",
    "nv",
    "pc",
    "plc",
    "pllc",
    "sa",
];

/// Nouns that end a company's name as a legal form does.
const INSTITUTIONS: [&str; 4] = ["association", "bank", "partnership", "trust"];

/// Whether the word, in lower case and without full stops, is a legal form.
pub(crate) fn is_legal_form(word: &str) -> bool {
    FORMS.contains(&word)
}

/// Whether a name that ends in the word, in lower case and without full stops, is a company's.
pub(super) fn ends_company(word: &str) -> bool {
    is_legal_form(word) || INSTITUTIONS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_institutions_end_a_company() {
        assert!(is_legal_form("llc") && ends_company("llc") && ends_company("bank"));
        assert!(!is_legal_form("bank") && !ends_company("roe"));
    }
}
