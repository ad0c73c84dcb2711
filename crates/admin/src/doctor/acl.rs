//! Users for a deployment: one for each database, with no more rights than its programs need, and one for
//! administration.

use compartment_core::{Contract, DatabaseMap, Role};
use serde::Serialize;

use super::facts::listed;
use crate::{DeployedServer, Deployment};

/// The first version of Valkey whose rules name numbered databases.
const WITH_DATABASES: (u32, u32) = (9, 1);
/// The commands of a program: all that touch keys, and those that clients ask at their start. `INFO` is
/// among the dangerous ones and tells nothing of keys; before 7.0 all of `CLIENT` is among them, and all of
/// `CLUSTER`.
const COMMANDS: &str = "+@all -@admin -@dangerous +info +client|setname +client|id +client|info";
/// The commands of a program on a cluster besides.
const OF_A_CLUSTER: &str = " +cluster|slots +cluster|nodes";

/// Keys that Compartment writes by itself, as docs/keys.md lists them: the first kind into every database, the
/// others into those that serve a role of the pipeline.
const OWN: [&str; 6] = ["compartment:*", "{batch:*", "{queue:*", "batch:*", "doc:*", "project:*"];

/// The users of one instance, as lines of redis.conf or of an ACL file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InstanceUsers {
    /// The instance's name in the map.
    pub instance: String,
    /// Its address, the password hidden.
    pub address: String,
    /// Notes on these users, a sentence each.
    pub notes: Vec<String>,
    /// A line for each user. None has a password yet, so that nobody can log in as it.
    pub lines: Vec<String>,
}

/// The users of each instance that was reached.
#[must_use]
pub fn users(deployment: &Deployment) -> Vec<InstanceUsers> {
    let reached = deployment.instances.iter().filter_map(|one| {
        let server = one.server.as_ref().ok()?;
        Some((one, server))
    });
    let users = reached.map(|(one, server)| {
        let (notes, lines) = of_server(&deployment.map, server);
        InstanceUsers { instance: one.name.clone(), address: one.address.clone(), notes, lines }
    });
    users.collect()
}

fn of_server(map: &DatabaseMap, server: &DeployedServer) -> (Vec<String>, Vec<String>) {
    let has_rules = names_databases(&server.server.info().server, &server.server.info().version);
    let mut notes = vec![
        "no user has a password yet: put >PASSWORD, or #SHA256, behind `on`".to_owned(),
        "when each program has its own user, add: user default off".to_owned(),
    ];
    let mut unlimited = Vec::new();
    let mut lines = vec!["user operator on resetpass ~* &* +@all".to_owned()];
    for one in &server.databases {
        let contract = &one.contract;
        let keys = match has_rules {
            true => format!(
                "~{}* resetdbs db={}",
                escaped(contract.placement.prefix()),
                contract.placement.index()
            ),
            false => patterns(map, contract),
        };
        if keys == "~*" {
            unlimited.push(contract.name.as_str());
        }
        let name = user_name(&contract.name);
        // Channels of the library and of most programs carry no database's name in front.
        let more = if server.server.is_cluster() { OF_A_CLUSTER } else { "" };
        lines.push(format!("user {name} on resetpass {keys} &* {COMMANDS}{more}"));
    }
    if !unlimited.is_empty() {
        notes.push(format!(
            "no rule of this server keeps a user to an index: those of {} may use every key. A prefix, or \
             templates in [keys], limits them",
            listed(unlimited)
        ));
    }
    (notes, lines)
}

fn names_databases(program: &str, version: &str) -> bool {
    let mut parts = version.split('.').map_while(|part| part.parse::<u32>().ok());
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    program == "valkey" && found >= WITH_DATABASES
}

/// The patterns of a database's keys: its prefix, else its templates, else all.
fn patterns(map: &DatabaseMap, contract: &Contract) -> String {
    let prefix = contract.placement.prefix();
    if !prefix.is_empty() {
        return format!("~{}*", escaped(prefix));
    }
    let rules = map.keys().values().filter(|rule| rule.database == contract.name);
    let mut globs: Vec<String> = rules.map(|rule| format!("~{}", rule.template.glob())).collect();
    if globs.is_empty() || globs.iter().any(|glob| glob.contains(char::is_whitespace)) {
        return "~*".to_owned();
    }
    let serves_a_role =
        Role::ALL.into_iter().any(|role| map.roles().database(role) == contract.name);
    let own: &[&str] = if serves_a_role { &OWN } else { &OWN[..1] };
    globs.extend(own.iter().map(|glob| format!("~{glob}")));
    globs.sort();
    globs.dedup();
    globs.join(" ")
}

fn escaped(prefix: &str) -> String {
    let mut glob = Vec::new();
    crate::name::escape_glob_into(prefix.as_bytes(), &mut glob);
    String::from_utf8_lossy(&glob).into_owned()
}

/// A user's name has no blanks, and is none that the server or this file has a use for.
fn user_name(database: &str) -> String {
    let name: String =
        database.chars().map(|letter| if letter.is_whitespace() { '_' } else { letter }).collect();
    match name.as_str() {
        "default" | "operator" => format!("{name}-database"),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use compartment_core::{DatabaseKind, DatabaseMapBuilder, Instance, Placement, Preset};

    use super::*;

    #[test]
    fn a_database_is_limited_by_its_prefix_or_its_templates() {
        let map = DatabaseMapBuilder::preset(Preset::Pipeline)
            .instance("primary", Instance::new("memory://").unwrap())
            .database(Contract::new("pages", DatabaseKind::Durable).with_index(7))
            .key("page", "page:{id}", "cache", compartment_core::TtlByEnvironment::default())
            .unwrap()
            .key("copy", "page:{id}", "pages", compartment_core::TtlByEnvironment::default())
            .unwrap()
            .build()
            .unwrap();
        let of = |name: &str| patterns(&map, map.database(name).unwrap());
        assert_eq!(
            of("cache"),
            "~batch:* ~compartment:* ~doc:* ~page:* ~project:* ~{batch:* ~{queue:*"
        );
        assert_eq!(of("pages"), "~compartment:* ~page:*");
        assert_eq!(of("batch"), "~*");
        let placement =
            Placement::Prefix { instance: "primary".into(), index: 0, prefix: "a[b:".into() };
        let prefixed = Contract::new("p", DatabaseKind::Durable).placement(placement);
        assert_eq!(patterns(&map, &prefixed), r"~a\[b:*");
    }

    #[test]
    fn only_valkey_from_9_1_names_databases() {
        assert!(names_databases("valkey", "9.1.2") && names_databases("valkey", "10.0.0"));
        assert!(!names_databases("valkey", "9.0.1") && !names_databases("redis", "9.1.0"));
        assert!(!names_databases("valkey", ""));
    }
}
