//! The server settings under which the contracts of a deployment are kept, as lines of redis.conf.

use compartment_core::DatabaseKind;
use serde::Serialize;

use super::facts::ServerFacts;
use super::policy::right_policy;
use crate::Deployment;

/// Numbered databases of a server that says nothing else.
const USUAL_DATABASES: u32 = 16;
/// Connections of a server that says nothing else.
const USUAL_CLIENTS: u64 = 10_000;
/// A limit where neither the map, nor the server, nor its machine says one.
const SMALLEST_LIMIT: u64 = 1 << 30;

/// The settings of one instance, as lines of redis.conf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InstanceSettings {
    /// The instance's name in the map.
    pub instance: String,
    /// Its address, the password hidden.
    pub address: String,
    /// The databases of the map that these settings suit.
    pub databases: Vec<String>,
    /// The lines.
    pub lines: Vec<String>,
}

/// The settings for each instance that was reached. Reads only.
pub async fn settings(deployment: &Deployment) -> Vec<InstanceSettings> {
    let mut all = Vec::new();
    for one in &deployment.instances {
        let Ok(server) = &one.server else { continue };
        let Some(instance) = deployment.map.instances().get(&one.name) else { continue };
        let facts = ServerFacts::ask(&one.name, instance, server).await;
        all.push(InstanceSettings {
            instance: one.name.clone(),
            address: one.address.clone(),
            databases: facts.contracts().iter().map(|one| one.name.clone()).collect(),
            lines: lines(&facts),
        });
    }
    all
}

fn lines(server: &ServerFacts<'_>) -> Vec<String> {
    let contracts = server.contracts();
    let mut lines = vec![
        format!("maxmemory {}", max_memory(server)),
        format!("maxmemory-policy {}", right_policy(&contracts)),
    ];
    if !server.server.is_cluster() {
        let needed = contracts.iter().map(|one| one.placement.index().saturating_add(1)).max();
        let has = server.server.info().databases.unwrap_or(USUAL_DATABASES);
        lines.push(format!("databases {}", needed.unwrap_or(0).max(has)));
    }
    if server.of_kind(DatabaseKind::Durable).is_empty() {
        lines.push("appendonly no".to_owned());
    } else {
        lines.extend(["appendonly yes".to_owned(), "appendfsync everysec".to_owned()]);
    }
    let pool = u64::from(server.instance.max_connections);
    let has = server.nodes.iter().find_map(|node| node.number::<u64>("maxclients"));
    lines.extend([
        "timeout 0".to_owned(),
        "tcp-keepalive 300".to_owned(),
        format!("maxclients {}", has.unwrap_or(USUAL_CLIENTS).max(pool.saturating_mul(4))),
        "client-output-buffer-limit pubsub 32mb 8mb 60".to_owned(),
        "protected-mode yes".to_owned(),
    ]);
    lines
}

/// As the map expects it; else as it is, within the machine's memory and above the budgets; else half of
/// the machine's memory.
fn max_memory(server: &ServerFacts<'_>) -> u64 {
    let nodes = server.nodes.len().max(1) as u64;
    let budgets: u64 = server.contracts().iter().filter_map(|one| one.memory_budget).sum();
    // Each node of a cluster holds its share. Beside the budgets there is room for the others.
    let needed = budgets.saturating_mul(2) / nodes;
    let machine = server.nodes.iter().filter_map(|node| node.info.number("total_system_memory"));
    let machine = machine.filter(|bytes| *bytes > 0).min();
    let now = server.nodes.iter().find_map(|node| node.condition.max_memory);
    let is_sound = |limit: &u64| {
        *limit > 0 && machine.is_none_or(|machine| *limit <= machine) && *limit * nodes >= budgets
    };
    server
        .instance
        .expected_max_memory
        .or(now.filter(is_sound))
        .or(machine.map(|bytes: u64| bytes / 2))
        .unwrap_or(SMALLEST_LIMIT.max(needed))
}
