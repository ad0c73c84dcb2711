//! The tables `reporters.tsv` and `journals.tsv`: series of cases and of journals, with all their spellings.

use std::path::Path;

use serde_json::Value;

use super::reading::{array, package, sources, text, year};
use crate::command::Failure;

/// A line a reporter: name, kind, places, editions, variations.
///
/// An edition is `name;first year;last year;shape`, a variation `spelling;number of its edition`; `|` separates
/// them. Years that are not known are empty.
pub(super) fn reporters(packages: &Path) -> Result<String, Failure> {
    let data = package(packages, "reporters-db", "reporters_db/data/reporters.json")?;
    lines(&data, true)
}

/// The lines of `reporters.tsv` for the journals, which have no places.
pub(super) fn journals(packages: &Path) -> Result<String, Failure> {
    let data = package(packages, "reporters-db", "reporters_db/data/journals.json")?;
    lines(&data, false)
}

fn lines(data: &Value, with_editions: bool) -> Result<String, Failure> {
    let mut lines = Vec::new();
    for (name, source) in sources(data)? {
        let mut editions: Vec<String> = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        if with_editions {
            for (edition, facts) in source["editions"].as_object().into_iter().flatten() {
                let shape = shape(array(&facts["regexes"]));
                let (start, end) = (year(&facts["start"])?, year(&facts["end"])?);
                editions.push(format!("{edition};{start};{end};{shape}"));
                names.push(edition);
            }
        } else {
            editions.push(format!("{name};;;"));
            names.push(name);
        }
        let mut variations: Vec<String> = Vec::new();
        match &source["variations"] {
            Value::Object(map) => {
                for (spelling, edition) in map {
                    let edition = edition.as_str().unwrap_or_default();
                    let number = names.iter().position(|other| *other == edition).unwrap_or(0);
                    variations.push(format!("{spelling};{number}"));
                }
            }
            list => {
                for spelling in array(list).iter().filter_map(Value::as_str) {
                    variations.push(format!("{spelling};0"));
                }
            }
        }
        lines.push(format!(
            "{name}\t{}\t{}\t{}\t{}",
            text(source, "cite_type"),
            places(&source["mlz_jurisdiction"]),
            editions.join("|"),
            variations.join("|")
        ));
    }
    lines.sort();
    Ok(lines.join("\n") + "\n")
}

/// The states whose courts a reporter has, `us` for those of the nation.
fn places(jurisdictions: &Value) -> String {
    let mut places: Vec<&str> = array(jurisdictions)
        .iter()
        .filter_map(Value::as_str)
        .map(|one| {
            let place = one.split(';').next().unwrap_or_default();
            match place.split_once(':') {
                Some(("us", state)) if state.len() == 2 && !state.starts_with('c') => state,
                Some(("us", "ca")) => "ca",
                Some(("us", "co")) => "co",
                Some(("us", "ct")) => "ct",
                _ => "us",
            }
        })
        .collect();
    places.sort_unstable();
    places.dedup();
    places.join(" ")
}

/// The letters of a shape: what a citation of the edition has besides volume, reporter and page.
///
/// - `n`: it may stand without a volume
/// - `p`: paragraphs take the place of pages
/// - `y`: its volumes are years
/// - `s`: its volumes have at most three digits, as years are those of another series
/// - `a`: the volume follows the reporter
/// - `l`: a docket number stands before the reporter, which stands in parentheses with a date
fn shape(templates: &[Value]) -> String {
    let templates: Vec<&str> = templates.iter().filter_map(Value::as_str).collect();
    let any = |parts: &[&str]| {
        templates.iter().any(|template| parts.iter().any(|part| template.contains(part)))
    };
    let starts = |part: &str| templates.iter().any(|template| template.starts_with(part));
    let year = |template: &&str| {
        template.contains("$volume_year")
            || template.contains("format_neutral")
            || template.contains("illinois_neutral")
            || template.contains("(19|20)")
            || template.contains("(1[89]")
    };
    let mut shape = String::new();
    if any(&["$volume_nominative", "single_volume", "full_cite_cch", "full_cite_paragraph"])
        || starts("$reporter $pa")
        || starts("$reporter,? $page")
        || starts("$reporter,? p.")
        || starts("$reporter \\(Ed")
    {
        shape.push('n');
    }
    if any(&["full_cite_cch", "paragraph"]) {
        shape.push('p');
    }
    if !templates.is_empty() && templates.iter().all(year) {
        shape.push('y');
    }
    if any(&["\\d{1,3})"]) {
        shape.push('s');
    }
    if any(&["full_cite_year_page", "$reporter $volume_year-", "$reporter \\($volume_year"])
        || starts("$reporter (?P<volume>")
    {
        shape.push('a');
    }
    if any(&["louisiana"]) {
        shape.push('l');
    }
    shape
}
