//! Who is connected: the lines of `CLIENT LIST`, brought together by program and database.

use std::collections::{BTreeMap, BTreeSet};

use compartment_core::Result;
use serde::{Deserialize, Serialize};

use crate::Place;

/// Connections of one program to one database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClientUse {
    /// Redis's number of the database.
    pub index: u32,
    /// The name the connections gave themselves; empty for none.
    pub name: String,
    /// The client library and its version, where it says (Redis 7.2 and later).
    pub library: String,
    /// The user they logged in as.
    pub user: String,
    /// How many.
    pub connections: u64,
    /// Those that wait for an element of a list, a sorted set or a stream.
    pub blocked: u64,
    /// Seconds since the last command of the most recent.
    pub idle_seconds: u64,
    /// Their last commands.
    pub commands: BTreeSet<String>,
}

/// The name of Compartment's own connections begins so.
const OWN: &str = "compartment:";

/// The clients of the place's server, on every node.
///
/// # Errors
/// The server's, where it does not allow `CLIENT LIST`.
pub(crate) async fn clients(place: &Place) -> Result<Vec<ClientUse>> {
    let mut found = BTreeMap::new();
    for mut node in place.server().open_nodes(place.index(), "compartment:clients").await? {
        let mut list = redis::cmd("CLIENT");
        list.arg("LIST");
        let text: String = node.ask("list clients", &list).await?;
        text.lines().for_each(|line| add_line(line, &mut found));
    }
    Ok(found.into_values().collect())
}

type Found = BTreeMap<(u32, String, String, String), ClientUse>;

fn add_line(line: &str, found: &mut Found) {
    let fields: BTreeMap<&str, &str> =
        line.split(' ').filter_map(|field| field.split_once('=')).collect();
    let field = |name: &str| fields.get(name).copied().unwrap_or_default();
    let flags = field("flags");
    // Replicas and the connection to a master are the server's own.
    if field("name").starts_with(OWN) || flags.contains(['S', 'M']) || field("db").is_empty() {
        return;
    }
    let library = match (field("lib-name"), field("lib-ver")) {
        ("", _) => String::new(),
        (name, "") => name.to_owned(),
        (name, version) => format!("{name} {version}"),
    };
    let index = field("db").parse().unwrap_or(0);
    let idle = field("idle").parse().unwrap_or(0);
    let key = (index, field("name").to_owned(), library.clone(), field("user").to_owned());
    let one = found.entry(key).or_insert_with(|| ClientUse {
        index,
        name: field("name").to_owned(),
        library,
        user: field("user").to_owned(),
        connections: 0,
        blocked: 0,
        idle_seconds: u64::MAX,
        commands: BTreeSet::new(),
    });
    one.connections += 1;
    one.blocked += u64::from(flags.contains('b'));
    one.idle_seconds = one.idle_seconds.min(idle);
    // Twelve are enough to see what a program does.
    if one.commands.len() < 12 && !matches!(field("cmd"), "" | "NULL") {
        one.commands.insert(field("cmd").to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_of_one_program_are_one_line() {
        let mut found = Found::new();
        for line in [
            "id=3 addr=127.0.0.1:5 name=celery age=3 idle=0 flags=b db=0 cmd=brpop user=default lib-name=redis-py lib-ver=5.0",
            "id=4 addr=127.0.0.1:6 name=celery age=3 idle=9 flags=N db=0 cmd=lpush user=default lib-name=redis-py lib-ver=5.0",
            "id=5 addr=127.0.0.1:7 name=compartment:walk flags=N db=0 cmd=scan user=default",
            "id=6 addr=127.0.0.1:8 name= flags=N db=2 idle=1 cmd=client|list user=app",
            "nonsense",
        ] {
            add_line(line, &mut found);
        }
        let list: Vec<ClientUse> = found.into_values().collect();
        assert_eq!(list.len(), 2, "{list:?}");
        assert_eq!((list[0].connections, list[0].blocked, list[0].idle_seconds), (2, 1, 0));
        assert_eq!(list[0].library, "redis-py 5.0");
        assert_eq!(list[1].index, 2);
    }
}
