//! `compartment graph`: the neighbourhood of an entity in the results of documents.

use compartment_documents::results::{
    Choice, GraphOptions, as_dot, as_graphml, as_json_lines, as_text, graph, named,
};

use super::find::{no_results, say_unreadable};
use crate::args::{self, GraphFormat};
use crate::exit_code::{CliError, ExitCode};
use crate::screen;

/// Entities of a name that are listed, if there are several.
const CHOICES: usize = 8;

pub(crate) fn run(command: &args::Graph) -> Result<ExitCode, CliError> {
    let Some(center) = the_one(&command.which)? else { return Ok(ExitCode::Different) };
    let folder = &command.which.within.results;
    let mut options = GraphOptions::default();
    options.depth = usize::from(command.depth);
    options.together = command.together;
    options.limit = usize::try_from(command.limit).unwrap_or(usize::MAX);
    let found = graph(folder, &center.id, &options).map_err(|error| no_results(folder, &error))?;
    say_unreadable(&found.unreadable);
    let text = match command.format {
        GraphFormat::Text => as_text(&found),
        GraphFormat::Jsonl => as_json_lines(&found),
        GraphFormat::Graphml => as_graphml(&found),
        GraphFormat::Dot => as_dot(&found),
    };
    screen::say_lines(text.trim_end());
    if found.is_cut {
        let limit = command.limit;
        screen::remark(format!(
            "only the {limit} heaviest relationships are shown; --limit shows more"
        ));
    }
    Ok(ExitCode::Success)
}

/// The entity that the arguments mean; `None` after saying that there is none.
pub(super) fn the_one(which_entity: &args::WhichEntity) -> Result<Option<Choice>, CliError> {
    let args::WhichEntity { name, within: args::ResultsArguments { results, kind } } = which_entity;
    let choices =
        named(results, name, kind.map(Into::into)).map_err(|error| no_results(results, &error))?;
    match choices.as_slice() {
        [] => {
            screen::remark(format!("nothing in {} is named {name:?}", results.display()));
            Ok(None)
        }
        [one] => Ok(Some(one.clone())),
        [first, second, ..] if first.name != second.name && is_exactly(first, name) => {
            Ok(Some(first.clone()))
        }
        several => Err(which(several, name)),
    }
}

fn is_exactly(choice: &Choice, name: &str) -> bool {
    choice.name.eq_ignore_ascii_case(name)
}

/// The error of a name that several entities have, after a list of them.
fn which(choices: &[Choice], name: &str) -> CliError {
    for choice in choices.iter().take(CHOICES) {
        screen::remark(format!(
            "  {}  {} ({} documents)",
            choice.id, choice.name, choice.documents
        ));
    }
    let what = format!("{} entities are named {name:?}", choices.len());
    CliError::new(ExitCode::Usage, what).hint("give the id of one of them, more words, or --kind")
}
