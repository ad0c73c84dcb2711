//! `compartment explain`: why names in documents mean one entity.

use compartment_documents::results::{Form, decisions_on, explain};

use super::find::no_results;
use super::graph::the_one;
use super::resolve::show_decision;
use crate::args;
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, FAINT, STRONG};

pub(crate) fn run(command: &args::Explain) -> Result<ExitCode, CliError> {
    let Some(entity) = the_one(&command.which)? else { return Ok(ExitCode::Different) };
    let folder = &command.which.within.results;
    let forms = explain(folder, &entity).map_err(|error| no_results(folder, &error))?;
    let decisions = decisions_on(folder, &entity).map_err(|error| no_results(folder, &error))?;
    if command.json {
        let found = serde_json::json!({ "entity": entity, "forms": forms, "decisions": decisions });
        screen::say_json(&found);
        return Ok(ExitCode::Success);
    }
    screen::say(format!("{STRONG}{}{STRONG:#}  {FAINT}{}{FAINT:#}", entity.name, entity.id));
    forms.iter().for_each(show);
    if !decisions.is_empty() {
        screen::say(format!("{STRONG}decisions{STRONG:#}"));
        decisions.iter().for_each(|one| show_decision(one, "  "));
    }
    Ok(ExitCode::Success)
}

fn show(form: &Form) {
    let places = match (form.places, form.documents) {
        (1, _) => "1 place".to_owned(),
        (places, 1) => format!("{places} places in 1 document"),
        (places, documents) => format!("{places} places in {documents} documents"),
    };
    screen::say(format!("  {}", form.form));
    let why = format!("{}; {places}, first {} p. {}", form.reason.text(), form.document, form.page);
    screen::say_lines(screen::indented(&why, "      ", "      "));
}
