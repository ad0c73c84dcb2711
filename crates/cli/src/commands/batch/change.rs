//! `compartment batch pause`, `resume`, `cancel`, `retry` and `remove`.

use compartment::Databases;
use compartment::batch::{BatchStatus, BatchStoreExt};
use compartment::database_map::Role;
use compartment::pipeline::BatchRegistry;
use compartment_operations::Operations;
use futures_util::TryStreamExt;
use serde_json::{Value, json};

use crate::args::{BatchChange, BatchRemove, BatchRetry};
use crate::commands::upkeep;
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, GOOD};

/// Prints the result of a command, as text or as JSON.
fn say(as_json: bool, text: &str, value: &Value) -> Result<ExitCode, CliError> {
    if as_json {
        screen::say_json_line(value);
    } else {
        screen::say(text);
    }
    Ok(ExitCode::Success)
}

pub(super) async fn pause(
    databases: &Databases,
    command: &BatchChange,
    paused: bool,
) -> Result<ExitCode, CliError> {
    let name = command.batch.name.as_str();
    databases.role(Role::Batch)?.batch().pause(name, paused).await?;
    let text = if paused {
        format!("batch {name} is paused: no document is handed out; running ones finish")
    } else {
        format!("batch {name} continues")
    };
    say(command.json, &text, &json!({"batch": name, "paused": paused}))
}

pub(super) async fn cancel(
    databases: &Databases,
    command: &BatchChange,
) -> Result<ExitCode, CliError> {
    let name = command.batch.name.as_str();
    let status = databases.role(Role::Batch)?.batch().cancel(name).await?;
    if status == BatchStatus::Completed {
        return Err(CliError::new(
            ExitCode::Unsafe,
            format!("batch {name} is completed: there is nothing to cancel"),
        ));
    }
    let text = format!("batch {name} is cancelled: no document is handed out any more");
    say(command.json, &text, &json!({"batch": name, "status": "cancelled"}))
}

pub(super) async fn retry(
    operations: &Operations,
    command: &BatchRetry,
) -> Result<ExitCode, CliError> {
    let name = command.batch.name.as_str();
    let view = operations.batch_briefly(name).await?;
    let place = |stage: &String| {
        view.plan.index_of(stage).ok_or_else(|| {
            let known: Vec<&str> =
                view.plan.stages.iter().map(|stage| stage.name.as_str()).collect();
            let what = format!("batch {name} has no stage {stage:?}; it has {}", known.join(", "));
            CliError::new(ExitCode::Configuration, what)
        })
    };
    let stage = command.stage.as_ref().map(place).transpose()?;
    let error = command.error.as_deref();
    let database = operations.batch_database().await?;
    let store = database.batch().born_as(view.progress.born);
    if command.dry_run {
        let is_meant = |failure: &compartment::batch::BatchFailure| {
            stage.is_none_or(|stage| failure.stage == stage)
                && error.is_none_or(|error| failure.error.starts_with(error))
        };
        let mut failures = store.failures(name);
        let mut documents = 0;
        while let Some(failure) = failures.try_next().await? {
            documents += u64::from(is_meant(&failure));
        }
        let shown = screen::counted(documents, "document");
        let text =
            format!("{shown} would be retried, including those that already wait for a retry");
        let value = json!({"batch": name, "would_retry": documents});
        return say(command.json, &text, &value);
    }
    let retried = store.retry_failed(name, stage, error).await?;
    let text = format!("{GOOD}{}{GOOD:#} will be retried", screen::counted(retried, "document"));
    say(command.json, &text, &json!({"batch": name, "retried": retried}))
}

pub(super) async fn remove(
    databases: &Databases,
    command: &BatchRemove,
) -> Result<ExitCode, CliError> {
    let name = command.batch.name.as_str();
    let database = databases.role(Role::Batch)?;
    let registry = BatchRegistry::new(database.clone());
    let (record, progress) = (registry.get(name).await?, database.batch().progress(name).await?);
    let is_ended = progress.as_ref().is_none_or(|progress| {
        matches!(progress.status, BatchStatus::Completed | BatchStatus::Cancelled)
    });
    if !is_ended && !command.force {
        return Err(CliError::new(
            ExitCode::Unsafe,
            format!("batch {name} is neither completed nor cancelled"),
        )
        .hint("cancel it first, or use --force"));
    }
    if progress.is_some() && database.batch().plan(name).await?.outbox && !command.force {
        // Rows that wait would be lost with the batch. The removal is recorded, so that `batch rebuild --all` does
        // not bring the batch back.
        match upkeep::existing(databases, &command.ledger)? {
            Some(ledger) => {
                upkeep::mirror(databases, ledger.clone())?.mirror_once(name).await?;
                ledger.note_removed(name).await?;
            }
            None => unless_waiting(databases, name).await?,
        }
    }
    // Removes only the batch that was read above, not one created under its name since then.
    let was_there = match &progress {
        Some(progress) => database.batch().born_as(progress.born).remove(name).await?,
        None => false,
    };
    let was_known = match &record {
        Some(record) => registry.remove_this(record).await?,
        None => false,
    };
    let is_removed = was_there || was_known;
    let text = if is_removed {
        format!("batch {name} is removed; its results are kept")
    } else {
        format!("there is no batch {name}")
    };
    say(command.json, &text, &json!({"batch": name, "removed": is_removed}))
}

/// Refuses if rows would be lost that are not in any ledger.
async fn unless_waiting(databases: &Databases, name: &str) -> Result<(), CliError> {
    let waiting = databases.role(Role::Batch)?.batch_upkeep().outbox_len(name).await?;
    if waiting == 0 {
        return Ok(());
    }
    let waiting = screen::count(waiting);
    let what = format!("{waiting} entries of batch {name} are not in the ledger yet");
    Err(CliError::new(ExitCode::Unsafe, what)
        .hint("name the ledger with --ledger URL, or use --force"))
}
