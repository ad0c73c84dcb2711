//! The key of a reporter's abbreviation, equal for all spacings and dots.

/// The letters and digits of an abbreviation in lower case: `N. Y. S. 2d` and `N.Y.S.2d` are one key.
pub(crate) fn reporter_key(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric() || *c == '&').flat_map(char::to_lowercase).collect()
}

/// Maximum length of a reporter's key in bytes, which bounds a scan.
pub(crate) const LONGEST_KEY: usize = 48;
