//! The deployment of a command's configuration, for the figures that it shows.

use compartment::database_map::LedgerAddress;
use compartment::pipeline::ledger::Ledger;
use compartment_operations::{Operations, OperationsOptions, default_state_folder};

use super::upkeep;
use crate::args::{LedgerArgument, StateFolder};
use crate::exit_code::CliError;
use crate::screen::{self, FAINT};
use crate::settings::Settings;

/// The deployment of a command that shows figures, and keeps them for the next look.
pub(super) fn of(settings: &Settings, state: &StateFolder) -> Operations {
    let mut options = options(settings, None);
    options.state_folder = state.folder.clone().or_else(default_state_folder);
    Operations::new(options)
}

/// The deployment of a command about batches, workers or tasks. The ledger is for reading: one whose file does not
/// exist gets a remark.
pub(super) fn of_work(
    settings: &Settings,
    ledger: Option<&LedgerArgument>,
) -> Result<Operations, CliError> {
    let address = match ledger {
        Some(ledger) => ledger.address(&settings.map)?,
        None => None,
    };
    if let Some(missing) = address.clone().map(Ledger::new).as_ref().and_then(upkeep::missing) {
        screen::remark(format!("{FAINT}no ledger found at {missing}{FAINT:#}"));
    }
    Ok(Operations::new(options(settings, address)))
}

/// The deployment of a command that shows everything: figures and work, with the ledger where it exists.
pub(super) fn of_everything(
    settings: &Settings,
    ledger: &LedgerArgument,
    state: &StateFolder,
) -> Result<Operations, CliError> {
    let mut options = options(settings, ledger.address(&settings.map)?);
    options.state_folder = state.folder.clone().or_else(default_state_folder);
    Ok(Operations::new(options))
}

fn options(settings: &Settings, ledger: Option<LedgerAddress>) -> OperationsOptions {
    let mut options = OperationsOptions::new(settings.map.clone());
    options.file.clone_from(&settings.file);
    options.written_secrets.clone_from(&settings.written_secrets);
    options.ledger = ledger;
    options
}
