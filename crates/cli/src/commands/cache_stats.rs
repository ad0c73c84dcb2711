//! `compartment cache stats`: the metrics of every process, as a table, JSON or Prometheus text.

use std::time::Duration;

use compartment::cache::{BreakerState, FleetMetrics, ProcessMetrics, TemplateMetrics};
use compartment::clock::{Clock, SystemClock};
use compartment::database_map::Role;
use compartment::{Database, Databases};
use serde_json::json;

use super::databases::size;
use super::open_cache::open;
use crate::args::CacheStats;
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, BAD, FAINT, STRONG};
use crate::table::Table;

pub(crate) async fn run(databases: &Databases, what: &CacheStats) -> Result<ExitCode, CliError> {
    let name = &what.which.database;
    let (cache, metrics) = (open(databases, name).await?, databases.role(Role::Metrics)?);
    let fleet = FleetMetrics::read(metrics, name, what.window, SystemClock.now()).await?;
    if what.prometheus {
        screen::say_metrics(fleet.to_prometheus().trim_end());
        return Ok(ExitCode::Success);
    }
    let marked = cache.no_cache_documents().await?;
    if what.json {
        let mut value = serde_json::to_value(&fleet).unwrap_or_default();
        value["hit_rate"] = json!(fleet.hit_rate());
        value["marked_documents"] = json!(marked);
        screen::say_json(&value);
        return Ok(ExitCode::Success);
    }
    head(&fleet, cache.database()).await?;
    if fleet.templates.is_empty() {
        screen::say("no figures yet: no process has used this cache with the database `metrics`");
    } else {
        screen::say_lines(format!("\n{}", templates(&fleet)));
    }
    if !fleet.processes.is_empty() {
        screen::say_lines(format!("\n{}", processes(&fleet.processes)));
    }
    tail(&fleet, &marked);
    Ok(ExitCode::Success)
}

async fn head(fleet: &FleetMetrics, database: &Database) -> Result<(), CliError> {
    let usage = database.usage().usage().await?;
    let budget = database.contract().memory_budget;
    let budget =
        budget.map_or_else(String::new, |bytes| format!(" of {}", compartment_admin::size(bytes)));
    let total = fleet.total();
    let reads = screen::count(total.recent_hits + total.recent_misses);
    screen::say(format!(
        "{STRONG}{}{STRONG:#}  {} of {reads} reads hit in the last {}; {} keys, {}{budget}",
        fleet.database,
        screen::percent(fleet.hit_rate()),
        screen::ttl(Some(Duration::from_secs(fleet.window_seconds))),
        screen::count(usage.keys),
        size(usage),
    ));
    Ok(())
}

fn templates(fleet: &FleetMetrics) -> Table {
    let header = ["template", "hit rate", "process", "database", "missed", "per load"];
    let mut table = screen::table(&header, &[1, 2, 3, 4, 5]);
    let mut row = |name: &str, figures: &TemplateMetrics| {
        let count = screen::count;
        table.add_row([
            name.to_owned(),
            screen::percent(figures.hit_rate()),
            count(figures.first_tier_hits),
            count(figures.second_tier_hits),
            count(figures.misses),
            figures.mean_load().map_or_else(|| "–".into(), load_time),
        ]);
    };
    for (name, figures) in &fleet.templates {
        row(name, figures);
    }
    if fleet.templates.len() > 1 {
        row("all", &fleet.total());
    }
    table
}

/// The time of a load in µs or longer units: another cache answers in microseconds, OCR in seconds.
fn load_time(time: Duration) -> String {
    if time < Duration::from_millis(1) {
        format!("{} µs", time.as_micros())
    } else {
        screen::time(time)
    }
}

fn processes(list: &[ProcessMetrics]) -> Table {
    let header = ["process", "entries", "bytes", "in sync", "breaker", "to remove"];
    let mut table = screen::table(&header, &[1, 2, 5]);
    for process in list {
        table.add_row([
            process.pid.to_string(),
            screen::count(process.first_tier_entries),
            compartment_admin::size(process.first_tier_bytes),
            if process.trusted { "yes" } else { "no" }.to_owned(),
            match process.breaker {
                BreakerState::Closed => "closed",
                BreakerState::Open => "open",
                _ => "half-open",
            }
            .to_owned(),
            screen::count(process.pending_removals),
        ]);
    }
    table
}

/// Prints the counters that are usually zero.
fn tail(fleet: &FleetMetrics, marked: &[String]) {
    let total = fleet.total();
    let figures = [
        ("stale answers", total.stale_hits),
        ("loads", total.loads),
        ("failed loads", total.failed_loads),
        ("too large to cache", total.refused),
        ("over the limit of their document", total.refused_document),
        ("of marked documents", total.refused_no_cache),
        ("superseded by newer values", total.superseded),
        ("too large to decode", total.oversized),
        ("evicted in processes", fleet.evicted),
        ("invalidations", fleet.invalidations),
        ("losses of sync", fleet.distrusted),
        ("breakers opened", fleet.breaker_opened),
    ];
    let said: Vec<String> = figures
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{} {name}", screen::count(*count)))
        .collect();
    if !said.is_empty() {
        let said = screen::wrapped(&said.join(", "));
        screen::say_lines(format!("\n{FAINT}{said}{FAINT:#}"));
    }
    if !marked.is_empty() {
        let shown = marked.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
        let more = if marked.len() > 8 { ", …" } else { "" };
        let text = format!("not cached (marked): {shown}{more}");
        screen::say_lines(format!("{BAD}{}{BAD:#}", screen::wrapped(&text)));
    }
}
