//! The checks of what the fleet's processes publish: time-outs of locks, and the use of their connections.

use std::collections::BTreeMap;
use std::time::Duration;

use compartment::Databases;
use compartment::clock::{Clock, SystemClock};
use compartment::database_map::{HealthSettings, Role};
use compartment::metrics::{ClientMetrics, ClientProcess, ConnectionUse};
use compartment_admin::health::{Check, HealthState};

use crate::{count, counted};

const HOUR: Duration = Duration::from_secs(3_600);

/// The checks; those that nobody publishes are unknown.
pub(super) async fn check(databases: &Databases) -> Vec<Check> {
    let thresholds = databases.map().health();
    match FleetHealth::read(databases).await {
        Ok(FleetHealth { lock_timeouts, processes }) => {
            let mut checks = lock_checks(lock_timeouts, thresholds);
            checks.extend(pool_checks(&processes, thresholds));
            checks
        }
        // A map without metrics, or a server that another check reports.
        Err(_) => vec![unknown("lock_timeouts"), unknown("pool")],
    }
}

/// What the processes of the fleet report.
struct FleetHealth {
    /// The callers that waited for a lock in vain in the last hour, by database; `None` where nobody publishes.
    lock_timeouts: Option<BTreeMap<String, u64>>,
    /// The processes that reported recently.
    processes: Vec<ClientProcess>,
}

impl FleetHealth {
    async fn read(databases: &Databases) -> compartment::Result<Self> {
        let metrics = databases.role(Role::Metrics)?;
        let mut timeouts = BTreeMap::new();
        for database in databases.iter() {
            let (name, now) = (database.name(), SystemClock.now());
            let clients = ClientMetrics::read(metrics, name, HOUR, now).await?;
            if clients.since_ms.is_some() {
                timeouts.insert(name.to_owned(), clients.recent.lock_timeouts);
            }
        }
        let lock_timeouts = Some(timeouts).filter(|timeouts| !timeouts.is_empty());
        Ok(Self { lock_timeouts, processes: ClientMetrics::processes(metrics).await? })
    }
}

fn unknown(name: &str) -> Check {
    let message =
        "no process publishes it (workers do, and programs with `ClientMetricsPublisher`)";
    Check::new(name, "the fleet", HealthState::Unknown, message)
}

fn lock_checks(found: Option<BTreeMap<String, u64>>, thresholds: &HealthSettings) -> Vec<Check> {
    let Some(found) = found else { return vec![unknown("lock_timeouts")] };
    let limit = thresholds.lock_timeouts;
    let all: u64 = found.values().sum();
    let over: Vec<Check> = found
        .into_iter()
        .filter(|(_, count)| *count > limit)
        .map(|(database, timeouts)| {
            let message = format!(
                "{} waited in vain for a lock in the last hour: a holder is slow, or its lease long",
                counted(timeouts, "caller")
            );
            Check::new("lock_timeouts", database, HealthState::Warning, message)
                .figure(timeouts as f64, limit as f64)
        })
        .collect();
    if !over.is_empty() {
        return over;
    }
    let message = format!("{} time-outs of locks in the last hour", count(all));
    let check = Check::new("lock_timeouts", "the fleet", HealthState::Ok, message);
    vec![check.figure(all as f64, limit as f64)]
}

/// The process of each instance with most of its connections in use.
fn pool_checks(processes: &[ClientProcess], thresholds: &HealthSettings) -> Vec<Check> {
    let mut fullest: BTreeMap<&str, (u32, ConnectionUse)> = BTreeMap::new();
    for process in processes {
        for (instance, used) in &process.connections {
            let most = fullest.entry(instance).or_insert((process.pid, *used));
            if used.share() > most.1.share() {
                *most = (process.pid, *used);
            }
        }
    }
    if fullest.is_empty() {
        return vec![unknown("pool")];
    }
    let check = |(instance, (pid, used)): (&str, (u32, ConnectionUse))| {
        let what = format!("process {pid} has taken {} of {} connections", used.taken, used.max);
        let (state, message) = match used.share() >= thresholds.pool {
            true => {
                let advice = "raise max_connections, or close subscriptions";
                (HealthState::Warning, format!("{what}: {advice}"))
            }
            false => {
                (HealthState::Ok, format!("{what}, the most of {} processes", processes.len()))
            }
        };
        Check::new("pool", instance, state, message).figure(used.share(), thresholds.pool)
    };
    fullest.into_iter().map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> Option<BTreeMap<String, u64>> {
        Some(of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect())
    }

    #[test]
    fn more_lock_timeouts_than_the_threshold_warn_about_their_database() {
        let thresholds = HealthSettings::default();
        let checks = lock_checks(counts(&[("batch", 5), ("rate_limit", 6)]), &thresholds);
        let found: Vec<_> = checks.iter().map(|one| (one.subject.as_str(), one.state)).collect();
        assert_eq!(found, [("rate_limit", HealthState::Warning)]);
        let checks = lock_checks(counts(&[("batch", 5)]), &thresholds);
        assert_eq!((checks[0].state, checks[0].figure), (HealthState::Ok, Some(5.0)));
        assert_eq!(lock_checks(None, &thresholds)[0].state, HealthState::Unknown);
    }

    #[test]
    fn the_fullest_process_of_an_instance_counts() {
        let process = |pid: u32, taken: u64| {
            let text = format!(
                r#"{{"pid": {pid}, "at_ms": 0, "connections": {{"primary": {{"taken": {taken}, "max": 50}}}}}}"#
            );
            serde_json::from_str::<ClientProcess>(&text).unwrap()
        };
        let thresholds = HealthSettings::default();
        let checks = pool_checks(&[process(7, 18), process(8, 40), process(9, 20)], &thresholds);
        assert_eq!(checks.len(), 1);
        assert_eq!(checks[0].state, HealthState::Warning);
        assert!(checks[0].message.starts_with("process 8 has taken 40 of 50"), "{checks:?}");
        assert_eq!(pool_checks(&[process(7, 39)], &thresholds)[0].state, HealthState::Ok);
        assert_eq!(pool_checks(&[], &thresholds)[0].state, HealthState::Unknown);
    }
}
