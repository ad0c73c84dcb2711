//! The checks that need open databases: the fleet, batches that wait or stand still, dead letters, workers, the ledger.

use std::time::Duration;

use compartment::Databases;
use compartment::batch::{BatchProgress, BatchStatus};
use compartment::clock::{Clock, SystemClock, Timestamp};
use compartment::database_map::{HealthSettings, Role};
use compartment::pipeline::ledger::{Ledger, LedgerMirror};
use compartment::pipeline::{BatchRecord, BatchRegistry, WorkerState, workers};
use compartment::queue::TaskClass;
use compartment_admin::health::{Check, HealthState};

use super::fleet;
use crate::work::{queues, read_queues};
use crate::{Operations, Result, count, time};

/// The checks; one that says why where the databases cannot be read.
pub(super) async fn check(operations: &Operations, timeout: Duration) -> Vec<Check> {
    let mut checks = Vec::new();
    let work = async {
        let databases = operations.databases().await?;
        let mut found = fleet::check(&databases).await;
        // A map may have no pipeline.
        if databases.role(Role::Batch).is_ok() {
            found.extend(all(&databases).await?);
        }
        Ok::<_, crate::OperationsError>(found)
    };
    match tokio::time::timeout(timeout, work).await {
        Ok(Ok(found)) => checks.extend(found),
        Ok(Err(error)) => {
            let message = error.to_string();
            checks.push(Check::new("databases", "the map", HealthState::Critical, message));
        }
        Err(_) => {
            let message = format!("not read within {}", time(timeout));
            checks.push(Check::new("databases", "the map", HealthState::Critical, message));
        }
    }
    checks
}

/// A batch and how far it is.
type Running = (BatchRecord, BatchProgress);

async fn all(databases: &Databases) -> Result<Vec<Check>> {
    let thresholds = databases.map().health();
    let database = databases.role(Role::Batch)?;
    let name = database.contract().name.clone();
    let now = SystemClock.now();
    let states = workers(database).await?;
    let mut running: Vec<Running> = Vec::new();
    let mut dead = dead_letters(databases).await?;
    let mut unreadable = 0;
    for (record, progress) in BatchRegistry::new(database.clone()).list_with_progress().await? {
        let Ok(progress) = progress else {
            unreadable += 1;
            continue;
        };
        let Some(progress) = progress else { continue };
        let is_over = matches!(progress.status, BatchStatus::Completed | BatchStatus::Cancelled);
        if !is_over && !progress.is_paused {
            dead += progress.dead;
            running.push((record, progress));
        }
    }
    let mut checks = vec![
        dead_check(&name, dead, thresholds),
        workers_check(&name, &states, now),
        stuck_check(&name, &states, now, thresholds),
    ];
    if unreadable > 0 {
        let batches = if unreadable == 1 { "batch" } else { "batches" };
        let message =
            format!("{unreadable} {batches} cannot be read; `compartment batch list` says why");
        checks.push(Check::new("batches", &name, HealthState::Warning, message));
    }
    checks.extend(TaskClass::ALL.map(|class| age_check(&name, class, &running, now, thresholds)));
    checks.extend(ledger_check(databases, &name, thresholds).await?);
    Ok(checks)
}

/// Dead letters of the queues of single tasks.
async fn dead_letters(databases: &Databases) -> Result<u64> {
    let counted = read_queues(databases.role(Role::Batch)?, &queues(databases, None)?).await?;
    Ok(counted.iter().map(|queue| queue.dead).sum())
}

fn dead_check(database: &str, dead: u64, thresholds: &HealthSettings) -> Check {
    let (state, advice) = match dead >= thresholds.dead_letters {
        true => (HealthState::Warning, "; `compartment tasks list` says why"),
        false => (HealthState::Ok, ""),
    };
    let message = format!("{} dead letters{advice}", count(dead));
    Check::new("dead_letters", database, state, message)
        .figure(dead as f64, thresholds.dead_letters as f64)
}

fn workers_check(database: &str, states: &[WorkerState], now: Timestamp) -> Check {
    let gone: Vec<&str> =
        states.iter().filter(|state| state.is_gone(now)).map(|state| state.id.as_str()).collect();
    let alive = states.len() - gone.len();
    let (state, message) = match gone.as_slice() {
        [] => (HealthState::Ok, format!("{alive} workers, none lost")),
        gone => {
            let names = gone.join(", ");
            (HealthState::Warning, format!("{alive} workers, and lost without a farewell: {names}"))
        }
    };
    Check::new("workers", database, state, message).figure(gone.len() as f64, 0.0)
}

fn stuck_check(
    database: &str,
    states: &[WorkerState],
    now: Timestamp,
    thresholds: &HealthSettings,
) -> Check {
    let alive = states.iter().filter(|state| !state.is_gone(now));
    let work = alive.flat_map(|state| state.running.iter().map(|one| (&state.id, one)));
    let longest = work.max_by_key(|(_, one)| now.since(one.since));
    let limit = thresholds.stuck_after;
    let Some((worker, one)) = longest else {
        let message = "no document is worked on";
        return Check::new("stuck", database, HealthState::Ok, message);
    };
    let long = now.since(one.since);
    let what = format!("{} has been at {} for {}", one.name, one.stage, time(long));
    let (state, message) = match long > limit {
        true => (HealthState::Warning, format!("{what} on worker {worker}: look at its log")),
        false => (HealthState::Ok, what),
    };
    Check::new("stuck", database, state, message).figure(long.as_secs_f64(), limit.as_secs_f64())
}

/// The oldest batch of a class that has documents to do and that nobody works on.
fn age_check(
    database: &str,
    class: TaskClass,
    running: &[Running],
    now: Timestamp,
    thresholds: &HealthSettings,
) -> Check {
    let word = format!("{class:?}").to_lowercase();
    let limit = thresholds.queue_age[class.place()];
    let waits = |(record, progress): &&Running| {
        let stages = &progress.stages;
        record.class == class
            && stages.iter().any(|stage| stage.ready > 0)
            && stages.iter().all(|stage| stage.claimed == 0)
    };
    let oldest = running.iter().filter(waits).min_by_key(|(record, _)| record.created_at);
    let subject = format!("{database} {word}");
    let Some((record, _)) = oldest else {
        return Check::new("queue_age", subject, HealthState::Ok, "no batch waits for a worker");
    };
    let age = now.since(record.created_at);
    let what = format!("batch {} has waited {} and nobody works on it", record.name, time(age));
    let (state, message) = match age > limit {
        true => (HealthState::Warning, format!("{what}: start `compartment worker`")),
        false => (HealthState::Ok, what),
    };
    Check::new("queue_age", subject, state, message).figure(age.as_secs_f64(), limit.as_secs_f64())
}

/// Entries that wait for the ledger, if there is one.
async fn ledger_check(
    databases: &Databases,
    database: &str,
    thresholds: &HealthSettings,
) -> Result<Option<Check>> {
    let settings = databases.map().ledger();
    let Some(address) = settings.address.clone().filter(|_| settings.enabled != Some(false)) else {
        return Ok(None);
    };
    let database_of_batches = databases.role(Role::Batch)?.clone();
    let waiting = LedgerMirror::new(database_of_batches, Ledger::new(address)).waiting().await?;
    let limit = thresholds.ledger_entries;
    let (state, advice) = match waiting > limit {
        true => (HealthState::Warning, ": is the ledger's server away, or is no worker running?"),
        false => (HealthState::Ok, ""),
    };
    let message = format!("{} entries wait for the ledger{advice}", count(waiting));
    let check = Check::new("ledger", database, state, message);
    Ok(Some(check.figure(waiting as f64, limit as f64)))
}
