//! Lists, replays and purges dead letters.

use compartment::database_map::Role;
use compartment::queue::{DeadTask, TaskId};
use compartment::{Databases, Error, ErrorKind};
use serde_json::{Value, json};

use super::queues;
use crate::args::{TasksPurge, TasksReplay, WhichDead};
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, GOOD};

/// Dead letters read in one request.
const PAGE: u32 = 500;

/// A dead letter, its stage and its queue.
pub(super) struct DeadLetter {
    pub(super) stage: String,
    pub(super) queue: String,
    pub(super) task: DeadTask,
}

impl DeadLetter {
    pub(super) fn as_json(&self) -> Value {
        let task = &self.task;
        json!({
            "stage": self.stage,
            "queue": self.queue,
            "task": task.id,
            "attempts": task.attempts,
            "lost": task.lost,
            "class": task.class,
            "submitted_ms": task.submitted_at.as_millis(),
            "died_ms": task.died_at.as_millis(),
            "error": task.error,
            "data": String::from_utf8_lossy(&task.payload),
        })
    }
}

/// Reads at most `max` dead letters of the queues; within a queue the earliest first.
pub(super) async fn read(
    databases: &Databases,
    stage: Option<&str>,
    is_wanted: impl Fn(&DeadTask) -> bool,
    max: u64,
) -> Result<Vec<DeadLetter>, CliError> {
    let store = databases.role(Role::Batch)?.queue();
    let mut letters = Vec::new();
    for (stage, queue) in queues(databases, stage)? {
        let mut skip = 0;
        while (letters.len() as u64) < max {
            let page = match store.dead(&queue, skip, PAGE).await {
                // Nothing was ever submitted to this queue.
                Err(error) if error.kind() == ErrorKind::Unknown => break,
                page => page?,
            };
            let found = page.len();
            skip += found as u64;
            for task in page.into_iter().filter(&is_wanted) {
                letters.push(DeadLetter { stage: stage.clone(), queue: queue.clone(), task });
            }
            if found < PAGE as usize {
                break;
            }
        }
    }
    letters.truncate(usize::try_from(max).unwrap_or(usize::MAX));
    Ok(letters)
}

/// The dead letters that the command's arguments select.
async fn meant(databases: &Databases, which: &WhichDead) -> Result<Vec<DeadLetter>, CliError> {
    let is_wanted = |task: &DeadTask| {
        let is_named = which.ids.is_empty() || which.ids.contains(&task.id.number());
        is_named && which.error.as_ref().is_none_or(|error| task.error.starts_with(error.as_str()))
    };
    read(databases, which.stage.as_deref(), is_wanted, u64::MAX).await
}

/// Groups the ids by queue, in pages of one request.
fn by_queue(letters: &[DeadLetter]) -> Vec<(&str, Vec<TaskId>)> {
    let mut all: Vec<(&str, Vec<TaskId>)> = Vec::new();
    for letter in letters {
        match all.last_mut() {
            Some((queue, ids)) if *queue == letter.queue && ids.len() < PAGE as usize => {
                ids.push(letter.task.id);
            }
            _ => all.push((&letter.queue, vec![letter.task.id])),
        }
    }
    all
}

pub(super) async fn replay(
    databases: &Databases,
    command: &TasksReplay,
) -> Result<ExitCode, CliError> {
    let letters = meant(databases, &command.which).await?;
    if command.dry_run {
        return told(command.json, "would_be_replayed", letters.len() as u64, "would be replayed");
    }
    let store = databases.role(Role::Batch)?.queue();
    let mut replayed = 0;
    for (queue, ids) in by_queue(&letters) {
        replayed += store.replay(queue, &ids).await?;
    }
    let found = letters.len() as u64;
    missing(&command.which, found)?;
    if replayed < found && !command.json {
        let stay = screen::count(found - replayed);
        screen::remark(format!(
            "{stay} stay: another task has taken their deduplication key, or another process was faster"
        ));
    }
    told(command.json, "replayed", replayed, "will be processed again")
}

pub(super) async fn purge(
    databases: &Databases,
    command: &TasksPurge,
) -> Result<ExitCode, CliError> {
    let store = databases.role(Role::Batch)?.queue();
    if command.everything {
        return everything(databases, command).await;
    }
    let letters = meant(databases, &command.which).await?;
    if !command.yes {
        told(command.json, "would_be_purged", letters.len() as u64, "would be removed")?;
        if !command.json {
            screen::say("nothing was changed; --yes removes them");
        }
        return Ok(ExitCode::Success);
    }
    let mut purged = 0;
    for (queue, ids) in by_queue(&letters) {
        purged += store.discard(queue, &ids).await?;
    }
    missing(&command.which, purged)?;
    told(command.json, "purged", purged, "were removed")
}

/// Purges everything in the queue of a stage.
async fn everything(databases: &Databases, command: &TasksPurge) -> Result<ExitCode, CliError> {
    let store = databases.role(Role::Batch)?.queue();
    let (mut purged, mut there) = (0, 0);
    for (_, queue) in queues(databases, command.which.stage.as_deref())? {
        let counts = store.counts(&queue).await?;
        there += counts.waiting + counts.delayed + counts.claimed + counts.dead;
        if command.yes {
            purged += store.purge(&queue).await?;
        }
    }
    if command.yes {
        return told(command.json, "purged", purged, "were removed, with all waiting tasks");
    }
    told(command.json, "would_be_purged", there, "would be removed, with all waiting tasks")?;
    if !command.json {
        screen::say("nothing was changed; --yes removes them");
    }
    Ok(ExitCode::Success)
}

/// Fails if none of the named ids was found.
fn missing(which: &WhichDead, found: u64) -> Result<(), CliError> {
    if which.ids.is_empty() || found > 0 {
        return Ok(());
    }
    let what = "none of these ids is a dead letter of that stage: `compartment tasks list \
                --dead-letters` names them";
    Err(Error::new(ErrorKind::Unknown, "find dead letters", what).into())
}

fn told(as_json: bool, field: &str, tasks: u64, what: &str) -> Result<ExitCode, CliError> {
    if as_json {
        screen::say_json_line(&json!({ field: tasks }));
    } else {
        let noun = if tasks == 1 { "dead letter" } else { "dead letters" };
        screen::say(format!("{GOOD}{}{GOOD:#} {noun} {what}", screen::count(tasks)));
    }
    Ok(ExitCode::Success)
}
