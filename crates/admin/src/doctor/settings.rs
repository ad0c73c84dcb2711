//! The server settings under which the contracts of a deployment are kept, as lines of redis.conf.

use compartment_core::DatabaseKind;
use serde::Serialize;

use super::facts::ServerFacts;
use super::limit;
use super::node::Node;
use super::options::DoctorOptions;
use crate::Deployment;
use crate::policy::right_policy;

/// Numbered databases of a server that says nothing else.
const USUAL_DATABASES: u32 = 16;
/// Connections of a server that says nothing else.
const USUAL_CLIENTS: u64 = 10_000;
/// A server that is restarted with `appendonly yes` and has no such file yet starts empty.
const APPENDS_FIRST: &str = "a server that runs without an append-only file: CONFIG SET appendonly yes first, \
                             and wait until INFO says aof_rewrite_in_progress:0. Restarted with this line \
                             and no such file it starts empty";

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
    /// Steps before these settings are used, a sentence each.
    pub notes: Vec<String>,
    /// The lines.
    pub lines: Vec<String>,
}

/// The settings for each instance that was reached. Reads only.
pub async fn settings(deployment: &Deployment) -> Vec<InstanceSettings> {
    let mut all = Vec::new();
    for one in &deployment.instances {
        let Ok(server) = &one.server else { continue };
        let Some(instance) = deployment.map.instances().get(&one.name) else { continue };
        let mut facts = ServerFacts::ask(&one.name, instance, server).await;
        // How much the databases hold is a part of the limit.
        let options = DoctorOptions::default();
        facts.look_at_keys(server, &deployment.map, &options, &mut Vec::new()).await;
        all.push(InstanceSettings {
            instance: one.name.clone(),
            address: one.address.clone(),
            databases: facts.contracts().iter().map(|one| one.name.clone()).collect(),
            notes: notes(&facts),
            lines: lines(&facts),
        });
    }
    all
}

fn notes(server: &ServerFacts<'_>) -> Vec<String> {
    let appends = |node: &Node| node.info.get("aof_enabled") == Some("1");
    let is_needed = !server.of_kind(DatabaseKind::Durable).is_empty();
    let is_new = is_needed && !server.nodes.iter().all(appends);
    is_new.then(|| APPENDS_FIRST.to_owned()).into_iter().collect()
}

fn lines(server: &ServerFacts<'_>) -> Vec<String> {
    let contracts = server.contracts();
    let mut lines = vec![
        format!("maxmemory {}", limit::chosen(server)),
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
    ]);
    lines
}
