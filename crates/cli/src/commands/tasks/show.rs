//! `compartment tasks show`: the outcome of one document or one single task.

use compartment::pipeline::ledger::{LedgerTask, TaskFilter};
use compartment::{Databases, Error, ErrorKind};
use serde_json::{Value, json};

use super::dead_letters::{self, DeadLetter};
use super::list::{ended, name_of, task_as_json, took};
use super::queues;
use crate::args::TasksShow;
use crate::commands::upkeep;
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, STRONG};

pub(super) async fn run(databases: &Databases, command: &TasksShow) -> Result<ExitCode, CliError> {
    let (place, number) = (command.place.as_str(), command.number);
    let ledger = upkeep::readable(databases, &command.ledger)?;
    let queue = queues(databases, Some(place)).ok().and_then(|mut queues| queues.pop());
    let mut letters = Vec::new();
    if queue.is_some() {
        let is_it = |task: &compartment::queue::DeadTask| task.id.number() == number;
        letters = dead_letters::read(databases, Some(place), is_it, 1).await?;
    }
    let mut tasks = Vec::new();
    if let Some(ledger) = ledger {
        tasks = match ledger.task(place, number).await {
            Err(error) if error.kind() == ErrorKind::Unknown => Vec::new(),
            tasks => tasks?,
        };
        if let Some((_, queue)) = &queue {
            let mut filter = TaskFilter::of_batch("");
            filter.task_type = Some(queue.clone());
            filter.ordinal = Some(number);
            tasks.extend(ledger.tasks(&filter).await?);
        }
    }
    if letters.is_empty() && tasks.is_empty() {
        let what = format!(
            "number {number} of batch or stage {place:?} is unknown, or has not succeeded or failed yet"
        );
        return Err(Error::new(ErrorKind::Unknown, "find task", what).into());
    }
    if command.json {
        let letters: Vec<Value> = letters.iter().map(DeadLetter::as_json).collect();
        let tasks: Vec<Value> = tasks.iter().map(task_as_json).collect();
        screen::say_json(&json!({"dead_letters": letters, "tasks": tasks}));
        return Ok(ExitCode::Success);
    }
    for letter in &letters {
        let task = &letter.task;
        screen::say(format!("{STRONG}dead letter {}{STRONG:#} of queue {}", task.id, letter.queue));
        screen::say(format!("  error    {}", task.error));
        screen::say(format!("  attempts {}", task.attempts));
        if task.lost > 0 {
            screen::say(format!("  lost     {} times: its worker disappeared", task.lost));
        }
        screen::say(format!("  data     {}", start_of(&task.payload)));
    }
    print(place, &tasks);
    Ok(ExitCode::Success)
}

fn print(place: &str, tasks: &[LedgerTask]) {
    let Some(first) = tasks.first() else { return };
    let name = name_of(first).unwrap_or_default();
    let document = first.document.as_deref().unwrap_or("binary, not text");
    screen::say(format!("{STRONG}{place} {}{STRONG:#} {name}", first.ordinal));
    folded(document).for_each(screen::say);
    screen::say("");
    let header = ["stage", "status", "tries", "took", "ago", "worker", "claim"];
    let mut table = screen::table(&header, &[2, 3, 4]);
    for task in tasks {
        table.add_row([
            task.task_type.clone(),
            task.status.to_string(),
            (task.retry_count + 1).to_string(),
            took(task),
            ended(task),
            task.worker.clone(),
            task.claim_token.to_string(),
        ]);
    }
    screen::say_lines(table.to_string());
    for task in tasks {
        if let Some(error) = &task.error {
            screen::say("");
            screen::say(format!("{STRONG}{}{STRONG:#}: {error}", task.task_type));
        }
    }
}

/// Bytes of a task's data that are shown.
const SHOWN_DATA: usize = 4_096;

/// The first part of a task's data, which may be long.
fn start_of(data: &[u8]) -> String {
    let start = String::from_utf8_lossy(&data[..data.len().min(SHOWN_DATA)]).into_owned();
    if data.len() > SHOWN_DATA { start + "…" } else { start }
}

/// Breaks the text into lines of 80 columns: paths have no spaces to break at.
fn folded(text: &str) -> impl Iterator<Item = String> {
    let letters: Vec<char> = text.chars().collect();
    let lines: Vec<String> = letters.chunks(80).map(|line| line.iter().collect()).collect();
    lines.into_iter()
}
