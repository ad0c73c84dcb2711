//! `compartment batch`: one file for each subcommand.

mod audit;
mod change;
mod list;
mod rebuild;
mod show;
pub(super) mod submit;
mod view;
mod watch;

use compartment::Databases;
use compartment::database_map::{Role, Scheme};

use super::upkeep;
use crate::args::{self, BatchCommand, General};
use crate::exit_code::{CliError, ExitCode};
use crate::settings;

pub(crate) async fn run(general: &General, command: args::Batch) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let databases = open(settings.map).await?;
    match command.command {
        BatchCommand::Submit(command) => submit::run(&databases, &command).await,
        BatchCommand::List(command) => list::run(&databases, command.json).await,
        BatchCommand::Show(command) => {
            let ledger = upkeep::readable(&databases, &command.ledger)?;
            show::run(&databases, &command.batch.name, ledger, command.json).await
        }
        BatchCommand::Watch(command) => watch::run(&databases, &command).await,
        BatchCommand::Pause(command) => change::pause(&databases, &command, true).await,
        BatchCommand::Resume(command) => change::pause(&databases, &command, false).await,
        BatchCommand::Cancel(command) => change::cancel(&databases, &command).await,
        BatchCommand::Retry(command) => change::retry(&databases, &command).await,
        BatchCommand::Audit(command) => audit::run(&databases, &command).await,
        BatchCommand::Rebuild(command) => rebuild::run(&databases, &command).await,
        BatchCommand::Remove(command) => change::remove(&databases, &command).await,
    }
}

/// Opens the databases, which must be on a server: memory holds nothing from other commands.
pub(super) async fn open(map: compartment::DatabaseMap) -> Result<Databases, CliError> {
    let databases = compartment::open(map).await?;
    let placement = &databases.role(Role::Batch)?.contract().placement;
    let instance = databases.map().instances().get(placement.instance());
    if instance.is_some_and(|instance| instance.url.scheme() == Scheme::Memory) {
        return Err(CliError::new(
            ExitCode::Configuration,
            "batches, workers and tasks are shared between processes, but memory:// belongs to one",
        )
        .hint("name a server with --backend redis://HOST:PORT or in compartment.toml"));
    }
    Ok(databases)
}
