//! `compartment tasks show`: the outcome of one document or one single task.

use compartment::pipeline::ledger::LedgerTask;
use compartment::{Error, ErrorKind};
use compartment_operations::Operations;
use compartment_operations::work::{TaskList, document_name};

use super::list::{ended, took};
use crate::args::TasksShow;
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, STRONG};

pub(super) async fn run(
    operations: &Operations,
    command: &TasksShow,
) -> Result<ExitCode, CliError> {
    let (place, number) = (command.place.as_str(), command.number);
    let found = operations.task(place, number).await?;
    let TaskList { dead_letters: letters, tasks, .. } = &found;
    if letters.is_empty() && tasks.is_empty() {
        let what = format!(
            "number {number} of batch or stage {place:?} is unknown, or has not succeeded or failed yet"
        );
        return Err(Error::new(ErrorKind::Unknown, "find task", what).into());
    }
    if command.json {
        screen::say_json(&found);
        return Ok(ExitCode::Success);
    }
    for letter in letters {
        let (id, queue) = (letter.id, &letter.queue);
        screen::say(format!("{STRONG}dead letter {id}{STRONG:#} of queue {queue}"));
        screen::say(format!("  error    {}", letter.error));
        screen::say(format!("  attempts {}", letter.attempts));
        if letter.lost > 0 {
            screen::say(format!("  lost     {} times: its worker disappeared", letter.lost));
        }
        screen::say(format!("  data     {}", start_of(&letter.data)));
    }
    print(place, tasks);
    Ok(ExitCode::Success)
}

fn print(place: &str, tasks: &[LedgerTask]) {
    let Some(first) = tasks.first() else { return };
    let name = document_name(first).unwrap_or_default();
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

/// Characters of a task's data that are shown.
const SHOWN_DATA: usize = 4_096;

/// The first part of a task's data, which may be long.
fn start_of(data: &str) -> String {
    match data.char_indices().nth(SHOWN_DATA) {
        Some((end, _)) => format!("{}…", &data[..end]),
        None => data.to_owned(),
    }
}

/// Breaks the text into lines of 80 columns: paths have no spaces to break at.
fn folded(text: &str) -> impl Iterator<Item = String> {
    let letters: Vec<char> = text.chars().collect();
    let lines: Vec<String> = letters.chunks(80).map(|line| line.iter().collect()).collect();
    lines.into_iter()
}
