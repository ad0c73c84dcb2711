//! `compartment tasks list`: tasks of the ledger, and dead letters of queues.

use compartment::Databases;
use compartment::clock::{Clock, SystemClock, Timestamp};
use compartment::pipeline::ledger::{LedgerStatus, LedgerTask, TaskFilter};
use compartment::queue::DeadTask;
use compartment_documents::batch::DocumentEntry;
use serde_json::{Value, json};

use super::dead_letters::{self, DeadLetter};
use crate::args::TasksList;
use crate::commands::upkeep;
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, FAINT};

pub(super) async fn run(databases: &Databases, command: &TasksList) -> Result<ExitCode, CliError> {
    let letters = letters(databases, command).await?;
    let mut tasks = Vec::new();
    if !command.dead_letters
        && let Some(ledger) = upkeep::readable(databases, &command.ledger)?
    {
        tasks = ledger.tasks(&filter(command)).await?;
    }
    if command.json {
        let letters = letters.iter().map(DeadLetter::as_json).collect::<Vec<_>>();
        let tasks: Vec<Value> = tasks.iter().map(task_as_json).collect();
        screen::say_json(&json!({"dead_letters": letters, "tasks": tasks}));
        return Ok(ExitCode::Success);
    }
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

fn filter(command: &TasksList) -> TaskFilter {
    let mut filter = TaskFilter::default();
    filter.batch.clone_from(&command.batch);
    filter.task_type.clone_from(&command.stage);
    filter.status = command.status.map(|status| match status {
        crate::args::StatusArgument::Done => LedgerStatus::Done,
        crate::args::StatusArgument::Failed => LedgerStatus::Failed,
        crate::args::StatusArgument::Dead => LedgerStatus::Dead,
        crate::args::StatusArgument::Retried => LedgerStatus::Retried,
    });
    filter.worker.clone_from(&command.worker);
    filter.error.clone_from(&command.error);
    (filter.limit, filter.offset) = (command.limit, command.offset);
    filter
}

/// Matching dead letters; none if a batch, a worker or another status is asked for.
async fn letters(databases: &Databases, command: &TasksList) -> Result<Vec<DeadLetter>, CliError> {
    let is_dead = command.status.is_none_or(|status| status == crate::args::StatusArgument::Dead);
    if command.batch.is_some() || command.worker.is_some() || !is_dead {
        return Ok(Vec::new());
    }
    let error = command.error.as_ref().map(|error| error.to_lowercase());
    let fits = |task: &DeadTask| {
        error.as_ref().is_none_or(|error| task.error.to_lowercase().contains(error.as_str()))
    };
    // Stages of other pipelines have no queue here, but may have rows in the ledger.
    let stage = command.stage.as_deref();
    match dead_letters::read(databases, stage, fits, command.limit).await {
        Err(error) if error.code() == ExitCode::Configuration && !command.dead_letters => {
            Ok(Vec::new())
        }
        letters => letters,
    }
}

fn print_letters(letters: &[DeadLetter]) {
    let now = SystemClock.now();
    let mut table = screen::table(&["dead letter", "stage", "attempts", "died", "error"], &[2]);
    for letter in letters {
        let task = &letter.task;
        table.add_row([
            task.id.to_string(),
            letter.stage.clone(),
            task.attempts.to_string(),
            format!("{} ago", screen::time(now.since(task.died_at))),
            task.error.clone(),
        ]);
    }
    screen::say_lines(format!("{table}\n"));
}

fn print_tasks(tasks: &[LedgerTask]) {
    let header = ["batch", "task", "stage", "status", "tries", "took", "ago", "error or document"];
    let mut table = screen::table(&header, &[1, 4, 5, 6]);
    for task in tasks {
        let what = task.error.clone().or_else(|| name_of(task));
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

/// The name of the document.
pub(crate) fn name_of(task: &LedgerTask) -> Option<String> {
    let document = task.document.as_ref()?;
    let entry: Option<DocumentEntry> = serde_json::from_str(document).ok();
    Some(entry.map_or_else(|| document.clone(), |entry| entry.name))
}

pub(crate) fn took(task: &LedgerTask) -> String {
    let took = task.took_ms().map(std::time::Duration::from_millis);
    took.map_or_else(|| "–".into(), screen::time)
}

/// Time since the task ended.
pub(super) fn ended(task: &LedgerTask) -> String {
    let Some(at) = task.completed_ms else { return "–".into() };
    screen::time(SystemClock.now().since(Timestamp::from_millis(at)))
}

pub(crate) fn task_as_json(task: &LedgerTask) -> Value {
    let mut value = json!(task);
    value["took_ms"] = json!(task.took_ms());
    value
}
