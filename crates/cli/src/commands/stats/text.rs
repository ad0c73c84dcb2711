//! The figures as people read them.

use std::time::Duration;

use compartment_admin::stats::{
    BytesEstimate, ContentStats, DatabaseStats, EstimateCost, InstanceStats, NodeStats, Stats,
};
use compartment_admin::{ClientUse, printable, size};

use compartment_operations::Fleet;

use crate::screen::{self, BAD, FAINT, STRONG, Style};
use crate::table::Cell;

/// From this share of a limit on a figure is shown in red.
const NEAR_LIMIT: f64 = 0.9;
/// A pattern with less of its database's memory is left out.
const SHOWN_SHARE: f64 = 0.01;
/// Patterns of a database that are shown.
const PATTERNS: usize = 3;

pub(super) fn print(found: &Stats, fleet: &Fleet) {
    databases(found);
    patterns(found);
    clients(found, fleet);
    caches(found, fleet);
    found.instances.iter().for_each(instance);
    let lacking = found.missing.iter().cloned().chain(fleet.not_published());
    for line in lacking {
        let text = screen::wrapped(&format!("not shown: {line}"));
        screen::say_lines(format!("{FAINT}{text}{FAINT:#}"));
    }
}

fn databases(found: &Stats) {
    let header =
        ["database", "keys", "with ttl", "avg ttl", "bytes", "interval", "budget", "grown"];
    let mut table = screen::table(&header, &[1, 2, 3, 4, 6, 7]);
    for database in &found.databases {
        let content = database.content.as_ref();
        let bytes = content.and_then(|content| content.bytes);
        let used = database.budget_used();
        let style = if used.is_some_and(|used| used > NEAR_LIMIT) { BAD } else { Style::default() };
        table.add_row([
            Cell::from(&database.name),
            Cell::from(&content.map_or_else(dash, keys)),
            Cell::from(&content.and_then(|one| one.with_ttl).map_or_else(dash, screen::count)),
            Cell::from(&content.and_then(|one| one.average_ttl_ms).map_or_else(dash, ttl)),
            Cell::from(&bytes.map_or_else(dash, |bytes| size(bytes.bytes))),
            Cell::from(&bytes.map_or_else(dash, interval)),
            Cell::styled(&screen::percent(used), style),
            Cell::from(&growth(database)),
        ]);
    }
    screen::say_lines(table.to_string());
    if let Some(seconds) = found.since_last_seconds {
        let since = screen::time(Duration::from_secs_f64(seconds));
        screen::say(format!(
            "{FAINT}grown, and rates: in the {since} since the last look{FAINT:#}"
        ));
    }
}

fn dash() -> String {
    "–".to_owned()
}

fn keys(content: &ContentStats) -> String {
    let mark = if content.keys_are_exact { "" } else { "~" };
    format!("{mark}{}", screen::count(content.keys))
}

fn ttl(millis: u64) -> String {
    screen::time(Duration::from_millis(millis))
}

/// `198.0–211.8 MiB`, or that every key was measured.
fn interval(bytes: BytesEstimate) -> String {
    if bytes.low == bytes.high {
        return "exact".to_owned();
    }
    let (low, high) = (size(bytes.low), size(bytes.high));
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((number, unit)), Some((_, other))) if unit == other => format!("{number}–{high}"),
        _ => format!("{low}–{high}"),
    }
}

fn growth(database: &DatabaseStats) -> String {
    let Some(growth) = &database.growth else { return dash() };
    let mut text = signed(growth.keys, |keys| format!("{} keys", screen::count(keys)));
    if let Some(bytes) = growth.bytes.filter(|bytes| *bytes != 0) {
        text = format!("{text}, {}", signed(bytes, size));
    }
    text
}

fn signed(figure: i64, show: impl Fn(u64) -> String) -> String {
    let sign = match figure {
        0 => "",
        1.. => "+",
        _ => "−",
    };
    format!("{sign}{}", show(figure.unsigned_abs()))
}

fn patterns(found: &Stats) {
    let mut table = screen::table(&["database", "largest patterns", "keys", "bytes"], &[2, 3]);
    let mut are_any = false;
    for database in &found.databases {
        let Some(content) = &database.content else { continue };
        let all = content.bytes.map_or(0, |bytes| bytes.bytes) as f64;
        let shown = content.patterns.iter().filter(|one| one.bytes as f64 >= SHOWN_SHARE * all);
        for (at, pattern) in shown.take(PATTERNS).enumerate() {
            are_any = true;
            let name = if at == 0 { database.name.as_str() } else { "" };
            let (keys, bytes) = (screen::count(pattern.keys), size(pattern.bytes));
            table.add_row([name, &pattern.pattern, &format!("~{keys}"), &format!("~{bytes}")]);
        }
        for key in content.biggest.iter().take(1) {
            are_any = true;
            table.add_row(["", &format!("biggest key: {}", key.name), "1", &size(key.bytes)]);
        }
    }
    if are_any {
        screen::say_lines(format!("\n{table}"));
    }
}

/// The requests of each database, as the processes that publish them count them.
fn clients(found: &Stats, fleet: &Fleet) {
    let header = ["clients", "requests/s", "in/s", "out/s", "mean", "p99", "hit rate", "failed"];
    let mut table = screen::table(&header, &[1, 2, 3, 4, 5, 6, 7]);
    let mut are_any = false;
    for database in &found.databases {
        let Some(figures) = fleet.clients.get(&database.name) else { continue };
        are_any = true;
        let bytes = |figure: f64| size(figure.round() as u64);
        table.add_row([
            database.name.clone(),
            format!("{:.1}", figures.requests_per_second),
            bytes(figures.sent_bytes_per_second),
            bytes(figures.received_bytes_per_second),
            figures.mean_latency_us.map_or_else(dash, micros),
            figures.p99_latency_us.map_or_else(dash, |most| format!("≤ {}", micros(most))),
            screen::percent(figures.hit_rate),
            screen::count(figures.failures),
        ]);
    }
    if are_any {
        screen::say_lines(format!("\n{table}"));
    }
}

fn micros(micros: u64) -> String {
    match micros {
        ..1_000 => format!("{micros} µs"),
        _ => format!("{:.1} ms", micros as f64 / 1_000.0),
    }
}

fn caches(found: &Stats, fleet: &Fleet) {
    let header = ["cache", "reads/s", "hit rate", "mean load", "processes"];
    let mut table = screen::table(&header, &[1, 2, 3, 4]);
    let mut are_any = false;
    for database in &found.databases {
        let Some(figures) = fleet.caches.get(&database.name) else { continue };
        are_any = true;
        table.add_row([
            database.name.clone(),
            format!("{:.1}", figures.reads_per_second),
            screen::percent(figures.hit_rate),
            figures.mean_load_ms.map_or_else(dash, |millis| format!("{millis:.1} ms")),
            figures.processes.to_string(),
        ]);
    }
    if are_any {
        screen::say_lines(format!("\n{table}"));
    }
    if found.databases.iter().any(|one| fleet.clients.contains_key(&one.name)) || are_any {
        screen::say(format!("{FAINT}as the fleet counts them, over 5 minutes{FAINT:#}"));
    }
}

fn instance(instance: &InstanceStats) {
    let problem = if instance.problem.is_some() { ": not reached" } else { "" };
    screen::say("");
    screen::say(format!(
        "{STRONG}{}{STRONG:#}  {}{BAD}{problem}{BAD:#}",
        instance.name, instance.address
    ));
    instance.nodes.iter().for_each(node);
    if let Some(clients) = instance.clients.as_ref().filter(|clients| !clients.is_empty()) {
        let shown: Vec<String> = clients.iter().map(client).collect();
        line("clients", &shown.join(", "));
    }
    for unnamed in &instance.unnamed {
        let bytes = unnamed.content.bytes.map_or_else(String::new, |bytes| {
            format!(", {} ({})", size(bytes.bytes), interval(bytes))
        });
        let text = format!("index {}: {} keys{bytes}", unnamed.index, keys(&unnamed.content));
        line("unnamed", &text);
    }
    for probe in &instance.probes {
        let text = format!(
            "index {}: a {} of process {}, which goes by itself",
            probe.index, probe.purpose, probe.process
        );
        line("probe", &text);
    }
    if let Some(cost) = instance.cost {
        line("estimate", &cost_of(cost));
    }
}

fn cost_of(cost: EstimateCost) -> String {
    let server = cost.server_seconds.map_or_else(String::new, |seconds| {
        let time = screen::time(Duration::from_secs_f64(seconds));
        format!("; the server's processor worked for {time}, other clients included")
    });
    let took = screen::time(Duration::from_secs_f64(cost.seconds));
    format!("{} commands in {took}{server}", screen::count(cost.commands))
}

fn client(client: &ClientUse) -> String {
    format!("{} ×{} in index {}", printable(&client.who()), client.connections, client.index)
}

fn line(name: &str, text: &str) {
    let lines = screen::wrapped(&format!("{name}: {text}"));
    screen::say_lines(format!("  {}", lines.replace('\n', "\n  ")));
}

fn node(node: &NodeStats) {
    let role = match node.is_replica {
        Some(true) => ", replica",
        Some(false) => ", master",
        None => "",
    };
    let up = node
        .uptime_seconds
        .map_or_else(String::new, |up| format!(", up {}", screen::time(Duration::from_secs(up))));
    line("server", &format!("{} {}{role}{up}", node.location, printable(&node.version)));
    memory(node);
    work(node);
    keeping(node);
    if let Some(slow) = node.slow_log.as_ref().filter(|slow| slow.entries > 0) {
        let slowest: Vec<String> = slow
            .slowest
            .iter()
            .map(|one| {
                let time = Duration::from_micros(one.microseconds);
                format!("{} {}", one.command, screen::time(time))
            })
            .collect();
        let entries = screen::count(slow.entries);
        line("slow log", &format!("{entries} entries; slowest {}", slowest.join(", ")));
    }
    let events: Vec<String> = node
        .latency_events
        .iter()
        .map(|one| format!("{} {} ms (most {} ms)", one.event, one.last_ms, one.max_ms))
        .collect();
    if !events.is_empty() {
        line("latency", &events.join(", "));
    }
}

fn memory(node: &NodeStats) {
    let memory = &node.memory;
    let Some(used) = memory.used else { return };
    let mut parts = vec![match memory.limit {
        Some(limit) if limit > 0 => {
            format!("{} of {} ({})", size(used), size(limit), screen::percent(memory.used_share()))
        }
        Some(_) => format!("{}, no limit", size(used)),
        None => size(used),
    }];
    parts.extend(memory.peak.map(|peak| format!("peak {}", size(peak))));
    parts.extend(memory.fragmentation.map(|ratio| format!("fragmentation {ratio:.2}")));
    parts.extend(memory.policy.as_ref().map(|policy| format!("policy {}", printable(policy))));
    line("memory", &parts.join(", "));
}

fn work(node: &NodeStats) {
    let work = &node.work;
    let rate = |figure: Option<f64>, what: &str| figure.map(|figure| format!("{figure:.1} {what}"));
    let bytes = |figure: Option<f64>, what: &str| {
        figure.map(|figure| format!("{}/s {what}", size(figure.round() as u64)))
    };
    let mut parts = Vec::new();
    parts.extend(rate(work.commands_per_second, "commands/s"));
    parts.extend(bytes(work.input_bytes_per_second, "in"));
    parts.extend(bytes(work.output_bytes_per_second, "out"));
    parts.extend(rate(work.expired_per_second, "expired/s"));
    parts.extend(rate(work.evicted_per_second, "evicted/s"));
    parts.extend(work.hit_rate.map(|rate| format!("hit rate {}", screen::percent(Some(rate)))));
    parts.extend(work.processor.map(|share| format!("{:.1} % of a processor", 100.0 * share)));
    let connections = &node.connections;
    if let Some(connected) = connections.connected {
        let most = connections.max.map_or_else(String::new, |max| format!(" of {max}"));
        let blocked = connections.blocked.unwrap_or(0);
        parts.push(format!("{connected}{most} connections, {blocked} blocked"));
    }
    if !parts.is_empty() {
        line("work", &parts.join(", "));
    }
}

fn keeping(node: &NodeStats) {
    let (persistence, replication) = (&node.persistence, &node.replication);
    let mut parts = Vec::new();
    match persistence.appends {
        Some(true) => parts.push("append-only file".to_owned()),
        Some(false) => parts.push("no append-only file".to_owned()),
        None => {}
    }
    parts.extend(persistence.last_save_seconds.map(|seconds| {
        let changes = persistence.changes_since_save.unwrap_or(0);
        let since = screen::time(Duration::from_secs(seconds));
        format!("last snapshot (or start) {since} ago, {} changes since", screen::count(changes))
    }));
    if persistence.has_failed == Some(true) {
        parts.push(format!("{BAD}the last save failed{BAD:#}"));
    }
    parts.extend(replication.replicas.map(|count| match replication.lag_bytes {
        Some(lag) => format!("{count} replicas, {} behind", size(lag)),
        None => format!("{count} replicas"),
    }));
    if replication.is_link_up == Some(false) {
        parts.push(format!("{BAD}the link to the master is down{BAD:#}"));
    }
    if !parts.is_empty() {
        line("keeps", &parts.join(", "));
    }
}
