//! Errors of a configuration, with the nearest known name as a hint.

use crate::{Error, ErrorKind};

pub(crate) fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, "read configuration", message)
}

pub(crate) fn unknown(what: &str, name: &str, known: &[&str], used_by: &str) -> Error {
    let hint = nearest(name, known).map(|n| format!("; did you mean {n:?}?")).unwrap_or_default();
    wrong(format!(
        "{used_by:?} uses the {what} {name:?}, which does not exist; known: {}{hint}",
        known.join(", ")
    ))
}

/// The known name that is most similar to `name`, if one is similar at all.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = |other: &str| strsim::jaro_winkler(name, other);
    known
        .iter()
        .copied()
        .filter(|other| likeness(other) > 0.75)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}
