//! `compartment tasks list`: tasks of the ledger, and dead letters of queues.

use std::time::Duration;

use compartment::clock::{Clock, SystemClock, Timestamp};
use compartment::pipeline::ledger::{LedgerStatus, LedgerTask};
use compartment_operations::Operations;
use compartment_operations::work::{DeadLetter, TaskQuery, document_name};

use crate::args::{StatusArgument, TasksList};
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, FAINT};

pub(super) async fn run(
    operations: &Operations,
    command: &TasksList,
) -> Result<ExitCode, CliError> {
    let found = operations.tasks(&query(command)).await?;
    if command.json {
        screen::say_json(&found);
        return Ok(ExitCode::Success);
    }
    let (letters, tasks) = (found.dead_letters, found.tasks);
    if letters.is_empty() && tasks.is_empty() {
        screen::say("no matching tasks");
        return Ok(ExitCode::Success);
    }
    if !letters.is_empty() {
        print_letters(&letters);
    }
    if !tasks.is_empty() {
        print_tasks(&tasks);
        if tasks.len() as u64 == command.limit {
            let next = command.offset + command.limit;
            screen::say(format!("{FAINT}there may be more: --offset {next}{FAINT:#}"));
        }
    }
    Ok(ExitCode::Success)
}

fn query(command: &TasksList) -> TaskQuery {
    let mut query = TaskQuery::default();
    query.batch.clone_from(&command.batch);
    query.stage.clone_from(&command.stage);
    query.status = command.status.map(|status| match status {
        StatusArgument::Done => LedgerStatus::Done,
        StatusArgument::Failed => LedgerStatus::Failed,
        StatusArgument::Dead => LedgerStatus::Dead,
        StatusArgument::Retried => LedgerStatus::Retried,
    });
    query.worker.clone_from(&command.worker);
    query.error.clone_from(&command.error);
    query.dead_letters_only = command.dead_letters;
    (query.limit, query.offset) = (command.limit, command.offset);
    query
}

fn print_letters(letters: &[DeadLetter]) {
    let now = SystemClock.now();
    let mut table = screen::table(&["dead letter", "stage", "attempts", "died", "error"], &[2]);
    for letter in letters {
        let died = Timestamp::from_millis(letter.died_ms);
        table.add_row([
            letter.id.to_string(),
            letter.stage.clone(),
            letter.attempts.to_string(),
            format!("{} ago", screen::time(now.since(died))),
            letter.error.clone(),
        ]);
    }
    screen::say_lines(format!("{table}\n"));
}

fn print_tasks(tasks: &[LedgerTask]) {
    let header = ["batch", "task", "stage", "status", "tries", "took", "ago", "error or document"];
    let mut table = screen::table(&header, &[1, 4, 5, 6]);
    for task in tasks {
        let what = task.error.clone().or_else(|| document_name(task));
        let is_of_batch = !task.batch.is_empty();
        table.add_row([
            if is_of_batch { task.batch.clone() } else { "–".to_owned() },
            task.ordinal.to_string(),
            task.task_type.clone(),
            task.status.to_string(),
            (task.retry_count + 1).to_string(),
            took(task),
            ended(task),
            what.unwrap_or_default(),
        ]);
    }
    screen::say_lines(table.to_string());
}

pub(crate) fn took(task: &LedgerTask) -> String {
    let took = task.took_ms().map(Duration::from_millis);
    took.map_or_else(|| "–".into(), screen::time)
}

/// Time since the task ended.
pub(super) fn ended(task: &LedgerTask) -> String {
    let Some(at) = task.completed_ms else { return "–".into() };
    screen::time(SystemClock.now().since(Timestamp::from_millis(at)))
}
