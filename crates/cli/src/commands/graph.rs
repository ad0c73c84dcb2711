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
    let failed = |error: std::io::Error| no_results(&command.results, &error);
    let choices =
        named(&command.results, &command.name, command.kind.map(Into::into)).map_err(failed)?;
    let center = match choices.as_slice() {
        [] => {
            let (folder, name) = (command.results.display(), &command.name);
            screen::remark(format!("nothing in {folder} is named {name:?}"));
            return Ok(ExitCode::Different);
        }
        [one] => one,
        [first, second, ..] if first.name != second.name && is_exactly(first, &command.name) => {
            first
        }
        several => return Err(which(several, &command.name)),
    };
    let mut options = GraphOptions::default();
    options.depth = usize::from(command.depth);
    options.together = command.together;
    options.limit = usize::try_from(command.limit).unwrap_or(usize::MAX);
    let found = graph(&command.results, &center.id, &options).map_err(failed)?;
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
