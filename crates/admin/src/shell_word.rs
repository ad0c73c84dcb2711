//! Names and paths as they are typed in a shell, for the commands that are shown to operators.

/// `text` as one word of a POSIX shell, quoted where it has to be.
#[must_use]
pub fn shell_word(text: &str) -> String {
    // Only a NUL cannot be quoted, which no argument can have.
    shlex::try_quote(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn a_word_stays_one_word() {
        assert_eq!(shell_word("smith-v-jones.journal"), "smith-v-jones.journal");
        for text in ["a b", "it's", "x*", "a\"b$c`d", "two\nlines", "", "~x"] {
            assert_eq!(shlex::split(&shell_word(text)).unwrap(), [text]);
        }
    }
}
