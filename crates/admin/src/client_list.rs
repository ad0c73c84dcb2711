//! The connections of a server: the lines of `CLIENT LIST` without our own.

use std::collections::BTreeMap;

use compartment_core::Result;

use crate::Place;
use crate::own_name::OWN;

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// Index of the selected database.
    pub(crate) index: u32,
    pub(crate) address: String,
    /// Its `CLIENT SETNAME` name; empty if not set.
    pub(crate) name: String,
    /// The library and its version, where the server reports them (since 7.2).
    pub(crate) library: String,
    pub(crate) user: String,
    /// Whether it is blocked, waiting for an element of a list, a sorted set or a stream.
    pub(crate) blocked: bool,
    /// Seconds since its last command.
    pub(crate) idle_seconds: u64,
    /// Its last command; empty before the first.
    pub(crate) command: String,
}

/// Commands that do not use keys.
const NO_KEYS: &[&str] = &[
    "acl",
    "auth",
    "client",
    "cluster",
    "command",
    "config",
    "hello",
    "info",
    "lastsave",
    "latency",
    "memory",
    "module",
    "monitor",
    "psubscribe",
    "pubsub",
    "punsubscribe",
    "role",
    "slowlog",
    "ssubscribe",
    "subscribe",
    "sunsubscribe",
    "time",
    "unsubscribe",
];

impl Client {
    /// Whether it may use keys, judged by its last command. A connection that has set its name
    /// belongs to a program that may be about to use keys.
    pub(crate) fn uses_keys(&self) -> bool {
        let command = self.command.split('|').next().unwrap_or_default();
        let has_begun = !self.name.is_empty() && self.command.starts_with("client|set");
        self.blocked || has_begun || !(command.is_empty() || NO_KEYS.contains(&command))
    }
}

/// The clients of the place's server, on every node.
///
/// # Errors
/// The server's, where it does not allow `CLIENT LIST`.
pub(crate) async fn client_list(place: &Place) -> Result<Vec<Client>> {
    let mut clients = Vec::new();
    for mut node in place.open_nodes("clients").await? {
        let mut list = redis::cmd("CLIENT");
        list.arg("LIST");
        let text: String = node.ask("list clients", &list).await?;
        clients.extend(text.lines().filter_map(read));
    }
    Ok(clients)
}

/// Describes the owner of a connection by its name, its library or its user.
pub(crate) fn who(name: &str, library: &str, user: &str) -> String {
    match (name, library) {
        ("", "") => format!("user {user:?}"),
        ("", library) => format!("{library} of user {user:?}"),
        (name, _) => format!("client {name:?}"),
    }
}

/// Parses one line; `None` for connections that are not clients: our own, replicas, the connection
/// to a master, monitors.
pub(crate) fn read(line: &str) -> Option<Client> {
    let fields: BTreeMap<&str, &str> =
        line.split(' ').filter_map(|field| field.split_once('=')).collect();
    let field = |name: &str| fields.get(name).copied().unwrap_or_default();
    let flags = field("flags");
    if field("name").starts_with(OWN) || flags.contains(['S', 'M', 'O']) {
        return None;
    }
    Some(Client {
        index: field("db").parse().ok()?,
        address: field("addr").to_owned(),
        name: field("name").to_owned(),
        library: match (field("lib-name"), field("lib-ver")) {
            ("", _) => String::new(),
            (name, "") => name.to_owned(),
            (name, version) => format!("{name} {version}"),
        },
        user: field("user").to_owned(),
        blocked: flags.contains('b'),
        idle_seconds: field("idle").parse().unwrap_or(0),
        command: match field("cmd") {
            "NULL" => String::new(),
            command => command.to_owned(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_and_what_is_no_client_is_left_out() {
        let line = "id=3 addr=127.0.0.1:5 name=celery age=3 idle=9 flags=b db=2 cmd=brpop user=app \
                    lib-name=redis-py lib-ver=5.0";
        let client = read(line).unwrap();
        assert_eq!((client.index, client.blocked, client.idle_seconds), (2, true, 9));
        assert_eq!((client.library.as_str(), client.user.as_str()), ("redis-py 5.0", "app"));
        let named = |name: &str| line.replace("celery", name);
        assert!(read(&named("compartment:cache")).is_some(), "a program that uses the library");
        assert!(read(&named("compartment-admin:walk")).is_none());
        assert!(read(&line.replace("flags=b", "flags=S")).is_none());
        assert!(read("nonsense").is_none());
        let last =
            |command: &str| read(&line.replace("brpop", command).replace("flags=b", "flags=N"));
        let uses = |command: &str| last(command).unwrap().uses_keys();
        assert!(["get", "ping", "exec", "client|setname"].into_iter().all(uses));
        assert!(!["client|list", "info", "psubscribe", "NULL"].into_iter().any(uses));
    }
}
