//! A bearer token that is sent and never shown.

use std::fmt;

use http::HeaderValue;

/// A bearer token. `Debug` does not show it.
#[derive(Clone)]
pub(crate) struct Token {
    header: HeaderValue,
    text: String,
}

/// Successive letters of a token that make a message unfit to be shown.
const TELLING: usize = 4;

impl Token {
    /// `None` if the token has characters that no header may have.
    pub(crate) fn new(token: &str) -> Option<Self> {
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
        header.set_sensitive(true);
        Some(Self { header, text: token.to_owned() })
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Whether a text repeats a part of the token. Services quote the keys that they refuse.
    pub(crate) fn is_repeated_in(&self, text: &str) -> bool {
        let letters: Vec<char> = self.text.chars().collect();
        if letters.is_empty() {
            return false;
        }
        let mut parts = letters.windows(TELLING.min(letters.len()));
        parts.any(|part| text.contains(&part.iter().collect::<String>()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_token_is_noticed_and_none_is_shown() {
        let token = Token::new("k-93f1a7c2").unwrap();
        assert!(token.is_repeated_in("wrong key: ****a7c2"));
        assert!(!token.is_repeated_in("wrong key") && !token.is_repeated_in(""));
        assert_eq!(format!("{token:?}"), "Token(***)");
        assert!(!format!("{:?}", token.header()).contains("93f1"));
        assert!(Token::new("two\nlines").is_none());
    }
}
