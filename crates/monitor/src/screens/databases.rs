//! The databases: keys, bytes, budget, hit rate, requests, latency; and a line about each server.

use compartment_admin::size;
use compartment_admin::stats::{DatabaseStats, InstanceStats};
use compartment_operations::{count, percent};

use crate::facts::Facts;
use crate::figures::{age, interval, micros, plus_minus, rate, shown, signed};
use crate::history::hit_rate;
use crate::palette::Tone;
use crate::table::{Cell, Column, Row, Table};

/// From this share of its budget on a database is marked.
const NEAR_BUDGET: f64 = 0.9;

const COLUMNS: [Column; 16] = [
    Column::text("database", 0, 12, 32),
    Column::figure("keys", 0, 10),
    Column::figure("bytes", 0, 10),
    Column::figure("±", 1, 5),
    Column::text("budget", 1, 13, 20),
    Column::figure("hits", 1, 5),
    Column::figure("ops/s", 1, 7),
    Column::figure("p99", 1, 8),
    Column::text("ops/s over time", 2, 16, 40),
    Column::figure("95 % interval", 3, 17),
    Column::figure("keys grown", 4, 10),
    Column::figure("with ttl", 5, 10),
    Column::figure("clients", 6, 7),
    Column::text("kind", 7, 12, 12),
    Column::text("place", 8, 12, 24),
    Column::text("read", 9, 12, 12),
];

pub(super) fn table(facts: &Facts) -> Table {
    let empty = match &facts.look {
        Some(_) => "the map names no database on a server",
        None => "waiting for the first look",
    };
    let found = facts.look.iter().flat_map(|look| &look.stats.databases);
    Table::new(&COLUMNS, found.map(|one| row(facts, one)).collect(), empty)
}

fn row(facts: &Facts, found: &DatabaseStats) -> Row {
    let (newest, of_ms) = facts.known.newest(found);
    let content = newest.content.as_ref();
    let bytes = content.and_then(|one| one.bytes);
    let name = &found.name;
    let look = facts.look.as_deref();
    let clients = look.and_then(|look| look.fleet.clients.get(name));
    let requests = facts.known.databases.get(name);
    let requests = requests.map_or_else(Vec::new, |history| history.of(|one| one.requests));
    let read =
        of_ms.map_or_else(|| "now".to_owned(), |then| format!("{} ago", age(facts.now_ms, then)));
    let cells = vec![
        Cell::text(shown(name)),
        Cell::figure(
            content,
            |one| one.keys as f64,
            |one| {
                let mark = if one.keys_are_exact { "" } else { "~" };
                format!("{mark}{}", count(one.keys))
            },
        ),
        Cell::figure(bytes, |one| one.bytes as f64, |one| size(one.bytes)),
        Cell::figure(
            bytes,
            |one| (one.high - one.low.min(one.high)) as f64,
            |one| plus_minus(one.bytes, one.low, one.high),
        ),
        budget(newest),
        Cell::figure(
            look.and_then(|look| hit_rate(look, name)),
            |one| one,
            |one| percent(Some(one)),
        ),
        Cell::figure(clients.map(|one| one.requests_per_second), |one| one, rate),
        Cell::figure(clients.and_then(|one| one.p99_latency_us), |one| one as f64, micros),
        Cell::spark(requests),
        Cell::figure(bytes, |one| one.low as f64, |one| interval(one.low, one.high)),
        Cell::figure(newest.growth, |one| one.keys as f64, |one| signed(one.keys, count)),
        Cell::figure(content.and_then(|one| one.with_ttl), |one| one as f64, count),
        Cell::figure(newest.connections, |one| one as f64, count),
        Cell::text(format!("{:?}", found.kind).to_lowercase()),
        Cell::text(place(found)),
        Cell::text(read).sorted_by(of_ms.unwrap_or(u64::MAX) as f64),
    ];
    Row::new(name, cells).old(found.content.is_none())
}

pub(super) fn budget(found: &DatabaseStats) -> Cell {
    let Some(share) = found.budget_used() else {
        return Cell::figure(None::<f64>, |one| one, rate);
    };
    let mark = if share > NEAR_BUDGET { "!" } else { "" };
    let tone = if share > NEAR_BUDGET { Tone::Bad } else { Tone::Plain };
    Cell::bar(share, format!("{mark}{}", percent(Some(share)))).tone(tone)
}

/// `primary 2`, or with a prefix `primary 0 doc:`.
pub(super) fn place(found: &DatabaseStats) -> String {
    let place = format!("{} {} {}", shown(&found.instance), found.index, shown(&found.prefix));
    place.trim_end().to_owned()
}

/// A line about each server, and its tone. Those that are away are in the head of every screen.
pub(crate) fn servers(facts: &Facts) -> Vec<(String, Tone)> {
    let instances = facts.look.iter().flat_map(|look| &look.stats.instances);
    let there = instances.filter(|one| one.problem.is_none());
    there.map(|instance| (server(instance), Tone::Faint)).collect()
}

fn server(instance: &InstanceStats) -> String {
    let name = shown(&instance.name);
    let sum = |figure: &dyn Fn(&compartment_admin::stats::NodeStats) -> Option<f64>| {
        instance.nodes.iter().filter_map(figure).reduce(|one, other| one + other)
    };
    let mut parts = Vec::new();
    match instance.nodes.as_slice() {
        [node] => parts.push(format!("{name} {}", shown(&node.version))),
        nodes => parts.push(format!("{name} {} masters", nodes.len())),
    }
    let used = sum(&|node| Some(node.memory.used? as f64));
    let limits = instance.nodes.iter().map(|node| node.memory.limit.filter(|limit| *limit > 0));
    let limit: Option<Vec<u64>> = limits.collect();
    let limit = limit.map(|limits| limits.iter().sum::<u64>()).filter(|limit| *limit > 0);
    parts.extend(used.map(|used| match limit {
        Some(limit) => {
            let share = percent(Some(used / limit as f64));
            format!("{} of {} ({share})", size(used as u64), size(limit))
        }
        None => format!("{}, no limit", size(used as u64)),
    }));
    let commands = sum(&|node| node.work.commands_per_second);
    parts.extend(commands.map(|rate_of| format!("{} commands/s", rate(rate_of))));
    let clients = sum(&|node| Some(node.connections.connected? as f64));
    parts.extend(clients.map(|clients| format!("{} clients", count(clients as u64))));
    let evicted = sum(&|node| node.work.evicted_per_second).filter(|rate| *rate > 0.0);
    parts.extend(evicted.map(|rate_of| format!("{} evicted/s", rate(rate_of))));
    parts.join(" · ")
}
