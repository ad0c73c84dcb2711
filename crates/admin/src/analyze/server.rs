//! The settings of a server, and which commands its user may run.

use std::collections::BTreeMap;

use compartment_core::ErrorKind;
use compartment_redis::{Connection, is_hidden};

use super::fetch::Questions;
use super::report::ServerState;
use crate::info::Info;
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
        // A cluster's nodes would each answer for themselves: their first is as good as any.
        let Ok(info) = Info::ask(connection, &[section]).await else { continue };
        match section {
            "memory" => {
                state.used_memory = info.number("used_memory");
                state.max_memory = info.number("maxmemory");
                let policy = info.get("maxmemory_policy").map(str::to_owned);
                state.eviction_policy = policy.or(state.eviction_policy);
            }
            "replication" => state.replica = info.get("role") == Some("slave"),
            _ => state.keyspace = info.keys_by_index(),
        }
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
    let Some(node) = nodes.first_mut() else { return Ok(BTreeMap::new()) };
    match Info::ask(node, &["keyspace"]).await {
        Ok(info) => Ok(info.keys_by_index()),
        Err(error) if is_hidden(&error) => count_each(place).await,
        Err(error) => Err(error.into()),
    }
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

/// What may be asked; what may not is said in `missing`.
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
