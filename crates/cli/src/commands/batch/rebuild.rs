//! `compartment batch rebuild`: rebuilds batches from the ledger.

use compartment::database_map::Role;
use compartment::pipeline::ledger::{Ledger, RebuildOutcome, RebuildProgress, Rebuilt};
use compartment::{Databases, ErrorKind};
use compartment_admin::shell_word;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::args::BatchRebuild;
use crate::commands::upkeep;
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, BAD, FAINT, GOOD};

pub(super) async fn run(
    databases: &Databases,
    command: &BatchRebuild,
) -> Result<ExitCode, CliError> {
    let Some(ledger) = upkeep::existing(databases, &command.ledger)? else {
        return Err(CliError::new(
            ExitCode::Configuration,
            "a batch can only be rebuilt from a ledger",
        )
        .hint("name it with --ledger postgres://… or --ledger FILE"));
    };
    if command.dry_run {
        return preview(databases, &ledger, command).await;
    }
    let mirror = upkeep::mirror(databases, ledger)?;
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        bar.set_style(style);
    }
    let tell = |name: &str, so_far: RebuildProgress| {
        let text = format!(
            "{name}: {} of {} documents, {} facts",
            screen::count(so_far.documents),
            screen::count(so_far.total),
            screen::count(so_far.facts)
        );
        screen::set_message(&bar, text);
        bar.tick();
    };
    let outcomes = match &command.name {
        Some(name) => {
            let rebuilt = mirror.rebuild(name, |so_far| tell(name, so_far)).await;
            let rebuilt = rebuilt.map_err(|error| match error.kind() {
                ErrorKind::Contract => {
                    CliError::new(ExitCode::Unsafe, error.message()).hint(format!(
                        "compare it with the ledger: compartment batch audit {}",
                        shell_word(name)
                    ))
                }
                _ => error.into(),
            })?;
            vec![(name.clone(), RebuildOutcome::Rebuilt(rebuilt))]
        }
        None => mirror.rebuild_all(tell).await?,
    };
    bar.finish_and_clear();
    if command.json {
        let all: Vec<Value> =
            outcomes.iter().map(|(name, outcome)| as_json(name, outcome)).collect();
        screen::say_json(&json!(all));
    } else if outcomes.is_empty() {
        screen::say("the ledger has no batch");
    } else {
        outcomes.iter().for_each(|(name, outcome)| print(name, outcome));
    }
    let is_short = |outcome: &RebuildOutcome| match outcome {
        RebuildOutcome::Failed(_) => true,
        RebuildOutcome::Rebuilt(rebuilt) => rebuilt.missing > 0,
        _ => false,
    };
    let any_short = outcomes.iter().any(|(_, outcome)| is_short(outcome));
    Ok(if any_short { ExitCode::SomeFailed } else { ExitCode::Success })
}

async fn preview(
    databases: &Databases,
    ledger: &Ledger,
    command: &BatchRebuild,
) -> Result<ExitCode, CliError> {
    let store = databases.role(Role::Batch)?.batch();
    let mut rows = Vec::new();
    for batch in ledger.batches().await? {
        let name = &batch.record.name;
        if command.name.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        let what = if store.progress(name).await?.is_some() {
            "is there"
        } else if batch.removed {
            "was removed on purpose"
        } else {
            "would be rebuilt"
        };
        rows.push((batch, what));
    }
    if command.json {
        let rows = rows.iter().map(|(batch, what)| {
            let (name, missing) = (&batch.record.name, batch.total.saturating_sub(batch.documents));
            json!({"batch": name, "what": what, "documents": batch.documents, "missing": missing})
        });
        screen::say_json(&json!(rows.collect::<Vec<_>>()));
        return Ok(ExitCode::Success);
    }
    let mut table = screen::table(&["batch", "what", "documents", "state"], &[2]);
    for (batch, what) in &rows {
        table.add_row([
            &batch.record.name,
            *what,
            &screen::count(batch.documents),
            batch.state.name(),
        ]);
    }
    screen::say_lines(if rows.is_empty() { "not in the ledger".into() } else { table.to_string() });
    Ok(ExitCode::Success)
}

fn as_json(name: &str, outcome: &RebuildOutcome) -> Value {
    let mut value = json!({"batch": name});
    match outcome {
        RebuildOutcome::Rebuilt(Rebuilt { documents, facts, missing, .. }) => {
            value["outcome"] = json!("rebuilt");
            value["documents"] = json!(documents);
            value["facts"] = json!(facts);
            value["missing"] = json!(missing);
        }
        RebuildOutcome::IsThere => value["outcome"] = json!("is_there"),
        RebuildOutcome::WasRemoved => value["outcome"] = json!("was_removed"),
        RebuildOutcome::Failed(error) => {
            value["outcome"] = json!("failed");
            value["error"] = json!(error.to_string());
        }
        _ => {}
    }
    value
}

fn print(name: &str, outcome: &RebuildOutcome) {
    match outcome {
        RebuildOutcome::Rebuilt(rebuilt) => {
            screen::say(format!(
                "batch {GOOD}{name}{GOOD:#} is rebuilt: {}, {}",
                screen::counted(rebuilt.documents, "document"),
                screen::counted(rebuilt.facts, "fact")
            ));
            if rebuilt.missing > 0 {
                screen::say_lines(screen::wrapped(&format!(
                    "{BAD}{}{BAD:#} never reached the ledger: to be submitted again, in a \
                     new batch if this one is sealed",
                    screen::counted(rebuilt.missing, "document")
                )));
            }
        }
        RebuildOutcome::IsThere => {
            screen::say(format!("batch {name} exists already and was left unchanged"))
        }
        RebuildOutcome::WasRemoved => {
            screen::say(format!("{FAINT}batch {name} was removed on purpose{FAINT:#}"));
        }
        RebuildOutcome::Failed(error) => {
            screen::say(format!("{BAD}batch {name} was not rebuilt:{BAD:#} {error}"));
        }
        _ => {}
    }
}
