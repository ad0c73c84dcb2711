//! The answers of the servers of a deployment, gathered once for all checks.

use std::collections::BTreeSet;

use compartment_core::{Contract, DatabaseKind, DatabaseMap, Error, Instance};
use compartment_redis::Server;

use super::node::Node;
use super::options::DoctorOptions;
use super::protection::are_all_protected;
use super::sample::Sample;
use crate::analyze::{questions, state};
use crate::bless::is_known;
use crate::client_list::{Client, client_list};
use crate::own_name::own_name;
use crate::{DeployedServer, Deployment, NamedPlace, Place, Result};

/// A deployment as its servers tell of it.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) map: &'a DatabaseMap,
    pub(super) servers: Vec<ServerFacts<'a>>,
    /// Instances that were not reached: name, address, why.
    pub(super) unreached: Vec<(&'a str, &'a str, &'a Error)>,
    /// Parts that could not be looked at.
    pub(super) unknown: Vec<String>,
}

/// A server of the deployment.
#[derive(Debug)]
pub(super) struct ServerFacts<'a> {
    /// The instance's name.
    pub(super) name: &'a str,
    pub(super) instance: &'a Instance,
    pub(super) server: &'a Server,
    /// One, or the masters of a cluster. Empty where none was reached again.
    pub(super) nodes: Vec<Node>,
    pub(super) databases: Vec<DatabaseFacts<'a>>,
    /// Indexes with keys that are not in a database of the map.
    pub(super) unnamed: Vec<UnnamedFacts>,
    /// Its connections; `None` where it does not tell.
    pub(super) clients: Option<Vec<Client>>,
}

/// A database of the map.
#[derive(Debug)]
pub(super) struct DatabaseFacts<'a> {
    pub(super) contract: &'a Contract,
    pub(super) place: &'a Place,
    /// Empty where its keys could not be looked at.
    pub(super) sample: Sample,
    /// Whether the server is told never to evict any of the keys that were looked at.
    pub(super) is_protected: bool,
}

/// The keys of an index that no database of the map has.
#[derive(Debug)]
pub(super) struct UnnamedFacts {
    pub(super) place: Place,
    pub(super) sample: Sample,
}

impl<'a> Facts<'a> {
    pub(super) async fn gather(deployment: &'a Deployment, options: &DoctorOptions) -> Self {
        let mut facts = Self {
            map: &deployment.map,
            servers: Vec::new(),
            unreached: Vec::new(),
            unknown: Vec::new(),
        };
        for one in &deployment.instances {
            match &one.server {
                Err(error) => facts.unreached.push((&one.name, &one.address, error)),
                Ok(deployed) => {
                    let Some(instance) = facts.map.instances().get(&one.name) else { continue };
                    let mut server = ServerFacts::ask(&one.name, instance, deployed).await;
                    facts.unknown.extend(server.hidden());
                    server.look_at_keys(deployed, facts.map, options, &mut facts.unknown).await;
                    facts.servers.push(server);
                }
            }
        }
        facts
    }

    pub(super) fn keys_looked_at(&self) -> u64 {
        let samples = |server: &ServerFacts<'_>| -> usize {
            server.samples().map(|(_, sample)| sample.keys.len()).sum()
        };
        self.servers.iter().map(|server| samples(server) as u64).sum()
    }
}

impl<'a> ServerFacts<'a> {
    /// Its nodes and connections, its databases without their keys.
    pub(super) async fn ask(
        name: &'a str,
        instance: &'a Instance,
        deployed: &'a DeployedServer,
    ) -> Self {
        let server = &deployed.server;
        let mut nodes = Vec::new();
        for mut node in server.open_nodes(0, &own_name("doctor")).await.unwrap_or_default() {
            nodes.push(Node::ask(&mut node).await);
        }
        let database = |one: &'a NamedPlace| DatabaseFacts {
            contract: &one.contract,
            place: &one.place,
            sample: Sample::default(),
            is_protected: false,
        };
        let clients = client_list(&Place::new(name, server.clone(), 0)).await;
        Self {
            name,
            instance,
            server,
            nodes,
            databases: deployed.databases.iter().map(database).collect(),
            unnamed: Vec::new(),
            clients: clients.ok(),
        }
    }

    /// Looks at keys of its databases, and of indexes that no database has.
    pub(super) async fn look_at_keys(
        &mut self,
        deployed: &DeployedServer,
        map: &DatabaseMap,
        options: &DoctorOptions,
        unknown: &mut Vec<String>,
    ) {
        let knows_bless = self.nodes.iter().any(|node| is_known(&node.info));
        for database in &mut self.databases {
            if !has_index(deployed, database.place.index()) {
                continue;
            }
            match look_at_place(database.place, map, options, &[]).await {
                Ok(sample) => database.sample = sample,
                Err(error) => unknown.push(format!("the keys of {}: {error}", database.place)),
            }
            if knows_bless && database.contract.kind == DatabaseKind::Durable {
                let asked = are_all_protected(database.place, &database.sample).await;
                database.is_protected = asked.unwrap_or(false);
            }
        }
        for index in self.unnamed_indexes() {
            let place = Place::new(format!("index {index}"), deployed.server.clone(), index);
            let named: Vec<Vec<u8>> =
                self.at_index(index).map(|one| one.place.prefix().to_vec()).collect();
            match look_at_place(&place, map, options, &named).await {
                Ok(sample) if sample.keys.is_empty() => {}
                Ok(sample) => self.unnamed.push(UnnamedFacts { place, sample }),
                Err(error) => unknown.push(format!("the keys of {place}: {error}")),
            }
        }
    }

    /// The parts that the server does not tell.
    fn hidden(&self) -> Vec<String> {
        let mut hidden = Vec::new();
        for node in &self.nodes {
            hidden.extend(node.hidden().iter().map(|what| format!("{what} of {}", node.location)));
        }
        if self.clients.is_none() {
            hidden.push(format!("the connections of {}: CLIENT LIST is not allowed", self.name));
        }
        hidden
    }

    /// Indexes with keys, none of whose databases has the index to itself.
    fn unnamed_indexes(&self) -> BTreeSet<u32> {
        let with_keys = self.nodes.iter().flat_map(|node| node.info.keys_by_index().into_keys());
        let has_whole = |index: u32| self.at_index(index).any(|one| one.place.prefix().is_empty());
        with_keys.filter(|index| !has_whole(*index)).collect()
    }

    /// The databases of the map at an index.
    pub(super) fn at_index(&self, index: u32) -> impl Iterator<Item = &DatabaseFacts<'a>> {
        self.databases.iter().filter(move |one| one.place.index() == index)
    }

    /// The databases of a kind.
    pub(super) fn of_kind(&self, kind: DatabaseKind) -> Vec<&DatabaseFacts<'a>> {
        self.databases.iter().filter(|one| one.contract.kind == kind).collect()
    }

    /// Each place whose keys were looked at, those without a name last.
    pub(super) fn samples(&self) -> impl Iterator<Item = (&Place, &Sample)> {
        let named = self.databases.iter().map(|one| (one.place, &one.sample));
        named.chain(self.unnamed.iter().map(|one| (&one.place, &one.sample)))
    }

    /// The policy of the first node that evicts.
    pub(super) fn evicting_policy(&self) -> Option<&str> {
        self.nodes.iter().find_map(Node::evicting_policy)
    }

    /// The memory limit of all nodes together; `None` where one does not tell, 0 where one has none.
    pub(super) fn max_memory(&self) -> Option<u64> {
        let limits: Option<Vec<u64>> =
            self.nodes.iter().map(|node| node.condition.max_memory).collect();
        let limits = limits.filter(|limits| !limits.is_empty())?;
        Some(if limits.contains(&0) { 0 } else { limits.iter().sum() })
    }

    pub(super) fn contracts(&self) -> Vec<&'a Contract> {
        self.databases.iter().map(|one| one.contract).collect()
    }
}

async fn look_at_place(
    place: &Place,
    map: &DatabaseMap,
    options: &DoctorOptions,
    named: &[Vec<u8>],
) -> Result<Sample> {
    let mut connection = place.open("doctor").await?;
    let state = state(&mut connection, place).await;
    let asked = questions(&mut connection, &state, false, &mut Vec::new()).await;
    Sample::take(place, options.sample, asked, map.keys(), named).await
}

/// Whether the server has the index, as far as it tells.
pub(super) fn has_index(deployed: &DeployedServer, index: u32) -> bool {
    deployed.server.info().databases.is_none_or(|databases| index < databases)
}

/// `broker, results and batch`.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// The databases with the number and size of their keys, as far as these are known:
/// `broker (12 keys, 3.0 KiB) and batch`.
pub(super) fn with_contents(databases: &[&DatabaseFacts<'_>]) -> String {
    let described: Vec<String> = databases
        .iter()
        .map(|one| {
            let name = &one.contract.name;
            match (one.sample.total, one.sample.bytes()) {
                (Some(keys), Some(bytes)) if keys > 0 => {
                    format!("{name} ({}, about {})", counted(keys, "key"), crate::size(bytes))
                }
                (Some(keys), _) if keys > 0 => format!("{name} ({})", counted(keys, "key")),
                _ => name.clone(),
            }
        })
        .collect();
    listed(described.iter().map(String::as_str))
}

/// `1 key`, `12 keys`.
pub(super) fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// How many keys and bytes the databases have, where all of them are known.
pub(super) fn contents(databases: &[&DatabaseFacts<'_>]) -> (Option<u64>, Option<u64>) {
    let keys = databases.iter().map(|one| one.sample.total).sum();
    (keys, databases.iter().map(|one| one.sample.bytes()).sum())
}

/// The names of databases.
pub(super) fn names<'b>(databases: &'b [&DatabaseFacts<'_>]) -> impl Iterator<Item = &'b str> {
    databases.iter().map(|one| one.contract.name.as_str())
}
