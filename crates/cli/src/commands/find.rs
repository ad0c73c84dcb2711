//! `compartment find`: a name in the results of documents.

use compartment_documents::results::{Hit, Query, Unreadable, find, shown_name};

use crate::args;
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, FAINT, STRONG};

pub(crate) fn run(command: &args::Find) -> Result<ExitCode, CliError> {
    let results = &command.within.results;
    let mut query = Query::new(&command.name);
    query.kind = command.within.kind.map(Into::into);
    query.limit = usize::try_from(command.limit).unwrap_or(usize::MAX);
    let found = find(results, &query).map_err(|error| no_results(results, &error))?;
    say_unreadable(&found.unreadable);
    if command.json {
        found.hits.iter().for_each(screen::say_json_line);
    } else {
        let mut document = "";
        for hit in &found.hits {
            if hit.document != document {
                document = &hit.document;
                screen::say(format!("{STRONG}{document}{STRONG:#}"));
            }
            show(hit);
        }
    }
    if found.is_cut {
        screen::remark(format!(
            "only the first {} places are shown; --limit shows more",
            command.limit
        ));
    }
    if found.hits.is_empty() {
        screen::remark(format!("nothing in {} is named {:?}", results.display(), command.name));
        return Ok(ExitCode::Different);
    }
    Ok(ExitCode::Success)
}

fn show(hit: &Hit) {
    let page = format!("p. {}", hit.page);
    let around = format!("{}{STRONG}{}{STRONG:#}{}", hit.around.before, hit.text, hit.around.after);
    let kind = serde_json::to_value(hit.kind).unwrap_or_default();
    let name = shown_name(hit.kind, &hit.name);
    let entity = if name == hit.text { String::new() } else { format!(": {name}") };
    let kind = kind.as_str().unwrap_or_default();
    let kind = hit.stated.as_ref().map_or(kind.to_owned(), |stated| format!("{kind}, {stated}"));
    // Whether the rules or a model say it matters to whoever relies on it.
    let sure = hit.confidence.map(|percent| format!(" ({}: {percent} %)", hit.sources.join(", ")));
    let sure = sure.unwrap_or_default();
    screen::say(format!("  {page:<6} {FAINT}{kind}{entity}{sure}{FAINT:#}"));
    screen::say_lines(screen::indented(&around, "         ", "         "));
}

/// Says which files hold no results.
pub(super) fn say_unreadable(unreadable: &[Unreadable]) {
    for file in unreadable {
        screen::remark(format!("{} holds no results: {}", file.path.display(), file.why));
    }
}

/// The error of a folder that cannot be looked into.
pub(super) fn no_results(folder: &std::path::Path, error: &std::io::Error) -> CliError {
    CliError::files("find results in", folder, error)
        .hint("`compartment ingest PATH --out DIR` writes them; --results names the folder")
}
