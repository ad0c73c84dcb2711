//! `stats`: the estimated bytes of each database beside the exact sums, on seeded servers.

mod fill;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use compartment::{DatabaseMap, database_map::Instance};
use compartment_admin::Deployment;
use compartment_admin::stats::{BytesEstimate, Past, StatsOptions, stats};
use compartment_core::{Contract, DatabaseKind, Placement};
use compartment_testkit::TestRedis;
use serde::Serialize;

use fill::{Failure, Filled, Scenario};

/// How much to measure.
#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// How many servers, each with a seed of its own.
    #[arg(long, default_value_t = 20)]
    servers: u64,
    /// The seed of the first.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keys of each server.
    #[arg(long, default_value_t = 100_000)]
    keys: u64,
    /// Databases of each server; between one and four by its seed where none are given.
    #[arg(long)]
    databases: Option<u32>,
    /// One key in so many is of 10 MB.
    #[arg(long, default_value_t = 10_000)]
    big: u64,
    /// Random keys only: no database is walked over.
    #[arg(long)]
    no_walk: bool,
    /// Write every figure to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// One database of one server.
#[derive(Debug, Serialize)]
struct Row {
    seed: u64,
    look: u32,
    database: String,
    keys: u64,
    exact: u64,
    estimate: u64,
    low: u64,
    high: u64,
    seconds: f64,
    server_seconds: f64,
}

impl Row {
    fn is_held(&self) -> bool {
        (self.low..=self.high).contains(&self.exact)
    }

    fn error(&self) -> f64 {
        self.estimate.abs_diff(self.exact) as f64 / self.exact.max(1) as f64
    }
}

/// Measures and prints.
pub(crate) fn run(args: &StatsArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let rows = runtime.block_on(measure(args))?;
    for look in [1, 2] {
        summary(look, &rows);
    }
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_string_pretty(&rows)?)?;
    }
    Ok(())
}

async fn measure(args: &StatsArgs) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for seed in args.seed..args.seed + args.servers {
        let scenario = Scenario::of(seed, args.keys, args.databases, args.big);
        let server = TestRedis::start().await;
        let filled = fill::fill(&server, &scenario).await?;
        let map = map(&server, scenario.databases)?;
        let deployment = Deployment::connect(&map, Duration::from_secs(60)).await;
        let mut past: Option<Past> = None;
        for look in [1, 2] {
            let mut options = StatsOptions::default();
            options.is_fresh = true;
            options.may_walk = !args.no_walk;
            let began = Instant::now();
            let (found, kept) = stats(&deployment, past.as_ref(), options).await;
            let seconds = began.elapsed().as_secs_f64();
            let cost = found.instances.first().and_then(|one| one.cost).unwrap_or_default();
            for (database, Filled { keys, exact }) in found.databases.iter().zip(&filled) {
                let content = database.content.as_ref().ok_or("the server was not reached")?;
                let BytesEstimate { bytes, low, high, .. } = content.bytes.unwrap_or_default();
                let row = Row {
                    seed,
                    look,
                    database: database.name.clone(),
                    keys: *keys,
                    exact: *exact,
                    estimate: bytes,
                    low,
                    high,
                    seconds,
                    server_seconds: cost.server_seconds.unwrap_or(f64::NAN),
                };
                show(&row, &scenario);
                rows.push(row);
            }
            past = Some(kept);
        }
    }
    Ok(rows)
}

fn map(server: &TestRedis, databases: u32) -> Result<DatabaseMap, Failure> {
    let mut builder = DatabaseMap::builder().instance("primary", Instance::new(&server.url())?);
    for index in 0..databases {
        let placement = Placement::Index { instance: "primary".to_owned(), index };
        let contract =
            Contract::new(format!("database{index}"), DatabaseKind::Durable).placement(placement);
        builder = builder.database(contract);
    }
    Ok(builder.build()?)
}

fn show(row: &Row, scenario: &Scenario) {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "seed {:>3} look {} {} σ {:.1}: {:>8} keys, exact {:>8.1} MiB, estimate {:>8.1} ({:>8.1} to {:>8.1}), \
         off by {:>5.2} %{}, {:.3} s, {:.1} ms of the server",
        row.seed,
        row.look,
        row.database,
        scenario.spread,
        row.keys,
        mib(row.exact),
        mib(row.estimate),
        mib(row.low),
        mib(row.high),
        100.0 * row.error(),
        if row.is_held() { "" } else { ", NOT HELD" },
        row.seconds,
        1_000.0 * row.server_seconds,
    );
}

fn summary(look: u32, rows: &[Row]) {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.look == look).collect();
    let held = rows.iter().filter(|row| row.is_held()).count();
    let first: Vec<&&Row> = rows.iter().filter(|row| row.database == "database0").collect();
    let first_held = first.iter().filter(|row| row.is_held()).count();
    let mut errors: Vec<f64> = rows.iter().map(|row| row.error()).collect();
    errors.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let at = (share * errors.len().saturating_sub(1) as f64).round() as usize;
        100.0 * errors.get(at).copied().unwrap_or(f64::NAN)
    };
    let most = |figure: fn(&Row) -> f64| rows.iter().map(|row| figure(row)).fold(0.0, f64::max);
    println!(
        "look {look}: the interval holds the exact sum of {held} of {} databases, and of {first_held} of {} \
         first databases; the estimate is off by {:.2} % (median), {:.2} % (95 of 100), {:.2} % (most); at \
         most {:.3} s and {:.1} ms of the server's time",
        rows.len(),
        first.len(),
        at(0.5),
        at(0.95),
        at(1.0),
        most(|row| row.seconds),
        1_000.0 * most(|row| row.server_seconds),
    );
}
