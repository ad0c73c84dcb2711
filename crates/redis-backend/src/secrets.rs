//! Passwords that were sent to servers, so that no message of a server is shown that repeats one.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

/// Successive letters of a password that make a message unfit to be shown.
const TELLING: usize = 4;

/// Messages of servers that any password gets. Their words are no sign of a password.
const USUAL: [&str; 4] = [
    "invalid username-password pair or user is disabled",
    "called without any password configured for the default user. Are you sure your configuration is correct?",
    "HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> \
     option can be used to authenticate the client and select the RESP protocol version at the same time",
    "invalid password",
];

static SENT: RwLock<BTreeSet<String>> = RwLock::new(BTreeSet::new());

/// Notes a password that servers will get.
pub(crate) fn note(password: &str) {
    let is_known = SENT.read().unwrap_or_else(PoisonError::into_inner).contains(password);
    if !is_known {
        SENT.write().unwrap_or_else(PoisonError::into_inner).insert(password.to_owned());
    }
}

/// Whether a message of a server repeats a part of a password that was sent. A server that does not know a command
/// quotes its arguments, which are the login in the case of `HELLO`.
pub(crate) fn are_in(message: &str) -> bool {
    let sent = SENT.read().unwrap_or_else(PoisonError::into_inner);
    sent.iter().any(|password| tells(message, password))
}

/// A message of a server, unless it repeats a part of a password.
pub(crate) fn unless_in(message: &str) -> &str {
    if are_in(message) {
        return "its message repeats a part of the password and is not shown";
    }
    message
}

fn tells(message: &str, password: &str) -> bool {
    let message =
        USUAL.iter().fold(message.to_owned(), |message, usual| message.replace(usual, "\n"));
    let letters: Vec<char> = password.chars().collect();
    // Fewer letters are in any message.
    if letters.len() < TELLING - 1 {
        return false;
    }
    let mut parts = letters.windows(TELLING.min(letters.len()));
    parts.any(|part| message.contains(&part.iter().collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_letters_tell_and_three_do_not() {
        assert!(tells("unknown command 'HELLO', with args beginning with: 'x12'", "x12"));
        for message in ["AUTH 'se'", "cre", "the secr is out of order"] {
            assert_eq!(tells(message, "secret"), message.contains("secr"), "{message}");
        }
        assert!(tells("… 'ecret", "s\u{e9}ecret") && !tells("", "secret") && !tells("any", ""));
    }

    #[test]
    fn the_usual_words_are_no_sign() {
        let refused = "WRONGPASS invalid username-password pair or user is disabled.";
        assert!(!tells(refused, "password") && !tells(refused, "disabled"));
        assert!(tells("ERR no such user password", "password"));
    }
}
