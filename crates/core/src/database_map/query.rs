//! The query parameters of a URL: unknown ones are rejected by name.

use percent_encoding::percent_decode_str;

use super::problem::wrong;
use crate::Result;

/// The pairs of `query`, decoded. Each key must be one of `known`, and occur once.
///
/// # Errors
/// [`crate::ErrorKind::Configuration`] with the key. Values are not quoted, since they may be secret.
pub(super) fn pairs(query: &str, known: &[&'static str]) -> Result<Vec<(&'static str, String)>> {
    let mut pairs: Vec<(&'static str, String)> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let Some((key, value)) = part.split_once('=') else {
            return Err(wrong("after the `?` of the URL there is something other than key=value"));
        };
        let Some(key) = known.iter().copied().find(|one| *one == key) else {
            // A `&` in a password that is not encoded ends it.
            let is_secret = pairs.iter().any(|(known, _)| *known == "password");
            return Err(unknown(if is_secret { "" } else { key }, known));
        };
        if pairs.iter().any(|(other, _)| *other == key) {
            return Err(wrong(format!("the URL has {key} twice after its `?`")));
        }
        let Ok(value) = percent_decode_str(value).decode_utf8() else {
            return Err(wrong(format!("the {key} after the `?` of the URL is not valid UTF-8")));
        };
        pairs.push((key, value.into_owned()));
    }
    Ok(pairs)
}

/// The part of a URL after its login, without the query parameters of these names.
pub(super) fn without(place: &str, names: &[&str]) -> String {
    let Some((place, query)) = place.split_once('?') else { return place.to_owned() };
    let is_kept = |pair: &&str| !names.contains(&pair.split('=').next().unwrap_or_default());
    let kept: Vec<&str> = query.split('&').filter(is_kept).collect();
    match kept.join("&") {
        none if none.is_empty() => place.to_owned(),
        query => format!("{place}?{query}"),
    }
}

fn unknown(key: &str, known: &[&str]) -> crate::Error {
    let is_a_name = !key.is_empty()
        && key.len() <= 40
        && key.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.[]".contains(letter));
    let shown = if is_a_name { format!("{key:?}") } else { "a key".to_owned() };
    let known = match known {
        [] => "this kind of URL has no parameters".to_owned(),
        known => format!("known: {}", known.join(", ")),
    };
    wrong(format!(
        "the URL has the unknown parameter {shown} after its `?` ({known}); time-outs, retries \
         and connections are settings of the instance in the configuration"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_or_named() {
        let known = ["db", "password"];
        assert_eq!(
            pairs("db=3&password=a%26b", &known).unwrap(),
            [("db", "3".into()), ("password", "a&b".into())]
        );
        assert_eq!(without("h/0?db=3&password=a&x=1", &["password"]), "h/0?db=3&x=1");
        assert_eq!(without("h?password=a", &["password"]), "h");
        assert_eq!(without("h/0", &["password"]), "h/0");
        assert!(pairs("", &known).unwrap().is_empty());
        for (query, says) in [
            ("timeout=s3cret", "\"timeout\""),
            ("db=1&db=1", "twice"),
            ("s3cret", "key=value"),
            ("s3cret$=1", "a key"),
            ("password=a&s3cret=1", "a key"),
            ("db=%ff", "UTF-8"),
        ] {
            let error = pairs(query, &known).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("s3cret"), "{error}");
        }
    }
}
