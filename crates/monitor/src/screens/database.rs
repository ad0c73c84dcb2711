//! One database: its figures over time, patterns, biggest keys, clients.

use compartment_admin::size;
use compartment_admin::stats::{ContentStats, DatabaseStats};
use compartment_operations::{ClientFigures, count, percent};

use super::databases::{budget, place};
use crate::facts::Facts;
use crate::figures::{age, interval, long, micros, rate, shown, signed};
use crate::history::{History, Sample, hit_rate};
use crate::page::{Block, Page};
use crate::palette::Tone;
use crate::table::{Cell, Column, Row, Table};

const PATTERNS: [Column; 4] = [
    Column::text("pattern", 0, 24, 70),
    Column::figure("keys", 0, 12),
    Column::figure("bytes", 0, 10),
    Column::text("of its bytes", 1, 16, 30),
];
const BIGGEST: [Column; 2] = [Column::text("key", 0, 24, 90), Column::figure("bytes", 0, 10)];
const CLIENTS: [Column; 4] = [
    Column::text("client", 0, 24, 60),
    Column::figure("connections", 0, 11),
    Column::figure("blocked", 1, 8),
    Column::text("last commands", 2, 16, 50),
];

pub(super) fn page(facts: &Facts, name: &str) -> Option<Page> {
    let look = facts.look.as_deref()?;
    let found = look.stats.databases.iter().find(|one| one.name == name)?;
    let (newest, of_ms) = facts.known.newest(found);
    let mut page = Page::new(format!("database {}", shown(name)));
    if let Some(then) = of_ms {
        let text = format!("its server is away; these figures are {} old", age(facts.now_ms, then));
        page = page.with(Block::Text(text, Tone::Bad));
    }
    page = page.with(Block::Facts(of_contents(newest)));
    if let Some(clients) = look.fleet.clients.get(name) {
        page = page.with(Block::Facts(of_clients(clients, hit_rate(look, name))));
    }
    if let Some(history) = facts.known.databases.get(name) {
        page = over_time(page, history);
    }
    if let Some(content) = &newest.content {
        page = of_keys(page, content);
    }
    let instance = look.stats.instances.iter().find(|one| one.name == found.instance);
    match instance.and_then(|one| one.clients.as_ref()) {
        Some(clients) => {
            let here = clients.iter().filter(|client| client.index == found.index);
            let rows = here.map(|client| {
                let commands: Vec<String> = client.commands.iter().map(|one| shown(one)).collect();
                let cells = vec![
                    Cell::text(shown(&client.who())),
                    Cell::count(client.connections),
                    Cell::count(client.blocked),
                    Cell::text(commands.join(" ")),
                ];
                Row::new(client.who(), cells)
            });
            let empty = "no client has its index selected";
            let table = Table::new(&CLIENTS, rows.collect(), empty);
            Some(page.under("clients of its index", Block::Table(table)))
        }
        None => Some(page),
    }
}

fn of_contents(found: &DatabaseStats) -> Vec<(&'static str, Cell)> {
    let mut facts = vec![
        ("place", Cell::text(place(found))),
        ("kind", Cell::text(format!("{:?}", found.kind).to_lowercase())),
    ];
    if let Some(content) = &found.content {
        let mark = if content.keys_are_exact { "" } else { "about " };
        let with_ttl = content
            .with_ttl
            .map_or_else(String::new, |keys| format!(", {} with a TTL", count(keys)));
        facts.push(("keys", Cell::text(format!("{mark}{}{with_ttl}", count(content.keys)))));
        if let Some(bytes) = content.bytes {
            let (low, high) = (bytes.low, bytes.high);
            let text = format!("{} ({}, {} old)", size(bytes.bytes), interval(low, high), {
                long(std::time::Duration::from_secs(bytes.age_seconds))
            });
            facts.push(("bytes", Cell::text(text)));
        }
    }
    if let Some(limit) = found.budget_bytes {
        facts.push(("budget", Cell::text(size(limit))));
        facts.push(("budget in use", budget(found)));
    }
    if let Some(growth) = found.growth {
        let bytes =
            growth.bytes.map_or_else(String::new, |bytes| format!(", {}", signed(bytes, size)));
        let keys = signed(growth.keys, |keys| format!("{} keys", count(keys)));
        let text = format!("{keys}{bytes} since the last look");
        facts.push(("grown", Cell::text(text)));
    }
    facts
}

fn of_clients(found: &ClientFigures, hits: Option<f64>) -> Vec<(&'static str, Cell)> {
    let latency = [("mean", found.mean_latency_us), ("99 of 100 within", found.p99_latency_us)];
    let latency =
        latency.into_iter().filter_map(|(name, one)| Some(format!("{name} {}", micros(one?))));
    let bytes = |rate: f64| size(rate.max(0.0).round() as u64);
    let requests = format!(
        "{}/s, {}/s in, {}/s out",
        rate(found.requests_per_second),
        bytes(found.sent_bytes_per_second),
        bytes(found.received_bytes_per_second)
    );
    let failed = Cell::bad_count(found.failures);
    vec![
        ("requests", Cell::text(requests)),
        ("latency", Cell::text(latency.collect::<Vec<_>>().join(", "))),
        ("hit rate", Cell::text(percent(hits))),
        ("without answer", failed),
    ]
}

/// The figures since the monitor was started.
fn over_time(page: Page, history: &History) -> Page {
    type Figure = (&'static str, fn(&Sample) -> Option<f64>, fn(f64) -> String);
    let figures: [Figure; 5] = [
        ("keys", |one| one.keys, |one| count(one as u64)),
        ("bytes", |one| one.bytes, |one| size(one as u64)),
        ("requests/s", |one| one.requests, rate),
        ("hit rate", |one| one.hit_rate, |one| percent(Some(one))),
        ("p99", |one| one.latency, |one| micros(one as u64)),
    ];
    let mut facts = Vec::new();
    for (name, figure, show) in figures {
        let values = history.of(figure);
        let known: Vec<f64> = values.iter().flatten().copied().collect();
        let Some(first) = known.first() else { continue };
        let (low, high) =
            known.iter().fold((*first, *first), |(low, high), one| (low.min(*one), high.max(*one)));
        facts.push((name, Cell::spark(values)));
        facts.push(("", Cell::text(format!("{} to {}", show(low), show(high))).tone(Tone::Faint)));
    }
    if facts.is_empty() {
        return page;
    }
    let span = long(std::time::Duration::from_millis(history.span_ms()));
    let title = format!("the last {span}");
    page.under(&title, Block::Facts(facts))
}

fn of_keys(page: Page, content: &ContentStats) -> Page {
    let all = content.bytes.map_or(0, |bytes| bytes.bytes).max(1) as f64;
    let patterns = content.patterns.iter().map(|one| {
        let share = one.bytes as f64 / all;
        let cells = vec![
            Cell::text(shown(&one.pattern)),
            Cell::text(format!("~{}", count(one.keys))),
            Cell::text(format!("~{}", size(one.bytes))),
            Cell::bar(share, percent(Some(share))),
        ];
        Row::new(&one.pattern, cells)
    });
    let biggest = content.biggest.iter().map(|one| {
        Row::new(&one.name, vec![Cell::text(shown(&one.name)), Cell::text(size(one.bytes))])
    });
    let patterns = Table::new(&PATTERNS, patterns.collect(), "no pattern was met");
    let biggest = Table::new(&BIGGEST, biggest.collect(), "no key was met");
    page.under("largest patterns", Block::Table(patterns))
        .under("biggest keys that were met", Block::Table(biggest))
}
