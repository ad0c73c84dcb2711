//! `compartment batch`: one file for each subcommand.

mod audit;
mod change;
mod list;
mod rebuild;
mod show;
pub(super) mod submit;
mod watch;

use compartment::Databases;
use compartment_operations::Operations;

use super::operations;
use crate::args::{self, BatchCommand, General, ServiceOptions};
use crate::exit_code::{CliError, ExitCode};
use crate::log;
use crate::settings;

pub(crate) async fn run(general: &General, command: args::Batch) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let operations = match &command.command {
        BatchCommand::Show(command) => operations::of_work(&settings, Some(&command.ledger))?,
        _ => operations::of_work(&settings, None)?,
    };
    let databases = open(&operations).await?;
    match command.command {
        BatchCommand::Submit(command) => {
            log::in_span(
                "batch submit",
                submit::run(&databases, &command, &ServiceOptions::default()),
            )
            .await
        }
        BatchCommand::List(command) => list::run(&databases, command.json).await,
        BatchCommand::Show(command) => show::run(&operations, &command).await,
        BatchCommand::Watch(command) => watch::run(&operations, &command).await,
        BatchCommand::Pause(command) => change::pause(&databases, &command, true).await,
        BatchCommand::Resume(command) => change::pause(&databases, &command, false).await,
        BatchCommand::Cancel(command) => change::cancel(&databases, &command).await,
        BatchCommand::Retry(command) => change::retry(&operations, &command).await,
        BatchCommand::Audit(command) => audit::run(&databases, &command).await,
        BatchCommand::Rebuild(command) => rebuild::run(&databases, &command).await,
        BatchCommand::Remove(command) => change::remove(&databases, &command).await,
    }
}

/// Opens the databases, which must be on a server: memory holds nothing from other commands.
pub(super) async fn open(operations: &Operations) -> Result<Databases, CliError> {
    operations.batch_database().await?;
    Ok(operations.databases().await?)
}
