//! Background work of a worker: the mirror to the ledger, the sweeper, and keeping house.

use std::sync::Arc;

use compartment::Databases;
use compartment::database_map::Role;
use compartment::pipeline::ledger::{Ledger, LedgerMirror};
use compartment::pipeline::{Sweeper, SweeperOptions};
use compartment_operations::missing_ledger_file;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::house::{House, HouseOptions, Teller};
use super::publishing::Publishing;
use crate::args::{self, LedgerArgument};
use crate::exit_code::{CliError, ExitCode};
use crate::settings::Settings;

/// The ledger; `None` if it is off.
pub(super) fn ledger(
    databases: &Databases,
    argument: &LedgerArgument,
) -> Result<Option<Ledger>, CliError> {
    Ok(argument.address(databases.map())?.map(Ledger::new))
}

/// The ledger, which must exist. Otherwise waiting rows would go to a new file in the working folder.
pub(super) fn existing(
    databases: &Databases,
    argument: &LedgerArgument,
) -> Result<Option<Ledger>, CliError> {
    let ledger = ledger(databases, argument)?;
    match ledger.as_ref().and_then(missing) {
        None => Ok(ledger),
        Some(missing) => {
            Err(CliError::new(ExitCode::Configuration, format!("no ledger found at {missing}"))
                .hint("name it with --ledger URL or COMPARTMENT_LEDGER, or use --ledger none"))
        }
    }
}

/// The path of a ledger whose file does not exist.
pub(super) fn missing(ledger: &Ledger) -> Option<String> {
    missing_ledger_file(ledger).map(|path| path.display().to_string())
}

/// A mirror from the batches to the ledger.
pub(super) fn mirror(databases: &Databases, ledger: Ledger) -> Result<LedgerMirror, CliError> {
    let mirror = LedgerMirror::new(databases.role(Role::Batch)?.clone(), ledger);
    // A map without a metrics database gets no metrics.
    Ok(match databases.role(Role::Metrics) {
        Ok(metrics) => mirror.metrics(metrics.clone()),
        Err(_) => mirror,
    })
}

/// A mirror, a sweeper, one who keeps house and the publisher of counts, until they are stopped.
pub(super) struct Upkeep {
    publishing: Publishing,
    stop: watch::Sender<bool>,
    running: Vec<JoinHandle<()>>,
    ledger: Option<Ledger>,
}

impl Upkeep {
    pub(super) fn start(
        settings: Settings,
        databases: &Databases,
        command: &args::Worker,
    ) -> Result<Self, CliError> {
        let batch = databases.role(Role::Batch)?;
        let (stop, told) = watch::channel(false);
        let until = |mut told: watch::Receiver<bool>| async move {
            // Also ends if the sender is gone.
            let _ = told.wait_for(|stop| *stop).await;
        };
        let mut running = Vec::new();
        let ledger = ledger(databases, &command.ledger)?;
        let mut options = SweeperOptions::default().retention(command.keep_finished);
        options.finished_bytes =
            command.keep_finished_mib.map(|mib| mib.saturating_mul(1024 * 1024));
        let mut sweeper = Sweeper::new(batch.clone(), options);
        if let Some(ledger) = &ledger {
            sweeper = sweeper.witness(Arc::new(ledger.clone()));
            let mirror = mirror(databases, ledger.clone())?.one_of_a_fleet(batch.clone());
            let until = until(told.clone());
            running.push(tokio::spawn(async move { mirror.run(until).await }));
        }
        if let Some(house) = house(settings, databases, command) {
            let until = until(told.clone());
            running.push(tokio::spawn(async move { house.keep_beside(until).await }));
        }
        let until = until(told);
        running.push(tokio::spawn(async move { sweeper.run(until).await }));
        let publishing = Publishing::start(databases);
        Ok(Self { publishing, stop, running, ledger })
    }

    /// Mirrors the remaining rows, then ends.
    pub(super) async fn end(self) {
        self.stop.send_replace(true);
        for running in self.running {
            // A panic has already been reported.
            let _ = running.await;
        }
        if let Some(ledger) = self.ledger {
            ledger.close().await;
        }
        self.publishing.end().await;
    }
}

/// One who keeps house beside the work; `None` if this worker does not, or the map has no database for locks.
fn house(settings: Settings, databases: &Databases, command: &args::Worker) -> Option<House> {
    let own = settings.map.housekeeping().clone();
    if !own.enabled || command.no_housekeeping || databases.role(Role::RateLimit).is_err() {
        return None;
    }
    let options = HouseOptions {
        settings: own,
        ledger: command.ledger.clone(),
        sweeps: false,
        at_once: false,
        teller: Teller::Log,
    };
    Some(House::new(settings, databases.clone(), options))
}
