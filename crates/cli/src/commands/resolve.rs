//! `compartment resolve`: decisions on who is one in the results of documents, and who is not.

use std::path::Path;

use compartment_documents::files::{decisions_path, read_decisions};
use compartment_documents::model::{CanonicalEntity, EntityKind};
use compartment_documents::resolve::{Decision, Decisions, Ruling};
use compartment_documents::results::{Effect, Named, decide, document_hash, forms_named};

use super::find::{no_results, say_unreadable};
use crate::args::{self, Decided, ResolveCommand};
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, FAINT, STRONG};

/// Entities or documents that are listed, if there are several.
const SHOWN: usize = 8;

pub(crate) fn run(command: &args::Resolve) -> Result<ExitCode, CliError> {
    match &command.command {
        ResolveCommand::KeepApart(command) => keep_apart(command),
        ResolveCommand::Join(command) => join(command),
        ResolveCommand::Undo(command) => undo(command),
        ResolveCommand::List(command) => list(command),
    }
}

fn keep_apart(command: &args::KeepApart) -> Result<ExitCode, CliError> {
    let folder = &command.decided.results;
    let kind = command.kind.map(Into::into);
    let Some(one) = the_form(folder, &command.one, kind)? else { return Ok(ExitCode::Different) };
    let old = decisions(folder)?;
    let mut new = old.clone();
    if let Some(document) = &command.document {
        let hash = document_hash(folder, document).map_err(|error| no_results(folder, &error))?;
        let Some(hash) = hash else {
            screen::remark(format!("{} has no document {document:?}", folder.display()));
            return Ok(ExitCode::Different);
        };
        new.add(Ruling::Alone, &one.form, &hash, &format!("{} | {document}", one.name));
        return apply(&command.decided, &old, &new);
    }
    let other = command.other.as_deref().unwrap_or_default();
    let Some(other) = the_form(folder, other, kind)? else { return Ok(ExitCode::Different) };
    if one.form == other.form {
        let what = format!("{:?} and {:?} are one name to the rules", one.name, other.name);
        return Err(CliError::new(ExitCode::Usage, what)
            .hint("--in DOCUMENT keeps the name of one document apart from that of all others"));
    }
    same_kind(&one, &other)?;
    new.add(Ruling::KeepApart, &one.form, &other.form, &names(&one, &other));
    apply(&command.decided, &old, &new)
}

fn join(command: &args::Join) -> Result<ExitCode, CliError> {
    let folder = &command.decided.results;
    let kind = command.kind.map(Into::into);
    let Some(one) = the_form(folder, &command.one, kind)? else { return Ok(ExitCode::Different) };
    let other = the_form(folder, &command.other, kind)?;
    let Some(other) = other else { return Ok(ExitCode::Different) };
    same_kind(&one, &other)?;
    if one.entity == other.entity {
        screen::remark(format!("{:?} and {:?} are one entity already", one.name, other.name));
        return Ok(ExitCode::Different);
    }
    let old = decisions(folder)?;
    let mut new = old.clone();
    new.add(Ruling::Join, &one.entity, &other.entity, &names(&one, &other));
    apply(&command.decided, &old, &new)
}

fn undo(command: &args::Undo) -> Result<ExitCode, CliError> {
    let old = decisions(&command.decided.results)?;
    let mut new = old.clone();
    if new.undo(command.number).is_none() {
        let path = decisions_path(&command.decided.results);
        screen::remark(match command.number {
            Some(number) => format!("{} has no decision {number}", path.display()),
            None => format!("{} has no decisions", path.display()),
        });
        return Ok(ExitCode::Different);
    }
    apply(&command.decided, &old, &new)
}

fn list(command: &args::List) -> Result<ExitCode, CliError> {
    let decisions = decisions(&command.results)?;
    if command.json {
        screen::say_json(&decisions.list());
    } else if decisions.is_empty() {
        screen::remark(format!("{} has no decisions", command.results.display()));
    }
    if !command.json {
        decisions.list().iter().for_each(|one| show_decision(one, ""));
    }
    Ok(ExitCode::Success)
}

/// Shows a decision on a line.
pub(super) fn show_decision(decision: &Decision, indent: &str) {
    let Decision { number, ruling, names, .. } = decision;
    screen::say(format!("{indent}{number}  {}  {names}", ruling.word()));
}

fn decisions(folder: &Path) -> Result<Decisions, CliError> {
    let path = decisions_path(folder);
    read_decisions(folder).map_err(|error| {
        CliError::files("read", &path, &error)
            .hint("correct or remove the line; `compartment resolve` writes one decision a line")
    })
}

fn names(one: &Named, other: &Named) -> String {
    format!("{} | {}", one.name, other.name)
}

fn same_kind(one: &Named, other: &Named) -> Result<(), CliError> {
    if one.kind == other.kind {
        return Ok(());
    }
    let what = format!("{:?} and {:?} are entities of two kinds", one.name, other.name);
    Err(CliError::new(ExitCode::Usage, what).hint("--kind names the kind that is meant"))
}

/// The form that a name means; `None` after saying that there is none.
fn the_form(
    folder: &Path,
    name: &str,
    kind: Option<EntityKind>,
) -> Result<Option<Named>, CliError> {
    let forms = forms_named(folder, name, kind).map_err(|error| no_results(folder, &error))?;
    match forms.as_slice() {
        [] => {
            screen::remark(format!("nothing in {} is named exactly {name:?}", folder.display()));
            Ok(None)
        }
        [one] => Ok(Some(one.clone())),
        several => {
            for form in several.iter().take(SHOWN) {
                screen::remark(format!("  {}  {}", form.entity, form.name));
            }
            let what = format!("{} entities are named {name:?}", several.len());
            Err(CliError::new(ExitCode::Usage, what).hint("give the id of one of them, or --kind"))
        }
    }
}

/// Applies the decisions, and shows what they change.
fn apply(decided: &Decided, old: &Decisions, new: &Decisions) -> Result<ExitCode, CliError> {
    let folder = &decided.results;
    let effect =
        decide(folder, old, new, decided.dry_run).map_err(|error| no_results(folder, &error))?;
    say_unreadable(&effect.unreadable);
    let number = new.list().iter().map(|one| one.number).max();
    if decided.json {
        screen::say_json(&serde_json::json!({
            "decision": number.filter(|_| new.list().len() >= old.list().len()),
            "dry_run": decided.dry_run,
            "effect": effect,
        }));
    } else {
        show(&effect);
        let documents = match effect.documents.len() {
            1 => "1 document".to_owned(),
            count => format!("{count} documents"),
        };
        screen::remark(match decided.dry_run {
            true => format!("{documents} would change; nothing is written"),
            false => format!("{documents} changed; {}", decisions_path(folder).display()),
        });
    }
    if effect.documents.is_empty() { Ok(ExitCode::Different) } else { Ok(ExitCode::Success) }
}

fn show(effect: &Effect) {
    for (sign, entities) in [('-', &effect.before), ('+', &effect.after)] {
        for entity in entities {
            let CanonicalEntity { id, name, documents, .. } = entity;
            screen::say(format!("{sign} {STRONG}{name}{STRONG:#}  {FAINT}{id}{FAINT:#}"));
            let more = documents.len().saturating_sub(SHOWN);
            let mut line = documents[..documents.len() - more].join(", ");
            if more > 0 {
                line.push_str(&format!(", and {more} more"));
            }
            screen::say_lines(screen::indented(&line, "    ", "    "));
        }
    }
}
