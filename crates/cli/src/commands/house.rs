//! Keeping house: budgets, finished batches, old keys and orphans, looked after by one process of a fleet.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use compartment::backend::Backend;
use compartment::database_map::{HousekeepingSettings, Role};
use compartment::lock::{LockAttempt, LockOptions, LockStoreExt};
use compartment::pipeline::{Sweeper, SweeperOptions};
use compartment::{Database, DatabaseKind, Databases};
use compartment_admin::{CleanupOptions, Limits, Silent, cleanup};
use compartment_redis::{RedisBackend, RedisConfig};

use super::orphans::{self, Known};
use crate::args::LedgerArgument;
use crate::exit_code::CliError;
use crate::places;
use crate::screen::{self, FAINT, GOOD};
use crate::settings::Settings;

/// The lock of the process that keeps house.
const LOCK: &str = "compartment:lock:housekeeping";
/// Held, and never released, for the time between two rounds: a new process that keeps house does not begin anew.
const ROUND: &str = "compartment:lock:housekeeping:round";
/// How long another process that keeps house is waited for before that is said again.
const WAIT: Duration = Duration::from_secs(600);
/// The pause after a failure, such as a server that is away.
const PAUSE: Duration = Duration::from_secs(10);
/// How often the keys of a cache with a budget are counted. Other programs write 10 MB meanwhile at 100 MB/s.
const BUDGET_POLL: Duration = Duration::from_millis(100);

/// Whether a person reads what was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Teller {
    /// The screen.
    Screen,
    /// The log: the process is there for other work.
    Log,
}

impl Teller {
    fn done(self, text: String) {
        match self {
            Self::Screen => screen::say(text),
            Self::Log => tracing::info!("{text}"),
        }
    }

    fn remark(self, text: &str) {
        match self {
            Self::Screen => screen::remark(format!("{FAINT}{text}{FAINT:#}")),
            Self::Log => tracing::warn!("{text}"),
        }
    }
}

/// The settings of the one who keeps house.
#[derive(Clone, Debug)]
pub(super) struct HouseOptions {
    /// What is removed, and how often.
    pub(super) settings: HousekeepingSettings,
    /// Where documents are known besides the batches.
    pub(super) ledger: LedgerArgument,
    /// Whether finished batches are removed. A worker has a sweeper already.
    pub(super) sweeps: bool,
    /// Whether the first round comes at once, and not after the time since the last one.
    pub(super) at_once: bool,
    pub(super) teller: Teller,
}

/// One who keeps house.
#[derive(Debug)]
pub(super) struct House {
    settings: Settings,
    databases: Databases,
    options: HouseOptions,
}

impl House {
    pub(super) fn new(settings: Settings, databases: Databases, options: HouseOptions) -> Self {
        Self { settings, databases, options }
    }

    /// Keeps house beside other work until `stop` is ready: no failure ends it.
    pub(super) async fn keep_beside(&self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        loop {
            match self.keep(&mut stop).await {
                Ok(()) => return,
                Err(error) => {
                    self.options.teller.remark(&format!("nobody keeps house here: {error}"))
                }
            }
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Keeps house whenever no other process does, until `stop` is ready. Then the lock is handed back.
    ///
    /// # Errors
    /// The store's, if the lock cannot be asked for or a budget cannot be held.
    pub(super) async fn keep(&self, stop: impl Future<Output = ()>) -> Result<(), CliError> {
        let locks = self.databases.role(Role::RateLimit)?.lock();
        let mut stop = pin!(stop);
        loop {
            let options = LockOptions::default().wait(WAIT);
            let taken = tokio::select! {
                biased;
                () = &mut stop => return Ok(()),
                taken = locks.lock(LOCK, options) => taken?,
            };
            let Some(guard) = taken else {
                if self.options.teller == Teller::Screen {
                    self.options.teller.remark("another process keeps house");
                }
                continue;
            };
            let ended = tokio::select! {
                biased;
                () = &mut stop => None,
                ended = guard.run(self.rounds()) => Some(ended),
            };
            match ended {
                None => {
                    // Otherwise the lock ends with its lease.
                    if let Err(error) = guard.release().await {
                        self.options
                            .teller
                            .remark(&format!("the lock was not handed back: {error}"));
                    }
                    return Ok(());
                }
                Some(Ok(failed)) => return failed,
                Some(Err(error)) => self.options.teller.remark(&format!("started again: {error}")),
            }
        }
    }

    /// Rounds without end, while the budgets are held.
    async fn rounds(&self) -> Result<(), CliError> {
        // A budget is held while its database is open.
        let budgets = self.budgets().await?;
        if self.options.teller == Teller::Screen {
            for database in &budgets {
                let bytes = database.contract().memory_budget.unwrap_or_default();
                let size = compartment_admin::size(bytes);
                screen::remark(format!("{GOOD}{}{GOOD:#} is held below {size}", database.name()));
            }
        }
        let mut at_once = self.options.at_once;
        loop {
            // A server that is away has no old keys for now.
            let wait = match self.turn(at_once).await {
                Ok(wait) => wait,
                Err(error) => {
                    self.options.teller.remark(&format!("this round failed: {error}"));
                    self.options.settings.every
                }
            };
            at_once = false;
            tokio::time::sleep(wait).await;
        }
    }

    /// A round if it is time for one; returns the time until the next.
    async fn turn(&self, at_once: bool) -> Result<Duration, CliError> {
        let every = self.options.settings.every;
        let owner = format!("process {}", std::process::id());
        let locks = self.databases.role(Role::RateLimit)?.lock();
        match locks.try_acquire(ROUND, &owner, every).await? {
            LockAttempt::Held(holder) if !at_once => return Ok(holder.remaining.min(every)),
            _ => {}
        }
        self.round().await?;
        Ok(every)
    }

    /// The cache databases with a budget, open, with their keys counted often.
    async fn budgets(&self) -> Result<Vec<Database>, CliError> {
        let mut open = Vec::new();
        for name in self.caches() {
            let Some(contract) = self.settings.map.database(&name) else { continue };
            if contract.memory_budget.is_none() {
                continue;
            }
            let instance = places::instance(&self.settings, contract.placement.instance())?;
            let mut config = RedisConfig::for_instance(&instance, 1);
            config.budget_poll = Some(BUDGET_POLL);
            let backend = RedisBackend::connect(config, &[contract.placement.index()]).await?;
            open.push(backend.open(contract.clone()).await?);
        }
        Ok(open)
    }

    /// The caches of the map that are on servers.
    fn caches(&self) -> Vec<String> {
        let map = &self.settings.map;
        let is_cache =
            |name: &String| map.database(name).is_some_and(|one| one.kind == DatabaseKind::Cache);
        orphans::on_servers(&self.settings).into_iter().filter(is_cache).collect()
    }

    /// Finished batches, then old keys of caches, then orphans.
    ///
    /// # Errors
    /// The store's, if the batches cannot be listed. A failure with one database holds up no other.
    pub(super) async fn round(&self) -> Result<(), CliError> {
        if self.options.sweeps
            && let Ok(batch) = self.databases.role(Role::Batch)
        {
            self.sweep(batch).await?;
        }
        if self.options.settings.older_than.is_some() {
            for name in self.caches() {
                self.or_remark(&name, self.remove_old(&name).await);
            }
        }
        if self.options.settings.orphans {
            let known = Known::open(&self.settings, &self.options.ledger).await?;
            for name in orphans::on_servers(&self.settings) {
                self.or_remark(&name, self.remove_orphans(&name, &known).await);
            }
            known.close().await;
        }
        Ok(())
    }

    fn or_remark(&self, name: &str, outcome: Result<(), CliError>) {
        if let Err(error) = outcome {
            self.options.teller.remark(&format!("{name} was not cleaned up: {error}"));
        }
    }

    async fn sweep(&self, batch: &Database) -> Result<(), CliError> {
        let swept = Sweeper::new(batch.clone(), SweeperOptions::default()).sweep_once().await?;
        if !swept.removed.is_empty() {
            let removed = swept.removed.join(", ");
            self.options.teller.done(format!("finished batches removed: {removed}"));
        }
        for (name, error) in &swept.failed {
            self.options.teller.remark(&format!("batch {name} could not be looked at: {error}"));
        }
        Ok(())
    }

    async fn remove_old(&self, name: &str) -> Result<(), CliError> {
        let mut options = CleanupOptions::default();
        options.older_than = self.options.settings.older_than;
        options.apply = true;
        let place = places::resolve_in(&self.settings, name).await?;
        let report = cleanup(&place, &self.settings.map, &options, &Silent).await?;
        if report.removed > 0 {
            let removed = screen::counted(report.removed, "old key");
            self.options.teller.done(format!("{}: {removed} removed", report.database));
        }
        Ok(())
    }

    async fn remove_orphans(&self, name: &str, known: &Known) -> Result<(), CliError> {
        let options = orphans::gentle(self.options.settings.older_than, Limits::default());
        let place = places::resolve_in(&self.settings, name).await?;
        let report = known.look(&self.settings, &place, &options, &Silent).await?;
        for group in report.found.iter().filter(|group| group.removed > 0) {
            let removed = screen::counted(group.removed, "orphan");
            self.options.teller.done(format!("{name}: {removed} removed ({})", group.kind));
        }
        for why in orphans::refusals(&report) {
            self.options.teller.remark(&format!("refused: {why}"));
        }
        Ok(())
    }
}
