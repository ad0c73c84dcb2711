//! Connected clients from `CLIENT LIST`, grouped by program and database.

use std::collections::{BTreeMap, BTreeSet};

use compartment_core::Result;
use compartment_redis::Server;
use serde::{Deserialize, Serialize};

use crate::Place;
use crate::client_list::{Client, client_list, who};

/// Connections of one program to one database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClientUse {
    /// The index of the database.
    pub index: u32,
    /// The connections' `CLIENT SETNAME` name; empty if not set.
    pub name: String,
    /// The client library and its version, if reported (Redis 7.2 and later).
    pub library: String,
    /// The user they logged in as.
    pub user: String,
    /// Number of connections.
    pub connections: u64,
    /// Connections that are blocked, waiting for an element of a list, a sorted set or a stream.
    pub blocked: u64,
    /// Seconds since the last command of the most recently active connection.
    pub idle_seconds: u64,
    /// Their last commands.
    pub commands: BTreeSet<String>,
}

impl ClientUse {
    /// Describes the owner of these connections.
    #[must_use]
    pub fn who(&self) -> String {
        who(&self.name, &self.library, &self.user)
    }
}

/// The clients of the place's index, on every node, that may use its keys. Clients that only
/// administer the server or listen to channels are left out.
///
/// # Errors
/// The server's, where it does not allow `CLIENT LIST`.
pub(crate) async fn clients_of(place: &Place) -> Result<Vec<ClientUse>> {
    let mut clients = client_list(place).await?;
    clients.retain(|client| client.index == place.index() && client.uses_keys());
    Ok(together(clients))
}

/// The clients of every database of a server, on every node.
///
/// # Errors
/// The server's, where it does not allow `CLIENT LIST`.
pub(crate) async fn clients_of_server(server: &Server) -> Result<Vec<ClientUse>> {
    Ok(together(client_list(&Place::new("", server.clone(), 0)).await?))
}

/// Maximum number of commands shown per program.
const COMMANDS: usize = 12;

fn together(clients: Vec<Client>) -> Vec<ClientUse> {
    let mut found = BTreeMap::new();
    for client in clients {
        let Client { index, name, library, user, .. } = client;
        let key = (index, name.clone(), library.clone(), user.clone());
        let one = found.entry(key).or_insert_with(|| ClientUse {
            index,
            name,
            library,
            user,
            connections: 0,
            blocked: 0,
            idle_seconds: u64::MAX,
            commands: BTreeSet::new(),
        });
        one.connections += 1;
        one.blocked += u64::from(client.blocked);
        one.idle_seconds = one.idle_seconds.min(client.idle_seconds);
        if one.commands.len() < COMMANDS && !client.command.is_empty() {
            one.commands.insert(client.command);
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_list::read;

    #[test]
    fn connections_of_one_program_are_one_line() {
        let lines = [
            "id=3 addr=127.0.0.1:5 name=celery age=3 idle=0 flags=b db=0 cmd=brpop user=default lib-name=redis-py lib-ver=5.0",
            "id=4 addr=127.0.0.1:6 name=celery age=3 idle=9 flags=N db=0 cmd=lpush user=default lib-name=redis-py lib-ver=5.0",
            "id=5 addr=127.0.0.1:7 name=compartment-admin:walk flags=N db=0 cmd=scan user=default",
            "id=6 addr=127.0.0.1:8 name= flags=N db=2 idle=1 cmd=client|list user=app",
        ];
        let list = together(lines.into_iter().filter_map(read).collect());
        assert_eq!(list.len(), 2, "{list:?}");
        assert_eq!((list[0].connections, list[0].blocked, list[0].idle_seconds), (2, 1, 0));
        assert_eq!(list[0].library, "redis-py 5.0");
        assert_eq!(list[1].index, 2);
    }
}
