//! Whether a server answers, and how long it takes: `PING`, and one real read.

use std::time::{Duration, Instant};

use compartment_core::{Error, ErrorKind, HealthSettings};
use compartment_redis::Connection;
use redis::{Cmd, Value};

use super::{Check, HealthState};
use crate::own_name::own_name;
use crate::{DeployedServer, Place};

/// Each question is asked so often, and the quickest answer counts: one that waited behind another client's
/// long command says nothing about the server.
const TIMES: usize = 3;
/// So many times the threshold is critical.
const CRITICAL: u32 = 10;
/// A key that nobody writes.
const NOBODY: &[u8] = b"compartment:health";

/// Checks the connection and the latency of a server.
pub(super) async fn check(
    instance: &str,
    server: &DeployedServer,
    thresholds: &HealthSettings,
    timeout: Duration,
) -> Vec<Check> {
    let work = measure(instance, server, thresholds);
    match tokio::time::timeout(timeout, work).await {
        Ok(Ok(checks)) => checks,
        Ok(Err(error)) => vec![no_connection(instance, &format!("failed to {error}"))],
        Err(_) => {
            let message = format!(
                "no answer within {timeout:?}: the server is busy, stopped, or behind a broken network"
            );
            vec![no_connection(instance, &message)]
        }
    }
}

fn no_connection(instance: &str, message: &str) -> Check {
    Check::new("connection", instance, HealthState::Critical, message)
}

async fn measure(
    instance: &str,
    server: &DeployedServer,
    thresholds: &HealthSettings,
) -> Result<Vec<Check>, Error> {
    let mut checks = Vec::new();
    for mut node in server.server.open_nodes(0, &own_name("health")).await? {
        let took = ask(&mut node, &redis::cmd("PING")).await?;
        let subject = format!("{instance} {}", node.location());
        checks.push(Check::new("connection", &subject, HealthState::Ok, "it answers"));
        checks.push(held("latency", subject, "PING", took, thresholds.latency));
    }
    if let Some(database) = server.databases.first() {
        checks.push(read(&database.contract.name, &database.place, thresholds).await?);
    }
    Ok(checks)
}

/// Reads a key of a database, which takes the way of every read.
async fn read(name: &str, place: &Place, thresholds: &HealthSettings) -> Result<Check, Error> {
    let mut connection = place.open("health").await?;
    let mut get = redis::cmd("GET");
    get.arg(place.on_server(NOBODY).as_ref());
    match ask(&mut connection, &get).await {
        Ok(took) => Ok(held("latency", name.to_owned(), "GET", took, thresholds.latency)),
        Err(error) if error.kind() == ErrorKind::Permission => Ok(Check::new(
            "latency",
            name,
            HealthState::Unknown,
            format!("the user may not read: {}", error.message()),
        )),
        Err(error) => Err(error),
    }
}

async fn ask(connection: &mut Connection, command: &Cmd) -> Result<Duration, Error> {
    let mut least = Duration::MAX;
    for _ in 0..TIMES {
        let began = Instant::now();
        connection.ask::<Value>("measure latency", command).await?;
        least = least.min(began.elapsed());
    }
    Ok(least)
}

fn held(name: &str, subject: String, what: &str, took: Duration, threshold: Duration) -> Check {
    let state = match took {
        took if took > threshold * CRITICAL => HealthState::Critical,
        took if took > threshold => HealthState::Warning,
        _ => HealthState::Ok,
    };
    let advice = match state {
        HealthState::Ok => "",
        _ => ": look at the slow log (`compartment stats`), and at the network",
    };
    let message = format!("{what} took {:.1} ms{advice}", took.as_secs_f64() * 1_000.0);
    Check::new(name, subject, state, message).figure(took.as_secs_f64(), threshold.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_held_against_its_threshold() {
        let limit = Duration::from_millis(100);
        let state = |millis| {
            held("latency", String::new(), "PING", Duration::from_millis(millis), limit).state
        };
        assert_eq!(state(100), HealthState::Ok);
        assert_eq!(state(101), HealthState::Warning);
        assert_eq!(state(1_001), HealthState::Critical);
    }
}
