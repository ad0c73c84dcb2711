//! The settings of a server, and which commands its user may run.

use std::collections::BTreeMap;

use compartment_core::ErrorKind;
use compartment_redis::{Connection, is_hidden};

use super::fetch::Questions;
use super::report::ServerState;
use crate::{Place, Result};

/// An unused key name: an allowed command answers with nil, a refused one with an error.
const NOBODY: &str = "compartment:no-such-key";

/// The server's state from `INFO`, as far as it is reported.
pub(crate) async fn state(connection: &mut Connection, place: &Place) -> ServerState {
    let info = place.server().info();
    let mut state = ServerState {
        program: info.server.clone(),
        version: info.version.clone(),
        eviction_policy: info.eviction_policy.clone(),
        ..ServerState::default()
    };
    for section in ["memory", "replication", "keyspace"] {
        let mut command = redis::cmd("INFO");
        command.arg(section);
        // Each node of a cluster would answer for itself; the first one is used.
        let Ok(text) = connection.ask::<String>("read the server's state", &command).await else {
            continue;
        };
        read_info(&text, &mut state);
    }
    state
}

/// Number of keys in each non-empty numbered database of the place's server. For a cluster, index 0
/// is counted on one node only. Where `INFO` is hidden, each database is asked.
///
/// # Errors
/// The server's.
pub async fn keyspace(place: &Place) -> Result<BTreeMap<u32, u64>> {
    let mut nodes = place.open_nodes("keyspace").await?;
    let mut state = ServerState::default();
    if let Some(node) = nodes.first_mut() {
        let mut command = redis::cmd("INFO");
        command.arg("keyspace");
        match node.ask::<String>("list databases", &command).await {
            Ok(text) => read_info(&text, &mut state),
            Err(error) if is_hidden(&error) => return count_each(place).await,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(state.keyspace)
}

/// Asks each database: as many as the server reports, or its default number.
async fn count_each(place: &Place) -> Result<BTreeMap<u32, u64>> {
    const USUAL: u32 = 16;
    let mut keyspace = BTreeMap::new();
    for index in 0..place.server().info().databases.unwrap_or(USUAL) {
        let one = Place::new(format!("index {index}"), place.server().clone(), index);
        match one.index_keys().await {
            Ok(0) => {}
            Ok(keys) => {
                keyspace.insert(index, keys);
            }
            // The server has fewer databases.
            Err(error) if error.kind() == ErrorKind::Configuration => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(keyspace)
}

fn read_info(text: &str, state: &mut ServerState) {
    for line in text.lines() {
        let Some((name, value)) = line.trim_end().split_once(':') else { continue };
        match name {
            "used_memory" => state.used_memory = value.parse().ok(),
            "maxmemory" => state.max_memory = value.parse().ok(),
            "maxmemory_policy" => state.eviction_policy = Some(value.to_owned()),
            "role" => state.replica = value == "slave",
            _ => {
                let index = name.strip_prefix("db").and_then(|index| index.parse().ok());
                let keys = value.strip_prefix("keys=").and_then(|rest| rest.split(',').next());
                if let (Some(index), Some(Ok(keys))) = (index, keys.map(str::parse)) {
                    state.keyspace.insert(index, keys);
                }
            }
        }
    }
}

/// The allowed questions; refused commands are added to `missing`.
pub(crate) async fn questions(
    connection: &mut Connection,
    state: &ServerState,
    exact: bool,
    missing: &mut Vec<String>,
) -> Questions {
    let lfu = state.eviction_policy.as_deref().is_some_and(|policy| policy.contains("lfu"));
    let mut allowed = BTreeMap::new();
    let used = if lfu { "FREQ" } else { "IDLETIME" };
    for (command, sub, lacks) in [
        ("OBJECT", "ENCODING", "encodings; every collection is measured"),
        ("OBJECT", used, "idle times of keys"),
        ("MEMORY", "USAGE", "memory"),
    ] {
        let mut ask = redis::cmd(command);
        ask.arg(sub).arg(NOBODY);
        let answer = connection.ask::<redis::Value>("ask what is allowed", &ask).await;
        // Redis before 7 answers with an error for a missing key.
        let is_allowed = match &answer {
            Ok(_) => true,
            Err(error) => error.message().contains("no such key"),
        };
        if !is_allowed {
            missing.push(format!("{command} {sub} is not allowed: {lacks}"));
        }
        allowed.insert(sub, is_allowed);
    }
    let can = |sub: &str| allowed.get(sub).copied().unwrap_or(false);
    let mut list = redis::cmd("MODULE");
    list.arg("LIST");
    let modules = connection.ask::<Vec<redis::Value>>("list modules", &list).await;
    Questions {
        encoding: can("ENCODING"),
        idle: !lfu && can("IDLETIME"),
        uses: lfu && can("FREQ"),
        memory: can("USAGE"),
        exact,
        has_modules: modules.map_or(true, |modules| !modules.is_empty()),
    }
}
