//! `compartment batch show`: progress, failures and slow documents of a batch.

use compartment::pipeline::ledger::{Ledger, LedgerTask};
use compartment::{Databases, ErrorKind};

use super::view::View;
use crate::commands::tasks::{name_of, task_as_json, took};
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, BAD, FAINT, GOOD, STRONG};

/// Rows of each table. More would scroll the stages off the screen; `--json` has all of them.
const SHOWN: usize = 8;

pub(super) async fn run(
    databases: &Databases,
    name: &str,
    ledger: Option<Ledger>,
    as_json: bool,
) -> Result<ExitCode, CliError> {
    let view = View::read(databases, name, true).await?;
    let slowest = match ledger {
        Some(ledger) => slowest(&ledger, name).await?,
        None => Vec::new(),
    };
    if as_json {
        let mut value = view.as_json();
        value["slowest"] = slowest.iter().map(task_as_json).collect();
        screen::say_json(&value);
    } else {
        print(&view);
        print_slowest(&slowest);
    }
    Ok(ExitCode::Success)
}

/// The slowest documents so far, from the ledger.
async fn slowest(ledger: &Ledger, name: &str) -> Result<Vec<LedgerTask>, CliError> {
    match ledger.slowest(name, SHOWN as u64).await {
        Err(error) if error.kind() == ErrorKind::Unknown => Ok(Vec::new()),
        slowest => Ok(slowest?),
    }
}

fn print_slowest(slowest: &[LedgerTask]) {
    if slowest.is_empty() {
        return;
    }
    let mut table = screen::table(&["slowest", "document", "stage", "time"], &[1, 3]);
    for task in slowest {
        let name = name_of(task).unwrap_or_default();
        table.add_row([name, task.ordinal.to_string(), task.task_type.clone(), took(task)]);
    }
    screen::say_lines(format!("\n{table}"));
}

pub(super) fn print(view: &View) {
    let progress = &view.progress;
    let count = screen::count;
    let mut line = format!(
        "{STRONG}{}{STRONG:#} is {}: {GOOD}{}{GOOD:#} of {} documents done",
        view.record.name,
        view.status(),
        count(progress.done),
        count(progress.total)
    );
    if progress.dead > 0 {
        line += &format!(", {BAD}{} dead{BAD:#}", count(progress.dead));
    }
    screen::say(line);
    let header = ["stage", "done", "dead", "running", "ready", "retrying"];
    let mut table = screen::table(&header, &[1, 2, 3, 4, 5]);
    for (stage, figures) in view.plan.stages.iter().zip(&progress.stages) {
        table.add_row([
            stage.name.clone(),
            count(figures.done),
            count(figures.dead),
            count(figures.claimed),
            count(figures.ready),
            count(figures.delayed),
        ]);
    }
    screen::say_lines(format!("\n{table}"));
    failures(view);
    running(view);
    if !view.unserved.is_empty() && !view.is_over() {
        screen::say("");
        screen::say(format!(
            "{BAD}no worker serves{BAD:#} {}: start `compartment worker`",
            view.unserved.join(", ")
        ));
    }
}

fn failures(view: &View) {
    if view.failures.is_empty() {
        return;
    }
    let mut table = screen::table(&["failed at", "documents", "example error"], &[1]);
    for group in view.failures.iter().take(SHOWN) {
        table.add_row([&group.stage, &screen::count(group.documents), &group.example]);
    }
    screen::say_lines(format!("\n{table}"));
    if let Some(more) = view.failures.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        screen::say(format!("{FAINT}and {more} more: --json lists all{FAINT:#}"));
    }
}

fn running(view: &View) {
    // Workers publish their running documents at intervals, so finished ones may still be listed.
    if view.running.is_empty() || view.is_over() {
        return;
    }
    let mut table = screen::table(&["running longest", "stage", "for", "worker"], &[2]);
    for (worker, one) in view.running.iter().take(SHOWN) {
        let long = screen::time(view.now.since(one.since));
        table.add_row([&one.name, &one.stage, &long, worker]);
    }
    screen::say_lines(format!("\n{table}"));
    let stuck = view.stuck().count();
    if stuck > 0 {
        screen::say(format!("{BAD}{stuck} stuck{BAD:#}: in progress for more than two minutes"));
    }
}
