//! The login in a URL: where it ends, whether it can be read, and how it is shown.

use super::wrong;
use crate::Result;

/// Parts what follows `://` into the login, if there is one, and the rest.
///
/// The last `@` ends a login, wherever it stands: a password that was not encoded may hold anything, and
/// no part of it may be taken for a host and shown.
pub(super) fn split(rest: &str) -> (Option<&str>, &str) {
    // A path to a socket may hold an `@`, and has no login before it.
    if rest.starts_with('/') {
        return (None, rest);
    }
    match rest.rsplit_once('@') {
        Some((login, rest)) => (Some(login), rest),
        None => (None, rest),
    }
}

/// Refuses a login that ends a URL's host where it stands, as every client reads it.
///
/// # Errors
/// [`crate::ErrorKind::Configuration`], with how to write it; nothing of the login is quoted.
pub(super) fn check(rest: &str) -> Result<()> {
    let login = split(rest).0.unwrap_or_default();
    let Some(found) = login.chars().find(|letter| "/?#".contains(*letter)) else { return Ok(()) };
    Err(wrong(format!(
        "what stands before the last `@` of a URL is user and password, and there is a `{found}` in it: \
         write `/` as %2F, `?` as %3F, `#` as %23 and `%` as %25 there"
    )))
}

/// The login as it may be shown, with its `@`: a user's name where a password follows it. What stands
/// alone may be a password.
pub(super) fn shown(login: Option<&str>) -> String {
    match login.map(|login| login.split_once(':')) {
        None => String::new(),
        Some(None) if login == Some("") => String::new(),
        Some(Some((user, ""))) => format!("{user}@"),
        Some(Some((user, _))) if !user.contains(['/', '?', '#', '@']) => format!("{user}:***@"),
        Some(_) => "***@".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_password_is_shown() {
        for (rest, wanted, place) in [
            ("me:s3cret@host", "me:***@", "host"),
            (":s3cret@host", ":***@", "host"),
            ("s3cret@host", "***@", "host"),
            ("me:s3#cret@host", "me:***@", "host"),
            ("me:s3@cret@host", "me:***@", "host"),
            ("s3/cret:cret@host", "***@", "host"),
            ("host/0", "", "host/0"),
            ("/run/a@b.sock", "", "/run/a@b.sock"),
        ] {
            let (login, after) = split(rest);
            assert_eq!((shown(login).as_str(), after), (wanted, place), "{rest}");
        }
    }

    #[test]
    fn what_ends_the_host_has_to_be_encoded() {
        for rest in ["me:s3#cret@host", ":s3?cret@host", "me:s3/cret@host/0"] {
            let error = check(rest).unwrap_err().to_string();
            assert!(error.contains("%23") && !error.contains("cret"), "{error}");
        }
        for rest in ["me:s3%23cret@host", "me:p@ss@host/0", "host/0?a=b", "/run/a@b#.sock"] {
            assert!(check(rest).is_ok(), "{rest}");
        }
    }
}
