//! `compartment tasks`: rows of the ledger, and dead letters of queues.

mod dead_letters;
mod list;
mod show;

pub(super) use list::took;

use super::{batch, operations};
use crate::args::{self, General, TasksCommand};
use crate::exit_code::{CliError, ExitCode};
use crate::settings;

pub(crate) async fn run(general: &General, command: args::Tasks) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let ledger = match &command.command {
        // Dead letters alone are in no ledger.
        TasksCommand::List(command) => Some(&command.ledger).filter(|_| !command.dead_letters),
        TasksCommand::Show(command) => Some(&command.ledger),
        _ => None,
    };
    let operations = operations::of_work(&settings, ledger)?;
    let databases = batch::open(&operations).await?;
    match command.command {
        TasksCommand::List(command) => list::run(&operations, &command).await,
        TasksCommand::Show(command) => show::run(&operations, &command).await,
        TasksCommand::Replay(command) => {
            dead_letters::replay(&operations, &databases, &command).await
        }
        TasksCommand::Purge(command) => {
            dead_letters::purge(&operations, &databases, &command).await
        }
    }
}
