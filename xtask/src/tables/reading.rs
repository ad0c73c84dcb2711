//! Reads the JSON files of the packages.

use std::path::Path;

use serde_json::Value;

use crate::command::Failure;

/// A file of a package; the folder of the package begins with its name.
pub(super) fn package(packages: &Path, name: &str, file: &str) -> Result<Value, Failure> {
    let pinned = super::PACKAGES
        .iter()
        .find(|package| package.split("==").next() == Some(name))
        .ok_or_else(|| Failure(format!("no package {name}")))?;
    let path = packages.join(pinned).join(file);
    let content = std::fs::read_to_string(&path)
        .map_err(|error| Failure(format!("{} could not be read: {error}", path.display())))?;
    serde_json::from_str(&content)
        .map_err(|error| Failure(format!("{} is no JSON: {error}", path.display())))
}

/// Every source of a file that maps a name to the sources which bear it.
pub(super) fn sources(data: &Value) -> Result<Vec<(&String, &Value)>, Failure> {
    let map = data.as_object().ok_or_else(|| Failure("a table of the package is no map".into()))?;
    let mut all = Vec::new();
    for (name, bearers) in map {
        if name.contains(['\t', '\n', '|', ';']) {
            return Err(Failure(format!("{name:?} has a character that separates fields")));
        }
        all.extend(array(bearers).iter().map(|bearer| (name, bearer)));
    }
    Ok(all)
}

/// The members of a list, none for anything else.
pub(super) fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A field of text, empty if it is missing.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// The year of a date, empty if there is none. The package dates what has no known beginning to 1750.
pub(super) fn year(date: &Value) -> Result<String, Failure> {
    let Some(date) = date.as_str() else { return Ok(String::new()) };
    let year = date.get(..4).ok_or_else(|| Failure(format!("{date:?} is no date")))?;
    Ok(if year == "1750" { String::new() } else { year.to_owned() })
}
