//! The figures of a deployment: bytes, keys and growth of each database, and the state of its servers.
//!
//! A look asks each node for its state, which takes it less than a millisecond. The bytes of the databases are
//! estimated from random keys (see `weigh.rs`), which takes some 50 ms of a server's time; an estimate is kept
//! for later looks, for as long as makes that [`SHARE`] of its time at most.
//!
//! Nothing is written, and no key's time of last use changes.

mod content;
mod estimate;
mod events;
mod found;
mod key_sizes;
mod node;
mod part;
mod past;
mod probe;
mod report;
mod sample;
mod weigh;

use std::collections::BTreeMap;

use compartment_core::Error;

pub use events::{LatencyEvent, SlowCommand, SlowLog};
pub use node::{
    ConnectionStats, Counters, MemoryStats, NodeStats, PersistenceStats, ReplicationStats,
    WorkStats,
};
pub use past::Past;
pub use report::{
    BiggestKey, BytesEstimate, ContentStats, DatabaseStats, EstimateCost, Growth, InstanceStats,
    PatternStats, Probe, Stats, UnnamedStats,
};

use crate::analyze::{clients_of_server, now};
use crate::deployment::{DeployedInstance, DeployedServer, Deployment};
use crate::info::Info;
use crate::own_name::own_name;
use estimate::{Node, by_server, estimate, runs};
use past::{PastDatabase, PastEstimate, VERSION};

/// The share of a server's time that estimates may take in the long run.
pub const SHARE: f64 = 0.002;
/// An estimate is kept for this long at least, in seconds, while the number of keys is about as it was.
const KEPT_AT_LEAST: f64 = 60.0;

/// How to look.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct StatsOptions {
    /// Estimate the bytes anew, however new the last estimate is.
    pub is_fresh: bool,
    /// Measure every key of a database where random ones tell its bytes to more than 5 %: about a second of
    /// the server's time for a million keys.
    pub may_walk: bool,
    /// Read the servers' state only: databases have the figures of the last estimate, or none.
    pub is_brief: bool,
}

/// Looks at a deployment. `past` is what the last look gave back; the second answer is to be kept for the next.
/// A server that is not reached is part of the answer.
pub async fn stats(
    deployment: &Deployment,
    past: Option<&Past>,
    options: StatsOptions,
) -> (Stats, Past) {
    let made = jiff::Timestamp::now().as_millisecond();
    let since =
        past.map(|past| (made - past.made_ms) as f64 / 1_000.0).filter(|since| *since > 0.0);
    let mut look = Look { past, options, since, kept: Past::default() };
    (look.kept.version, look.kept.made_ms) = (VERSION, made);
    let mut stats = Stats {
        version: 1,
        made: now(),
        since_last_seconds: since,
        databases: Vec::new(),
        instances: Vec::new(),
        missing: Vec::new(),
    };
    let mut contents = BTreeMap::new();
    for instance in &deployment.instances {
        let (found, of_instance) = look.instance(instance, &mut stats.missing).await;
        stats.instances.push(found);
        contents.extend(of_instance);
    }
    drop_named_elsewhere(deployment, &mut stats.instances);
    for contract in deployment.map.databases() {
        let instance = stats.instances.iter().find(|one| one.name == contract.placement.instance());
        let Some(instance) = instance else { continue };
        let (place, content) = contents.remove(&contract.name).unzip();
        let contract = place.as_ref().unwrap_or(contract);
        let index = contract.placement.index();
        let connections = instance.clients.as_ref().map(|clients| {
            let here = clients.iter().filter(|client| client.index == index);
            here.map(|client| client.connections).sum()
        });
        let place = format!("{} {}", contract.name, contract.placement);
        stats.databases.push(DatabaseStats {
            name: contract.name.clone(),
            instance: instance.name.clone(),
            index,
            prefix: crate::escape(contract.placement.prefix().as_bytes()),
            kind: contract.kind,
            growth: look.growth(&place, content.as_ref()),
            content,
            budget_bytes: contract.memory_budget,
            connections,
        });
    }
    (stats, look.kept)
}

struct Look<'a> {
    past: Option<&'a Past>,
    options: StatsOptions,
    /// Seconds since the last.
    since: Option<f64>,
    kept: Past,
}

/// The contents of databases by name, with their contracts as the server places them.
type Contents = BTreeMap<String, (compartment_core::Contract, ContentStats)>;

impl Look<'_> {
    async fn instance(
        &mut self,
        instance: &DeployedInstance,
        missing: &mut Vec<String>,
    ) -> (InstanceStats, Contents) {
        let mut found = InstanceStats {
            name: instance.name.clone(),
            address: instance.address.clone(),
            problem: None,
            nodes: Vec::new(),
            unnamed: Vec::new(),
            clients: None,
            probes: Vec::new(),
            cost: None,
        };
        let looked = match &instance.server {
            Ok(server) => self.server(server, &mut found, missing).await,
            Err(error) => Err(error.clone()),
        };
        let contents = looked.unwrap_or_else(|error| {
            found.problem = Some(error.to_string());
            Contents::new()
        });
        (found, contents)
    }

    async fn server(
        &mut self,
        server: &DeployedServer,
        found: &mut InstanceStats,
        missing: &mut Vec<String>,
    ) -> Result<Contents, Error> {
        let mut nodes = Vec::new();
        for mut connection in server.server.open_nodes(0, &own_name("stats")).await? {
            let info = match Info::ask(&mut connection, &[]).await {
                Err(error) if !compartment_redis::is_hidden(&error) => return Err(error),
                answer => answer.unwrap_or_default(),
            };
            found.nodes.push(self.node(&mut connection, &info).await);
            nodes.push(Node { connection, info });
        }
        let says = |what: &str| format!("{}: {what}", found.name);
        if nodes.iter().any(|node| node.info.get("run_id").is_none()) {
            missing.push(says("INFO is not allowed: the server's figures, and unnamed databases"));
        }
        found.clients = clients_of_server(&server.server).await.ok();
        if found.clients.is_none() {
            missing.push(says("CLIENT LIST is not allowed: connected clients"));
        }
        let estimated = self.estimate(&found.name, server, &mut nodes).await?;
        missing.extend(estimated.missing.iter().map(|what| says(what)));
        let age = (self.kept.made_ms - estimated.made_ms).max(0) as u64 / 1_000;
        found.cost = (estimated.made_ms > 0).then_some(estimated.cost);
        found.probes.clone_from(&estimated.probes);
        let aged = |content: &ContentStats, index: u32, is_whole: bool| {
            let mut content = content.clone();
            if let Some(bytes) = &mut content.bytes {
                bytes.age_seconds = age;
            }
            if is_whole {
                by_server(&mut content, &nodes, index);
            }
            content
        };
        for unnamed in &estimated.unnamed {
            let is_shared =
                server.databases.iter().any(|database| database.place.index() == unnamed.index);
            let content = aged(&unnamed.content, unnamed.index, !is_shared);
            found.unnamed.push(UnnamedStats { index: unnamed.index, content });
        }
        let mut contents = Contents::new();
        for database in &server.databases {
            let name = &database.contract.name;
            let Some(content) = estimated.contents.get(name) else { continue };
            let is_whole = database.place.prefix().is_empty();
            let content = aged(content, database.place.index(), is_whole);
            contents.insert(name.clone(), (database.contract.clone(), content));
        }
        if estimated.made_ms > 0 {
            self.kept.estimates.insert(found.name.clone(), estimated);
        }
        Ok(contents)
    }

    async fn node(
        &mut self,
        connection: &mut compartment_redis::Connection,
        info: &Info,
    ) -> NodeStats {
        let mut stats = NodeStats::of(connection, info).await;
        let run = stats.run_id.as_deref().unwrap_or_default();
        let key = format!("{} {run}", stats.location);
        let before = self.past.and_then(|past| past.counters.get(&key));
        stats.rate(before, self.since.unwrap_or(0.0));
        self.kept.counters.insert(key, stats.counters);
        stats
    }

    /// The last estimate while it is new enough, or a new one.
    async fn estimate(
        &self,
        instance: &str,
        server: &DeployedServer,
        nodes: &mut [Node],
    ) -> Result<PastEstimate, Error> {
        let before = self.past.and_then(|past| past.estimates.get(instance));
        let before = before.filter(|before| before.runs == runs(nodes));
        let is_new = |before: &&PastEstimate| {
            let age = (self.kept.made_ms - before.made_ms) as f64 / 1_000.0;
            let cost = before.cost.server_seconds.unwrap_or(before.cost.seconds);
            let is_of_map = server
                .databases
                .iter()
                .all(|database| before.contents.contains_key(&database.contract.name));
            let is_kept = age < cost / SHARE;
            let is_young = age < KEPT_AT_LEAST && !has_changed(before, server, nodes);
            is_of_map && age >= 0.0 && (is_kept || is_young)
        };
        if self.options.is_brief {
            return Ok(before.cloned().unwrap_or_default());
        }
        match before.filter(is_new).filter(|_| !self.options.is_fresh) {
            Some(before) => Ok(before.clone()),
            None => estimate(server, nodes, before, self.options.may_walk).await,
        }
    }

    fn growth(&mut self, place: &str, content: Option<&ContentStats>) -> Option<Growth> {
        let content = content?;
        let now = PastDatabase { keys: content.keys, bytes: content.bytes };
        self.kept.databases.insert(place.to_owned(), now);
        let before = self.past?.databases.get(place)?;
        let difference = |now: u64, before: u64| now as i64 - before as i64;
        let bytes = now.bytes.zip(before.bytes).and_then(|(now, before)| {
            let is_clear = now.low > before.high || now.high < before.low;
            let is_exact = now.low == now.high && before.low == before.high;
            (is_clear || is_exact).then(|| difference(now.bytes, before.bytes))
        });
        Some(Growth { seconds: self.since?, keys: difference(now.keys, before.keys), bytes })
    }
}

/// Two instances may be one server: a database that either names is no unnamed one of the other.
fn drop_named_elsewhere(deployment: &Deployment, instances: &mut [InstanceStats]) {
    for instance in instances {
        let mut servers = deployment.servers();
        let Some((_, own)) = servers.find(|(name, _)| *name == instance.name) else { continue };
        let is_same = |other: &DeployedServer| {
            let known = &own.server.info().identity;
            other.server.info().identity.iter().any(|one| known.contains(one))
        };
        let others: Vec<u32> = deployment
            .servers()
            .filter(|(name, server)| *name != instance.name && is_same(server))
            .flat_map(|(_, server)| server.databases.iter().map(|one| one.place.index()))
            .collect();
        instance.unnamed.retain(|unnamed| !others.contains(&unnamed.index));
    }
}

/// Whether a database has a tenth more or fewer keys than when it was estimated.
fn has_changed(before: &PastEstimate, server: &DeployedServer, nodes: &[Node]) -> bool {
    let whole = server.databases.iter().filter(|one| one.place.prefix().is_empty());
    let mut pairs = whole.filter_map(|one| Some((one, before.contents.get(&one.contract.name)?)));
    pairs.any(|(database, then)| {
        let mut now = then.clone();
        by_server(&mut now, nodes, database.place.index());
        now.keys.abs_diff(then.keys) > then.keys / 10
    })
}
