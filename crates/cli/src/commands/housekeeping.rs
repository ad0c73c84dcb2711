//! `compartment housekeeping`: keeps house in a process of its own.

use super::house::{House, HouseOptions, Teller};
use super::{batch, operations};
use crate::args::{self, General};
use crate::commands::publishing::Publishing;
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::settings;

pub(crate) async fn run(
    general: &General,
    command: args::Housekeeping,
) -> Result<ExitCode, CliError> {
    let loaded = settings::load(general)?;
    let databases = batch::open(&operations::of_work(&loaded, None)?).await?;
    let mut settings = loaded.map.housekeeping().clone();
    settings.every = command.every.unwrap_or(settings.every);
    settings.older_than = command.older_than.or(settings.older_than);
    settings.orphans |= command.orphans;
    let teller = Teller::Screen;
    let options =
        HouseOptions { settings, ledger: command.ledger, sweeps: true, at_once: true, teller };
    let publishing = Publishing::start(&databases);
    let house = House::new(loaded, databases, options);
    if command.once {
        house.round().await?;
        publishing.end().await;
        return Ok(ExitCode::Success);
    }
    house.keep(interrupted()).await?;
    publishing.end().await;
    Ok(ExitCode::Interrupted)
}
