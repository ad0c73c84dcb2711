//! `compartment housekeeping`: budgets, old keys and finished batches, looked after by one process of a fleet.

use std::time::Duration;

use compartment::backend::Backend;
use compartment::database_map::Role;
use compartment::lock::{LockOptions, LockStoreExt};
use compartment::pipeline::{Sweeper, SweeperOptions};
use compartment::{Database, DatabaseKind, Databases};
use compartment_admin::{CleanupOptions, Limits, Silent, cleanup};
use compartment_redis::{RedisBackend, RedisConfig};

use crate::args::{self, General};
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::screen::{self, FAINT, GOOD};
use crate::settings::{self, Settings};
use crate::{commands::batch, places};

/// The lock of the process that keeps house.
const LOCK: &str = "compartment:lock:housekeeping";
/// How long another process that keeps house is waited for before that is said again.
const WAIT: Duration = Duration::from_secs(600);
/// How often the keys of a cache with a budget are counted. Other programs write 10 MB meanwhile at 100 MB/s.
const BUDGET_POLL: Duration = Duration::from_millis(100);
/// The latency of others that a cleanup causes at most, about.
const GENTLE: Duration = Duration::from_millis(2);

pub(crate) async fn run(
    general: &General,
    command: args::Housekeeping,
) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let databases = batch::open(settings.map.clone()).await?;
    if command.once {
        round(&settings, &databases, &command).await?;
        return Ok(ExitCode::Success);
    }
    let work = async {
        loop {
            let locks = databases.role(Role::RateLimit)?.lock();
            let options = LockOptions::default().wait(WAIT);
            let Some(guard) = locks.lock(LOCK, options).await? else {
                screen::remark(format!("{FAINT}another process keeps house{FAINT:#}"));
                continue;
            };
            match guard.run(keep(&settings, &databases, &command)).await {
                Ok(ended) => ended?,
                Err(error) => screen::remark(format!("{FAINT}started again: {error}{FAINT:#}")),
            }
        }
    };
    tokio::select! {
        ended = work => ended,
        () = interrupted() => Ok(ExitCode::Interrupted),
    }
}

/// Rounds without end, while the budgets are held.
async fn keep(
    settings: &Settings,
    databases: &Databases,
    command: &args::Housekeeping,
) -> Result<(), CliError> {
    // A budget is held while its database is open.
    let budgets = budgets(settings).await?;
    for database in &budgets {
        let bytes = database.contract().memory_budget.unwrap_or_default();
        let size = compartment_admin::size(bytes);
        screen::remark(format!("{GOOD}{}{GOOD:#} is held below {size}", database.name()));
    }
    loop {
        // A server that is away has no old keys for now.
        if let Err(error) = round(settings, databases, command).await {
            screen::remark(format!("{FAINT}this round failed: {error}{FAINT:#}"));
        }
        tokio::time::sleep(command.every).await;
    }
}

/// The cache databases with a budget, open, with their keys counted often.
async fn budgets(settings: &Settings) -> Result<Vec<Database>, CliError> {
    let mut open = Vec::new();
    let all = settings.map.databases().iter();
    for contract in all.filter(|one| one.kind == DatabaseKind::Cache && one.memory_budget.is_some())
    {
        let instance = places::instance(settings, contract.placement.instance())?;
        let mut config = RedisConfig::for_instance(&instance, 1);
        config.budget_poll = Some(BUDGET_POLL);
        let backend = RedisBackend::connect(config, &[contract.placement.index()]).await?;
        open.push(backend.open(contract.clone()).await?);
    }
    Ok(open)
}

/// Finished batches, then old keys of caches.
async fn round(
    settings: &Settings,
    databases: &Databases,
    command: &args::Housekeeping,
) -> Result<(), CliError> {
    if let Ok(batch) = databases.role(Role::Batch) {
        let swept = Sweeper::new(batch.clone(), SweeperOptions::default()).sweep_once().await?;
        if !swept.removed.is_empty() {
            screen::say(format!("finished batches removed: {}", swept.removed.join(", ")));
        }
        for (name, error) in &swept.failed {
            screen::remark(format!("batch {name} could not be looked at: {error}"));
        }
    }
    if command.older_than.is_none() {
        return Ok(());
    }
    let mut options = CleanupOptions::default();
    options.older_than = command.older_than;
    options.limits = Limits::default().latency(Some(GENTLE));
    options.apply = true;
    for contract in settings.map.databases().iter().filter(|one| one.kind == DatabaseKind::Cache) {
        let place = places::resolve_in(settings, &contract.name).await?;
        let report = cleanup(&place, &settings.map, &options, &Silent).await?;
        if report.removed > 0 {
            let removed = screen::counted(report.removed, "old key");
            screen::say(format!("{}: {removed} removed", report.database));
        }
    }
    Ok(())
}
