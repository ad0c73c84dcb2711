//! Replays and purges dead letters.

use compartment::database_map::Role;
use compartment::queue::TaskId;
use compartment::{Databases, Error, ErrorKind};
use compartment_operations::Operations;
use compartment_operations::work::{DeadLetter, DeadLetterQuery, queues};
use serde_json::json;

use crate::args::{TasksPurge, TasksReplay, WhichDead};
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, GOOD};

/// Dead letters named in one request.
const PAGE: usize = 500;

/// The dead letters that the command's arguments select.
async fn meant(operations: &Operations, which: &WhichDead) -> Result<Vec<DeadLetter>, CliError> {
    let mut query = DeadLetterQuery::default();
    query.stage.clone_from(&which.stage);
    query.error_begins.clone_from(&which.error);
    query.ids.clone_from(&which.ids);
    query.limit = u64::MAX;
    Ok(operations.dead_letters(&query).await?)
}

/// Groups the ids by queue, in pages of one request.
fn by_queue(letters: &[DeadLetter]) -> Vec<(&str, Vec<TaskId>)> {
    let mut all: Vec<(&str, Vec<TaskId>)> = Vec::new();
    for letter in letters {
        match all.last_mut() {
            Some((queue, ids)) if *queue == letter.queue && ids.len() < PAGE => {
                ids.push(letter.id);
            }
            _ => all.push((&letter.queue, vec![letter.id])),
        }
    }
    all
}

pub(super) async fn replay(
    operations: &Operations,
    databases: &Databases,
    command: &TasksReplay,
) -> Result<ExitCode, CliError> {
    let letters = meant(operations, &command.which).await?;
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
    operations: &Operations,
    databases: &Databases,
    command: &TasksPurge,
) -> Result<ExitCode, CliError> {
    let store = databases.role(Role::Batch)?.queue();
    if command.everything {
        return everything(databases, command).await;
    }
    let letters = meant(operations, &command.which).await?;
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
