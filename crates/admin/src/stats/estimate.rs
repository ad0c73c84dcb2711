//! The estimate of one server: its databases and what the map does not name, with their bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use compartment_core::Result;
use compartment_redis::Connection;

use super::content::{Unit, content};
use super::found::{Found, split};
use super::key_sizes::{BigKeys, big_keys};
use super::node::{keyspace, processor_seconds};
use super::part::{BIG, Part};
use super::past::PastEstimate;
use super::probe::probe_of;
use super::report::{ContentStats, EstimateCost, UnnamedStats};
use super::sample::{draw, sizes};
use super::weigh::{Whole, weigh};
use crate::DeployedServer;
use crate::info::Info;
use crate::modules::is_built_in;
use crate::own_name::own_name;

/// Random keys that are measured on a node: some 20 to 40 ms of its time.
const SAMPLE: u64 = 10_000;
/// The fewest of one numbered database.
const LEAST_SAMPLE: u64 = 1_000;
/// Half the width of an interval, by the estimate, from which on a database is walked over.
const TOO_WIDE: f64 = 0.05;
/// Keys of a database that can be walked over in about a second.
const WALKED: u64 = 1_500_000;
/// How long walks may take together.
const WALK: Duration = Duration::from_millis(1_700);
/// Big keys of one numbered database that are remembered and measured at each look.
const REMEMBERED: usize = 2_000;

/// A node that has been asked for its state.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) connection: Connection,
    /// Empty where it hides `INFO`.
    pub(super) info: Info,
}

/// Estimates the databases of a server. Big keys that `before` names are measured first. `may_walk` says whether
/// databases may be walked over of which the sample tells too little.
///
/// # Errors
/// The server's, where it lists no keys, and the connections'.
pub(super) async fn estimate(
    server: &DeployedServer,
    nodes: &mut [Node],
    before: Option<&PastEstimate>,
    may_walk: bool,
) -> Result<PastEstimate> {
    let began = Instant::now();
    let mut made = PastEstimate {
        made_ms: jiff::Timestamp::now().as_millisecond(),
        runs: runs(nodes),
        ..PastEstimate::default()
    };
    let counted = count_big_keys(nodes).await;
    let prefixes = prefixes(server);
    let mut work = Work { server, before, counted: &counted, commands: 0, is_refused: false };
    let mut found = Vec::new();
    let populations = work.populations(nodes, prefixes.keys().copied().collect()).await?;
    for (index, of_nodes) in &populations {
        let prefixes = prefixes.get(index).map_or(&[][..], Vec::as_slice);
        found.extend(work.look_at(*index, of_nodes, &populations, prefixes).await?);
    }
    if may_walk && !work.is_refused {
        work.walk(nodes, &mut found, &prefixes, began + WALK, &mut made.cursors).await?;
    }
    let (commands, is_refused) = (work.commands, work.is_refused);
    remember(&found, &mut made);
    let units = units(nodes, found, &prefixes);
    fill(server, &units, nodes, !is_refused, &mut made);
    if is_refused {
        let missing = "MEMORY USAGE is not allowed: the memory of each database";
        made.missing.push(missing.to_owned());
    }
    made.cost = EstimateCost {
        seconds: began.elapsed().as_secs_f64(),
        commands,
        server_seconds: spent(nodes).await,
    };
    Ok(made)
}

/// By what it is seen that the nodes are those of an earlier estimate.
pub(super) fn runs(nodes: &[Node]) -> String {
    let runs: Vec<&str> = nodes.iter().filter_map(|node| node.info.get("run_id")).collect();
    runs.join(",")
}

/// Processor time since the nodes' state was read.
async fn spent(nodes: &mut [Node]) -> Option<f64> {
    let mut sum = 0.0;
    for node in nodes {
        let now = Info::ask(&mut node.connection, &["cpu"]).await.ok()?;
        sum += processor_seconds(&now)? - processor_seconds(&node.info)?;
    }
    Some(sum.max(0.0))
}

async fn count_big_keys(nodes: &mut [Node]) -> Vec<Option<BTreeMap<u32, BigKeys>>> {
    let mut counted = Vec::new();
    for node in nodes {
        let info = Info::ask(&mut node.connection, &["keysizes"]).await.unwrap_or_default();
        counted.push(big_keys(&info, BIG));
    }
    counted
}

/// The prefixes of each numbered database that the map uses, the longest first.
fn prefixes(server: &DeployedServer) -> BTreeMap<u32, Vec<Vec<u8>>> {
    let mut found: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
    for database in &server.databases {
        let list = found.entry(database.place.index()).or_default();
        let prefix = database.place.prefix().to_vec();
        if !prefix.is_empty() && !list.contains(&prefix) {
            list.push(prefix);
        }
    }
    found.values_mut().for_each(|list| list.sort_by_key(|prefix| std::cmp::Reverse(prefix.len())));
    found
}

struct Work<'a> {
    server: &'a DeployedServer,
    before: Option<&'a PastEstimate>,
    counted: &'a [Option<BTreeMap<u32, BigKeys>>],
    commands: u64,
    is_refused: bool,
}

/// Keys of each numbered database, on each node.
type Populations = BTreeMap<u32, Vec<u64>>;

impl Work<'_> {
    /// Of a server that hides `INFO` only the databases of the map are known.
    async fn populations(&mut self, nodes: &[Node], named: BTreeSet<u32>) -> Result<Populations> {
        let mut found = Populations::new();
        let is_told = nodes.iter().all(|node| node.info.get("run_id").is_some());
        for (at, node) in nodes.iter().enumerate() {
            for (index, keyspace) in keyspace(&node.info) {
                found.entry(index).or_insert_with(|| vec![0; nodes.len()])[at] = keyspace.keys;
            }
        }
        for index in named {
            let of_nodes = found.entry(index).or_insert_with(|| vec![0; nodes.len()]);
            if is_told {
                continue;
            }
            let mut connections = self.open(index).await?;
            for (keys, node) in of_nodes.iter_mut().zip(&mut connections) {
                *keys = node.ask("count keys", &redis::cmd("DBSIZE")).await?;
            }
        }
        Ok(found)
    }

    async fn open(&self, index: u32) -> Result<Vec<Connection>> {
        self.server.server.open_nodes(index, &own_name("stats")).await
    }

    async fn look_at(
        &mut self,
        index: u32,
        of_nodes: &[u64],
        populations: &Populations,
        prefixes: &[Vec<u8>],
    ) -> Result<Vec<Found>> {
        if of_nodes.iter().all(|keys| *keys == 0) {
            return Ok(Vec::new());
        }
        let is_cluster = self.server.server.is_cluster();
        let mut found = Vec::new();
        let connections = self.open(index).await?;
        for (at, (mut node, keys)) in connections.into_iter().zip(of_nodes).enumerate() {
            let all: u64 = populations.values().filter_map(|of_nodes| of_nodes.get(at)).sum();
            let share = (SAMPLE as f64 * *keys as f64 / all.max(1) as f64) as u64;
            let size = share.max(LEAST_SAMPLE);
            let known = self.known(&mut node, index).await?;
            let sample =
                draw(&mut node, *keys, usize::try_from(size).unwrap_or(usize::MAX), is_cluster)
                    .await?;
            self.commands += sample.commands + known.len() as u64;
            self.is_refused |= sample.is_refused;
            let counted = self.counted.get(at).and_then(Option::as_ref);
            let counted = counted.map(|of| of.get(&index).copied().unwrap_or_default());
            found.push(split(index, at, sample, known, counted, prefixes));
        }
        Ok(found)
    }

    /// Walks over the databases of which the sample tells too little, the small ones first. A walk that does not
    /// come to its end goes on at the next look, which knows the big keys that this one met.
    async fn walk(
        &mut self,
        nodes: &[Node],
        found: &mut [Found],
        prefixes: &BTreeMap<u32, Vec<Vec<u8>>>,
        deadline: Instant,
        cursors: &mut BTreeMap<u32, Vec<u64>>,
    ) -> Result<()> {
        let mut order: Vec<usize> = (0..found.len()).collect();
        order.sort_by_key(|at| found[*at].population);
        for at in order {
            let one = &found[at];
            if !one.is_open() || one.population > WALKED || !is_too_wide(one, nodes, found) {
                continue;
            }
            let connections = self.open(one.index).await?;
            let Some(mut node) = connections.into_iter().nth(one.node) else { continue };
            let prefixes = prefixes.get(&one.index).map_or(&[][..], Vec::as_slice);
            let before =
                self.before.and_then(|before| before.cursors.get(&one.index)?.get(one.node));
            let from = before.copied().unwrap_or(0);
            let one = &mut found[at];
            self.commands += one.population;
            let is_cluster = self.server.server.is_cluster();
            let end = one.walk(&mut node, prefixes, from, deadline, is_cluster).await?;
            cursors.entry(one.index).or_insert_with(|| vec![0; nodes.len()])[one.node] = end;
            if Instant::now() > deadline {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The big keys of earlier looks that are there still, with their bytes.
    async fn known(&self, node: &mut Connection, index: u32) -> Result<BTreeMap<Vec<u8>, u64>> {
        let names = self.before.and_then(|before| before.big.get(&index));
        let names: Vec<Vec<u8>> =
            names.into_iter().flatten().map(|name| crate::unescape(name)).collect();
        let sizes = sizes(node, &names).await?;
        let pairs = names.into_iter().zip(sizes).filter_map(|(name, bytes)| Some((name, bytes?)));
        Ok(pairs.filter(|(_, bytes)| *bytes >= BIG).collect())
    }
}

/// Whether the interval of a numbered database on a node is too wide.
fn is_too_wide(one: &Found, nodes: &[Node], found: &[Found]) -> bool {
    let of_node: Vec<&Found> = found.iter().filter(|other| other.node == one.node).collect();
    let parts: Vec<Part> = of_node.iter().flat_map(|one| one.parts.clone()).collect();
    let whole = nodes.get(one.node).and_then(|node| whole(&node.info));
    let mut weighed = weigh(&parts, whole).into_iter();
    for other in of_node {
        let own: Vec<_> = weighed.by_ref().take(other.parts.len()).collect();
        if other.index == one.index {
            return own.iter().any(|one| one.plus_minus() > TOO_WIDE * one.bytes);
        }
    }
    false
}

/// Keeps the names of the big keys that were met.
fn remember(found: &[Found], made: &mut PastEstimate) {
    for one in found {
        let names = made.big.entry(one.index).or_default();
        for key in one.met.iter().flatten().filter(|key| key.bytes >= BIG) {
            if names.len() < REMEMBERED {
                names.push(crate::escape(&key.name));
            }
        }
    }
    made.big.retain(|_, names| !names.is_empty());
}

/// Weighs each node by itself, and puts what belongs together into one unit for each prefix.
fn units(
    nodes: &[Node],
    found: Vec<Found>,
    prefixes: &BTreeMap<u32, Vec<Vec<u8>>>,
) -> BTreeMap<u32, Vec<Unit>> {
    let mut units: BTreeMap<u32, Vec<Unit>> = BTreeMap::new();
    let mut estimates = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        let of_node: Vec<Part> =
            found.iter().filter(|one| one.node == at).flat_map(|one| one.parts.clone()).collect();
        estimates.push(weigh(&of_node, whole(&node.info)).into_iter());
    }
    for one in found {
        let of_index = units.entry(one.index).or_insert_with(|| {
            let list = prefixes.get(&one.index).cloned().unwrap_or_default();
            let unit = |prefix| Unit { prefix, is_census: true, ..Unit::default() };
            list.into_iter().chain([Vec::new()]).map(unit).collect()
        });
        for ((unit, part), met) in of_index.iter_mut().zip(one.parts).zip(one.met) {
            if let Some(estimate) = estimates.get_mut(one.node).and_then(Iterator::next) {
                unit.estimate.add(estimate);
            }
            unit.keys += part.keys();
            unit.is_census &= part.is_census();
            unit.met.extend(met);
        }
    }
    units
}

/// The server's own total. One with modules counts what these keep beside the keys.
fn whole(info: &Info) -> Option<Whole> {
    if info.all("module").any(|module| !is_built_in(module_name(module))) {
        return None;
    }
    let keys = info.keys_by_index().values().sum();
    Some(Whole::new(info.number("used_memory_dataset")?, keys))
}

/// The name in `name=search,ver=20811,…`.
fn module_name(line: &str) -> &str {
    let line = line.strip_prefix("name=").unwrap_or(line);
    line.split_once(',').map_or(line, |(name, _)| name)
}

/// The figures of the map's databases, and of the keys that it does not name.
fn fill(
    server: &DeployedServer,
    units: &BTreeMap<u32, Vec<Unit>>,
    nodes: &[Node],
    is_measured: bool,
    made: &mut PastEstimate,
) {
    let none = Vec::new();
    for database in &server.databases {
        let (index, prefix) = (database.place.index(), database.place.prefix());
        let list = units.get(&index).unwrap_or(&none).iter();
        let own: Vec<&Unit> = list.filter(|unit| unit.prefix.starts_with(prefix)).collect();
        let mut found = content(&own, prefix, is_measured);
        if prefix.is_empty() {
            by_server(&mut found, nodes, index);
        }
        made.contents.insert(database.contract.name.clone(), found);
    }
    for (index, list) in units {
        let is_named = |database: &crate::NamedPlace| {
            database.place.index() == *index && database.place.prefix().is_empty()
        };
        let Some(rest) = list.last().filter(|_| !server.databases.iter().any(is_named)) else {
            continue;
        };
        let probes: Vec<_> = match rest.is_census {
            true => rest.met.iter().filter_map(|key| probe_of(*index, &key.name)).collect(),
            false => Vec::new(),
        };
        let mut found = content(&[rest], b"", is_measured);
        if list.len() == 1 {
            by_server(&mut found, nodes, *index);
        }
        if found.keys > probes.len() as u64 {
            made.unnamed.push(UnnamedStats { index: *index, content: found });
        }
        made.probes.extend(probes);
    }
}

/// The server's own counts, of a database that has its index to itself.
pub(super) fn by_server(content: &mut ContentStats, nodes: &[Node], index: u32) {
    let found: Vec<_> =
        nodes.iter().filter_map(|node| keyspace(&node.info).remove(&index)).collect();
    if nodes.iter().any(|node| node.info.get("run_id").is_none()) {
        return;
    }
    content.keys = found.iter().map(|one| one.keys).sum();
    content.keys_are_exact = true;
    let with_ttl: u64 = found.iter().map(|one| one.with_ttl).sum();
    content.with_ttl = Some(with_ttl);
    if with_ttl == 0 {
        content.average_ttl_ms = None;
    } else if content.average_ttl_ms.is_none() {
        let told = found.iter().map(|one| one.average_ttl_ms).max().filter(|told| *told > 0);
        content.average_ttl_ms = told;
    }
}
