//! The key of a reporter's abbreviation, the same for every way of spacing and dotting it.

/// The letters and digits of an abbreviation in lower case: `N. Y. S. 2d` and `N.Y.S.2d` are one key.
pub(crate) fn reporter_key(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric() || *c == '&').flat_map(char::to_lowercase).collect()
}

/// The longest key of a reporter in bytes; a scan need not read on after it.
pub(crate) const LONGEST_KEY: usize = 40;
