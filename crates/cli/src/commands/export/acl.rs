//! A user of the server for each purpose, as lines of its configuration or of an ACL file.

use compartment::database_map::Previous;
use compartment::{Contract, DatabaseKind, DatabaseMap};

use super::address::{instance, instances_in_use};
use crate::exit_code::CliError;

/// How a server keeps its users apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    /// By numbered database (`db=`): Valkey since 9.1.
    Database,
    /// By key only: every user can select every index.
    Key,
}

/// All that programs do, without what changes the server or reaches data of others.
const COMMANDS: &str = "+@all -@admin -@dangerous -swapdb -flushall -script|flush -function|load -function|delete \
                        -function|flush -function|restore +info";

/// Renders the users of each instance; `rights` tells what its server can do.
pub(crate) fn render(
    map: &DatabaseMap,
    rights: impl Fn(&str) -> Rights,
) -> Result<String, CliError> {
    let mut lines = Vec::new();
    for name in instances_in_use(map) {
        let of_server = match rights(name) {
            Rights::Database => "each is kept to its numbered databases (Valkey 9.1 and later)",
            Rights::Key => "each is kept to its keys; this server has no rights by database",
        };
        lines.push(format!("# Instance {name}, {}: {of_server}.", instance(map, name)?.url));
        lines.push(
            "# A user is off until it has a password: ACL SETUSER NAME on '>PASSWORD'".into(),
        );
        for contract in map.databases().iter().filter(|one| one.placement.instance() == name) {
            lines.extend(user(contract, rights(name)));
        }
        lines.push(String::new());
    }
    Ok(lines.join("\n"))
}

fn user(contract: &Contract, rights: Rights) -> Vec<String> {
    let previous = contract
        .previous
        .as_ref()
        .filter(|previous| previous.placement.instance() == contract.placement.instance());
    let name = &contract.name;
    let mut lines = Vec::new();
    if rights == Rights::Key && contract.placement.prefix().is_empty() {
        lines.push(format!(
            "# {name} is placed by an index, into which this server lets every user: give it a prefix, and the user \
             has its keys only"
        ));
    }
    let mut rules = vec![format!("user {name} off resetpass"), keys(contract, previous)];
    rules.push("&*".to_owned());
    if rights == Rights::Database {
        rules.push(databases(contract, previous));
    }
    rules.push(COMMANDS.to_owned());
    if rights == Rights::Database && contract.kind == DatabaseKind::Cache {
        // Its own database only: programs empty their cache by it.
        rules.push("+flushdb".to_owned());
    }
    if previous.is_some() {
        rules.push("+restore".to_owned());
    }
    lines.push(rules.join(" "));
    lines
}

/// The key patterns of a database, and of its previous place.
fn keys(contract: &Contract, previous: Option<&Previous>) -> String {
    let mut prefixes = vec![contract.placement.prefix()];
    prefixes.extend(previous.map(|previous| previous.placement.prefix()));
    if prefixes.contains(&"") {
        return "~*".to_owned();
    }
    let patterns = prefixes.into_iter().map(|prefix| format!("~{}*", escaped(prefix)));
    patterns.collect::<Vec<_>>().join(" ")
}

/// The prefix as a part of a glob.
fn escaped(prefix: &str) -> String {
    let mut escaped = String::new();
    for letter in prefix.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

fn databases(contract: &Contract, previous: Option<&Previous>) -> String {
    let mut indexes = vec![contract.placement.index()];
    indexes.extend(previous.map(|previous| previous.placement.index()));
    indexes.sort_unstable();
    indexes.dedup();
    let indexes: Vec<String> = indexes.iter().map(u32::to_string).collect();
    format!("db={}", indexes.join(","))
}
