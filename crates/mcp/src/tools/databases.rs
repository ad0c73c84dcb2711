//! Databases and servers: what there is, how much, and how much memory.

use compartment_admin::stats::{ContentStats, DatabaseStats, InstanceStats, Stats};
use compartment_operations::{Fleet, counted};

use super::Said;
use super::arguments::{MonitorMemoryUsage, Nothing, OfDatabase};
use super::results::{
    BigKeyLine, DatabaseFigures, DatabaseLine, DatabaseList, DatabaseMemory, InstanceLine,
    MemoryUsage, PatternLine, ServerMemory, UnnamedLine,
};
use crate::answer::{Answer, Problem, first};
use crate::serving::Serving;

/// Databases of a list. A map has fewer.
const MAX_DATABASES: usize = 100;
const MAX_PATTERNS: usize = 20;
const MAX_BIGGEST: usize = 10;
/// Patterns and biggest keys of each database in a detailed answer about all of them.
const MAX_OF_ALL: usize = 5;

pub(crate) async fn list(server: &Serving, _: Nothing) -> Answer<Said> {
    let (stats, _) = server.look().await?;
    let map = server.operations().map();
    let line = |found: &DatabaseStats| {
        let contract = map.database(&found.name);
        let rules = map.keys().values().filter(|rule| rule.database == found.name);
        let templates = rules.map(|rule| rule.template.as_str().to_owned()).collect();
        DatabaseLine {
            name: found.name.clone(),
            kind: found.kind.to_string(),
            instance: found.instance.clone(),
            index: found.index,
            prefix: found.prefix.clone(),
            keys: found.content.as_ref().map(|content| content.keys),
            bytes: bytes_of(found).map(|(bytes, ..)| bytes),
            default_ttl_seconds: contract
                .and_then(|contract| contract.default_ttl)
                .map(|ttl| ttl.as_secs()),
            memory_budget_bytes: found.budget_bytes,
            templates: first(templates, MAX_PATTERNS).0,
        }
    };
    let unnamed = stats.instances.iter().flat_map(|instance| {
        instance.unnamed.iter().map(|one| UnnamedLine {
            instance: instance.name.clone(),
            index: one.index,
            keys: one.content.keys,
        })
    });
    let list = DatabaseList {
        databases: stats.databases.iter().take(MAX_DATABASES).map(line).collect(),
        instances: stats.instances.iter().map(instance_line).collect(),
        unnamed: unnamed.take(MAX_DATABASES).collect(),
    };
    let sentence = format!(
        "{} on {}; {} with keys and without a name.",
        counted(list.databases.len() as u64, "database"),
        counted(list.instances.len() as u64, "server"),
        counted(list.unnamed.len() as u64, "numbered database")
    );
    Said::new(sentence, &list)
}

fn instance_line(instance: &InstanceStats) -> InstanceLine {
    InstanceLine {
        name: instance.name.clone(),
        address: instance.address.clone(),
        problem: instance.problem.clone(),
    }
}

pub(crate) async fn figures(server: &Serving, arguments: OfDatabase) -> Answer<Said> {
    let (stats, fleet) = server.look().await?;
    let found = database(&stats, &arguments.database)?;
    let figures = figures_of(found, &fleet, &stats);
    let keys = figures.keys.map_or_else(|| "unknown keys".to_owned(), |keys| counted(keys, "key"));
    let bytes = figures
        .bytes
        .map_or_else(String::new, |bytes| format!(", about {}", compartment_admin::size(bytes)));
    Said::new(format!("{} has {keys}{bytes}.", found.name), &figures)
}

fn database<'a>(stats: &'a Stats, name: &str) -> Answer<&'a DatabaseStats> {
    stats.databases.iter().find(|one| one.name == name).ok_or_else(|| {
        let known: Vec<&str> = stats.databases.iter().map(|one| one.name.as_str()).collect();
        Problem(format!("there is no database {name:?}; there are {}", known.join(", ")))
    })
}

fn figures_of(found: &DatabaseStats, fleet: &Fleet, stats: &Stats) -> DatabaseFigures {
    let content = found.content.as_ref();
    let bytes = bytes_of(found);
    let clients = fleet.clients.get(&found.name);
    let cache = fleet.caches.get(&found.name);
    DatabaseFigures {
        name: found.name.clone(),
        kind: found.kind.to_string(),
        keys: content.map(|content| content.keys),
        keys_are_exact: content.is_some_and(|content| content.keys_are_exact),
        keys_with_ttl: content.and_then(|content| content.with_ttl),
        average_ttl_seconds: content
            .and_then(|content| content.average_ttl_ms)
            .map(|ms| ms / 1_000),
        bytes: bytes.map(|(bytes, ..)| bytes),
        bytes_low: bytes.map(|(_, low, _)| low),
        bytes_high: bytes.map(|(.., high)| high),
        budget_bytes: found.budget_bytes,
        budget_used: found.budget_used(),
        grown_keys: found.growth.map(|growth| growth.keys),
        grown_bytes: found.growth.and_then(|growth| growth.bytes),
        grown_over_seconds: found.growth.map(|growth| growth.seconds),
        connections: found.connections,
        patterns: patterns_of(content, MAX_PATTERNS),
        biggest_keys: biggest_of(content, MAX_BIGGEST),
        requests_per_second: clients.map(|clients| clients.requests_per_second),
        mean_latency_us: clients.and_then(|clients| clients.mean_latency_us),
        hit_rate: cache
            .and_then(|cache| cache.hit_rate)
            .or_else(|| clients.and_then(|clients| clients.hit_rate)),
        missing: missing_of(stats),
    }
}

fn missing_of(stats: &Stats) -> Vec<String> {
    let away = stats
        .instances
        .iter()
        .filter_map(|one| Some(format!("{}: failed to {}", one.name, one.problem.as_ref()?)));
    away.chain(stats.missing.iter().cloned()).take(MAX_PATTERNS).collect()
}

fn bytes_of(found: &DatabaseStats) -> Option<(u64, u64, u64)> {
    let estimate = found.content.as_ref()?.bytes?;
    Some((estimate.bytes, estimate.low, estimate.high))
}

fn patterns_of(content: Option<&ContentStats>, max: usize) -> Vec<PatternLine> {
    let patterns = content.into_iter().flat_map(|content| &content.patterns);
    let line = |one: &compartment_admin::stats::PatternStats| PatternLine {
        pattern: one.pattern.clone(),
        keys: one.keys,
        bytes: one.bytes,
    };
    patterns.take(max).map(line).collect()
}

fn biggest_of(content: Option<&ContentStats>, max: usize) -> Vec<BigKeyLine> {
    let biggest = content.into_iter().flat_map(|content| &content.biggest);
    biggest.take(max).map(|one| BigKeyLine { name: one.name.clone(), bytes: one.bytes }).collect()
}

pub(crate) async fn memory(server: &Serving, arguments: MonitorMemoryUsage) -> Answer<Said> {
    let (stats, _) = server.look().await?;
    let max = if arguments.detailed { MAX_OF_ALL } else { 0 };
    let mut servers = Vec::new();
    for instance in &stats.instances {
        servers.extend(instance.nodes.iter().map(|node| ServerMemory {
            instance: instance.name.clone(),
            node: node.location.clone(),
            used_bytes: node.memory.used,
            limit_bytes: node.memory.limit,
            peak_bytes: node.memory.peak,
            machine_bytes: node.memory.system,
            fragmentation: node.memory.fragmentation,
            policy: node.memory.policy.clone(),
            evicted_keys: node.counters.evicted,
            expired_keys: node.counters.expired,
        }));
    }
    let databases = stats.databases.iter().take(MAX_DATABASES).map(|found| {
        let (content, bytes) = (found.content.as_ref(), bytes_of(found));
        DatabaseMemory {
            name: found.name.clone(),
            keys: content.map(|content| content.keys),
            bytes: bytes.map(|(bytes, ..)| bytes),
            bytes_low: bytes.map(|(_, low, _)| low),
            bytes_high: bytes.map(|(.., high)| high),
            budget_bytes: found.budget_bytes,
            budget_used: found.budget_used(),
            patterns: patterns_of(content, max),
            biggest_keys: biggest_of(content, max),
        }
    });
    let sentence = servers
        .iter()
        .map(|one| {
            let size = |bytes: Option<u64>| {
                bytes.map_or_else(|| "an unknown size".to_owned(), compartment_admin::size)
            };
            match one.limit_bytes {
                Some(0) => {
                    format!("{} uses {} and has no limit.", one.instance, size(one.used_bytes))
                }
                limit => {
                    format!("{} uses {} of {}.", one.instance, size(one.used_bytes), size(limit))
                }
            }
        })
        .collect::<Vec<_>>()
        .join(" ");
    let usage =
        MemoryUsage { databases: databases.collect(), servers, missing: missing_of(&stats) };
    Said::new(sentence, &usage)
}
