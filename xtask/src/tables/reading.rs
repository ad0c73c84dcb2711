//! Reads the files of the packages.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::Failure;

/// A file of JSON of a package.
pub(super) fn package(packages: &Path, name: &str, file: &str) -> Result<Value, Failure> {
    let path = path(packages, name, file)?;
    serde_json::from_str(&content(&path)?)
        .map_err(|error| Failure(format!("{} is no JSON: {error}", path.display())))
}

/// The text files of a folder of a package, by their names without `.txt`.
pub(super) fn texts(
    packages: &Path,
    name: &str,
    folder: &str,
) -> Result<Vec<(String, String)>, Failure> {
    let path = path(packages, name, folder)?;
    let files = std::fs::read_dir(&path)
        .map_err(|error| Failure(format!("{} could not be listed: {error}", path.display())))?;
    let named = files.filter_map(Result::ok).map(|file| {
        let name = file.file_name().to_string_lossy().trim_end_matches(".txt").to_owned();
        Ok((name, content(&file.path())?))
    });
    named.collect()
}

/// A path in a package; its folder begins with its name and has its version.
fn path(packages: &Path, name: &str, below: &str) -> Result<PathBuf, Failure> {
    let pinned = super::PACKAGES
        .iter()
        .find(|package| package.split("==").next() == Some(name))
        .ok_or_else(|| Failure(format!("no package {name}")))?;
    Ok(packages.join(pinned).join(below))
}

fn content(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure(format!("{} could not be read: {error}", path.display())))
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
