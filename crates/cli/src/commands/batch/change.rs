//! `compartment batch pause`, `resume`, `cancel`, `retry` and `remove`.

use compartment::pipeline::BatchRegistry;
use compartment::{BatchStatus, BatchStoreExt, Databases};
use futures_util::TryStreamExt;

use super::view::View;
use crate::args::{BatchRemove, BatchRetry};
use crate::commands::upkeep;
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, GOOD};

pub(super) async fn pause(
    databases: &Databases,
    name: &str,
    paused: bool,
) -> Result<ExitCode, CliError> {
    databases.get("batch")?.batch().pause(name, paused).await?;
    screen::say(if paused {
        format!("batch {name} is paused: nothing of it is handed out; what is begun is finished")
    } else {
        format!("batch {name} goes on")
    });
    Ok(ExitCode::Success)
}

pub(super) async fn cancel(databases: &Databases, name: &str) -> Result<ExitCode, CliError> {
    let status = databases.get("batch")?.batch().cancel(name).await?;
    if status == BatchStatus::Completed {
        return Err(CliError::new(
            ExitCode::Unsafe,
            format!("batch {name} is completed: there is nothing to cancel"),
        ));
    }
    screen::say(format!("batch {name} is cancelled: nothing of it is handed out any more"));
    Ok(ExitCode::Success)
}

pub(super) async fn retry(
    databases: &Databases,
    command: &BatchRetry,
) -> Result<ExitCode, CliError> {
    let name = command.batch.name.as_str();
    let view = View::read(databases, name, false).await?;
    let place = |stage: &String| {
        view.plan.place(stage).ok_or_else(|| {
            let known: Vec<&str> =
                view.plan.stages.iter().map(|stage| stage.name.as_str()).collect();
            let what = format!("batch {name} has no stage {stage:?}; it has {}", known.join(", "));
            CliError::new(ExitCode::Configuration, what)
        })
    };
    let stage = command.stage.as_ref().map(place).transpose()?;
    let error = command.error.as_deref();
    let store = databases.get("batch")?.batch();
    if command.dry_run {
        let is_meant = |failure: &compartment::BatchFailure| {
            stage.is_none_or(|stage| failure.stage == stage)
                && error.is_none_or(|error| failure.error.starts_with(error))
        };
        let mut failures = store.failures(name);
        let mut documents = 0;
        while let Some(failure) = failures.try_next().await? {
            documents += u64::from(is_meant(&failure));
        }
        let documents = screen::count(documents);
        screen::say(format!(
            "{documents} documents would be tried again, those that wait included"
        ));
        return Ok(ExitCode::Success);
    }
    let retried = store.retry_failed(name, stage, error).await?;
    screen::say(format!("{GOOD}{}{GOOD:#} documents are tried again", screen::count(retried)));
    Ok(ExitCode::Success)
}

pub(super) async fn remove(
    databases: &Databases,
    command: &BatchRemove,
) -> Result<ExitCode, CliError> {
    let name = command.batch.name.as_str();
    let database = databases.get("batch")?;
    let progress = database.batch().progress(name).await?;
    let is_ended = progress.as_ref().is_none_or(|progress| {
        matches!(progress.status, BatchStatus::Completed | BatchStatus::Cancelled)
    });
    if !is_ended && !command.force {
        return Err(CliError::new(
            ExitCode::Unsafe,
            format!("batch {name} is neither completed nor cancelled"),
        )
        .hint("cancel it, or say --force"));
    }
    if progress.is_some() && database.batch().plan(name).await?.outbox && !command.force {
        // What waits would go with the batch; and it is not to come back by a rebuilding of all.
        match upkeep::existing(databases, &command.ledger)? {
            Some(ledger) => {
                upkeep::mirror(databases, ledger.clone())?.mirror_once(name).await?;
                ledger.note_removed(name).await?;
            }
            None => unless_waiting(databases, name).await?,
        }
    }
    let was_there = database.batch().remove(name).await?;
    let was_known = BatchRegistry::new(database.clone()).remove(name).await?;
    if was_there || was_known {
        screen::say(format!("batch {name} is removed; its results stay where they are kept"));
    } else {
        screen::say(format!("there is no batch {name}"));
    }
    Ok(ExitCode::Success)
}

/// Refuses where rows would be lost that no ledger has.
async fn unless_waiting(databases: &Databases, name: &str) -> Result<(), CliError> {
    let waiting = databases.get("batch")?.batch_upkeep().outbox_len(name).await?;
    if waiting == 0 {
        return Ok(());
    }
    let waiting = screen::count(waiting);
    let what = format!("{waiting} entries of batch {name} wait for a ledger");
    Err(CliError::new(ExitCode::Unsafe, what).hint("name it with --ledger URL, or say --force"))
}
