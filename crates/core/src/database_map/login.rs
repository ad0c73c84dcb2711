//! The login in a URL: where it ends, whether it can be parsed, and how it is shown.

use percent_encoding::percent_decode_str;

use super::problem::wrong;
use crate::Result;

/// Splits the text after `://` into the login, if there is one, and the rest.
///
/// The last `@` ends the login, wherever it is: an unencoded password may contain any character, and no part of it
/// may be taken for a host and shown.
pub(super) fn split(rest: &str) -> (Option<&str>, &str) {
    // A path to a file may contain an `@`, and has no login before it.
    if rest.starts_with('/') {
        return (None, rest);
    }
    match rest.rsplit_once('@') {
        Some((login, rest)) => (Some(login), rest),
        None => (None, rest),
    }
}

/// As [`split`], if the path of a socket follows: its last `@` may belong to the path.
pub(super) fn split_before_path(rest: &str) -> (Option<&str>, &str) {
    match rest.rfind("@/") {
        Some(at) if !rest.starts_with('/') => (Some(&rest[..at]), &rest[at + 1..]),
        _ => split(rest),
    }
}

/// Rejects a login with an unencoded character that would end the host of the URL for any client.
///
/// # Errors
/// [`crate::ErrorKind::Configuration`], with how to write it; the login is not quoted.
pub(super) fn check(login: Option<&str>) -> Result<()> {
    let login = login.unwrap_or_default();
    let Some(found) = login.chars().find(|letter| "/?#".contains(*letter)) else { return Ok(()) };
    Err(wrong(format!(
        "the user and password before the last `@` of the URL contain `{found}`: write `/` as %2F, `?` \
         as %3F, `#` as %23 and `%` as %25 there"
    )))
}

/// User and password of a login, decoded; `None` if empty or missing.
///
/// # Errors
/// If they are not UTF-8. The login is not quoted.
pub(super) fn read(login: &str) -> Result<(Option<String>, Option<String>)> {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let decode = |text: &str| match percent_decode_str(text).decode_utf8() {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(text.into_owned())),
        Err(_) => Err(wrong("user or password of the URL is not valid UTF-8 after decoding %")),
    };
    Ok((decode(user)?, decode(password)?))
}

/// The login as it may be shown, with its `@`: the user name if a password follows it. A name alone, with or without
/// a colon, may be a password.
pub(super) fn shown(login: Option<&str>) -> String {
    match login.map(|login| login.split_once(':')) {
        None => String::new(),
        Some(None) if login == Some("") => String::new(),
        Some(Some((user, password)))
            if !password.is_empty() && !user.contains(['/', '?', '#', '@']) =>
        {
            format!("{user}:***@")
        }
        Some(_) => "***@".to_owned(),
    }
}

/// A text that may be or hold a URL, without its secrets: everything before its last `@`, after a scheme if there is
/// one, becomes `***`, and so do the parameters, and a login that no host follows.
pub(super) fn hidden(text: &str) -> String {
    let start = end_of_scheme(text).unwrap_or(0);
    let (scheme, rest) = text.split_at(start);
    let (login, place) = match rest.rsplit_once('@') {
        // The `@` may belong to a password in a parameter.
        Some((login, _)) if start > 0 && login.contains('?') => return format!("{scheme}***"),
        Some((_, place)) => ("***@", place),
        None if rest.starts_with(':') => return format!("{scheme}***"),
        None => ("", rest),
    };
    match place.split_once('?') {
        Some((place, _)) if start > 0 => format!("{scheme}{login}{place}?***"),
        _ => format!("{scheme}{login}{place}"),
    }
}

/// Schemes that a text may have before `://`. Another word there may be a part of a password.
const SCHEMES: [&str; 16] = [
    "redis",
    "rediss",
    "valkey",
    "valkeys",
    "unix",
    "socket",
    "redis+unix",
    "redis+socket",
    "redis+sentinel",
    "rediss+sentinel",
    "redis+cluster",
    "rediss+cluster",
    "postgres",
    "postgresql",
    "http",
    "https",
];

/// Where the scheme of the first URL in a text ends: behind `://`. A scheme is a word of its own.
fn end_of_scheme(text: &str) -> Option<usize> {
    let at = text.find("://")?;
    let before = &text[..at];
    let is_outside = |letter: char| letter.is_whitespace() || "\"'`=(".contains(letter);
    let word = before.rfind(is_outside).map_or(before, |end| &before[end + 1..]);
    let is_known = SCHEMES.iter().any(|scheme| scheme.eq_ignore_ascii_case(word));
    is_known.then_some(at + "://".len())
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
            ("s3cret:@host", "***@", "host"),
            ("me:s3#cret@host", "me:***@", "host"),
            ("me:s3@cret@host", "me:***@", "host"),
            ("s3/cret:cret@host", "***@", "host"),
            ("host/0", "", "host/0"),
            ("/run/a@b.sock", "", "/run/a@b.sock"),
        ] {
            let (login, after) = split(rest);
            assert_eq!((shown(login).as_str(), after), (wanted, place), "{rest}");
        }
        for (rest, wanted, place) in [
            ("me:s3cret@/run/a@b.sock", "me:***@", "/run/a@b.sock"),
            ("me:s3@/cret@/run/b.sock", "me:***@", "/run/b.sock"),
            ("/run/a@/b.sock", "", "/run/a@/b.sock"),
        ] {
            let (login, after) = split_before_path(rest);
            assert_eq!((shown(login).as_str(), after), (wanted, place), "{rest}");
        }
    }

    #[test]
    fn the_login_in_a_text_is_hidden() {
        assert_eq!(hidden("redis://:s3c@r\"et@host/0"), "redis://***@host/0");
        assert_eq!(hidden(":s3cret@host"), "***@host");
        assert_eq!(hidden("redis://host/0?password=s3cret"), "redis://host/0?***");
        assert_eq!(hidden("redis://host/0?password=s3c@ret"), "redis://***");
        assert_eq!(hidden("redis://:s3cret"), "redis://***");
        assert_eq!(hidden("--limit=redis://:s3cret@h"), "--limit=redis://***@h");
        assert_eq!(hidden(":s3cret://s3cret@h"), "***@h");
        assert_eq!(hidden("redis://host"), "redis://host");
        assert_eq!(hidden("is it a name?"), "is it a name?");
    }

    #[test]
    fn what_ends_the_host_has_to_be_encoded() {
        for rest in ["me:s3#cret@host", ":s3?cret@host", "me:s3/cret@host/0"] {
            let error = check(split(rest).0).unwrap_err().to_string();
            assert!(error.contains("%23") && !error.contains("cret"), "{error}");
        }
        for rest in ["me:s3%23cret@host", "me:p@ss@host/0", "host/0?a=b", "/run/a@b#.sock"] {
            assert!(check(split(rest).0).is_ok(), "{rest}");
        }
    }

    #[test]
    fn a_login_is_decoded() {
        let read = |login| read(login).unwrap();
        assert_eq!(read("me:p%40s%3As"), (Some("me".into()), Some("p@s:s".into())));
        assert_eq!(read(":a:b"), (None, Some("a:b".into())));
        assert_eq!(read("me"), (Some("me".into()), None));
        assert_eq!(read(""), (None, None));
        assert!(super::read("a:%ff").is_err());
    }
}
