//! `compartment batch show`: progress, failures and slow documents of a batch.

use compartment::pipeline::ledger::LedgerTask;
use compartment_operations::Operations;
use compartment_operations::work::{BatchView, document_name};

use crate::args::BatchShow;
use crate::commands::tasks::took;
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, BAD, FAINT, GOOD, STRONG};

/// Rows of each table. More would scroll the stages off the screen; `--json` has all of them.
const SHOWN: usize = 8;

pub(super) async fn run(
    operations: &Operations,
    command: &BatchShow,
) -> Result<ExitCode, CliError> {
    let view = operations.batch(&command.batch.name).await?;
    if command.json {
        screen::say_json(&view);
    } else {
        print(&view);
        print_slowest(&view.slowest);
    }
    Ok(ExitCode::Success)
}

fn print_slowest(slowest: &[LedgerTask]) {
    if slowest.is_empty() {
        return;
    }
    let mut table = screen::table(&["slowest", "document", "stage", "time"], &[1, 3]);
    for task in slowest {
        let name = document_name(task).unwrap_or_default();
        table.add_row([name, task.ordinal.to_string(), task.task_type.clone(), took(task)]);
    }
    screen::say_lines(format!("\n{table}"));
}

pub(super) fn print(view: &BatchView) {
    let summary = &view.summary;
    let count = screen::count;
    let mut line = format!(
        "{STRONG}{}{STRONG:#} is {}: {GOOD}{}{GOOD:#} of {} documents done",
        summary.name,
        summary.status,
        count(summary.done),
        count(summary.total)
    );
    if summary.dead > 0 {
        line += &format!(", {BAD}{} dead{BAD:#}", count(summary.dead));
    }
    screen::say(line);
    let header = ["stage", "done", "dead", "running", "ready", "retrying"];
    let mut table = screen::table(&header, &[1, 2, 3, 4, 5]);
    for figures in &summary.stages {
        table.add_row([
            figures.stage.clone(),
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
    if !summary.unserved.is_empty() && !summary.is_over() {
        screen::say("");
        screen::say(format!(
            "{BAD}no worker serves{BAD:#} {}: start `compartment worker`",
            summary.unserved.join(", ")
        ));
    }
}

fn failures(view: &BatchView) {
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

fn running(view: &BatchView) {
    // Workers publish their running documents at intervals, so finished ones may still be listed.
    if view.running.is_empty() || view.summary.is_over() {
        return;
    }
    let mut table = screen::table(&["running longest", "stage", "for", "worker"], &[2]);
    for one in view.running.iter().take(SHOWN) {
        let long = screen::time(one.time());
        table.add_row([&one.document, &one.stage, &long, &one.worker]);
    }
    screen::say_lines(format!("\n{table}"));
    let stuck = view.stuck.len();
    if stuck > 0 {
        screen::say(format!("{BAD}{stuck} stuck{BAD:#}: in progress for more than two minutes"));
    }
}
