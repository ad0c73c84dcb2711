//! The table `laws.tsv`: codes, session laws, regulations and registers, with the parts of their citations.

use std::path::Path;

use serde_json::Value;

use super::reading::{array, package, sources, text};
use crate::command::Failure;

/// A line a code: name, kind, jurisdiction, shape, variations.
///
/// Letters of the shape:
/// - `v`: a number (volume, title, year, issue) stands before the name
/// - `p`: pages follow without a sign
/// - `s`: words for the subject stand inside or behind the name
/// - `b`: a bare number follows, as in rules
pub(super) fn laws(packages: &Path) -> Result<String, Failure> {
    let data = package(packages, "reporters-db", "reporters_db/data/laws.json")?;
    let mut lines = Vec::new();
    for (name, source) in sources(&data)? {
        let templates: Vec<&str> =
            array(&source["regexes"]).iter().filter_map(Value::as_str).collect();
        let any = |part: &str| templates.iter().any(|template| template.contains(part));
        let mut shape = String::new();
        if templates.iter().any(|template| {
            !template.starts_with("$reporter") && !template.starts_with("(?P<reporter>")
        }) {
            shape.push('v');
        }
        if any("$page_with_commas") {
            shape.push('p');
        }
        if any("$law_subject") || any("<agency>") {
            shape.push('s');
        }
        if any("<rule>") || any("<reg>") || any("<law>") || any("$reporter $law_section") {
            shape.push('b');
        }
        let variations: Vec<&str> =
            array(&source["variations"]).iter().filter_map(Value::as_str).collect();
        lines.push(format!(
            "{name}\t{}\t{}\t{shape}\t{}",
            text(source, "cite_type"),
            text(source, "jurisdiction"),
            variations.join("|")
        ));
    }
    lines.sort();
    lines.dedup();
    Ok(lines.join("\n") + "\n")
}
