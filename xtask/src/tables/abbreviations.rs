//! The table `abbreviations.txt`: words that names of cases abbreviate (Bluebook table T6).

use std::path::Path;

use super::reading::package;
use crate::command::Failure;

/// An abbreviation a line, in lower case and without its full stop.
pub(super) fn abbreviations(packages: &Path) -> Result<String, Failure> {
    let file = "reporters_db/data/case_name_abbreviations.json";
    let data = package(packages, "reporters-db", file)?;
    let map = data.as_object().ok_or_else(|| Failure(format!("{file} is no map")))?;
    let mut words: Vec<String> = map
        .keys()
        .map(|word| word.trim_end_matches('.').to_lowercase())
        .filter(|word| word != "&" && !word.contains('.'))
        .collect();
    words.sort();
    words.dedup();
    Ok(words.join("\n") + "\n")
}
