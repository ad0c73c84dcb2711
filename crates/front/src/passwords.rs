//! The front's own users and their passwords.

use std::collections::HashMap;
use std::fmt;

/// Passwords by the user's name. They are not shown.
#[derive(Clone, Default)]
pub struct Passwords(HashMap<String, String>);

impl Passwords {
    /// From pairs of a name and a password.
    #[must_use]
    pub fn new(users: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(users.into_iter().collect())
    }

    /// Whether it is the user's password. How long that takes does not depend on how much of it is right.
    pub(crate) fn accepts(&self, user: &[u8], password: &[u8]) -> bool {
        let known = std::str::from_utf8(user).ok().and_then(|user| self.0.get(user));
        let wanted = known.map_or(&b""[..], |password| password.as_bytes());
        let mut differs = u8::from(known.is_none()) | u8::from(wanted.len() != password.len());
        for (at, byte) in password.iter().enumerate() {
            differs |= byte ^ wanted.get(at).copied().unwrap_or_default();
        }
        differs == 0
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Passwords;

    #[test]
    fn only_the_whole_password_is_accepted() {
        let passwords = Passwords::new([("app".to_owned(), "secret".to_owned())]);
        assert!(passwords.accepts(b"app", b"secret"));
        for (user, password) in
            [("app", "secre"), ("app", "secret1"), ("app", ""), ("other", "secret"), ("other", "")]
        {
            assert!(!passwords.accepts(user.as_bytes(), password.as_bytes()), "{user} {password}");
        }
        assert!(!format!("{passwords:?}").contains("secret"));
    }
}
