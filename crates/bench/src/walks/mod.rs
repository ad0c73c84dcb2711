//! `walks`: cleanup, analyze and verify of a million keys, beside a bare loop of `SCAN` over the same keys.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use compartment_admin::migrate::{MigrateOptions, Migration, Routes, Way, migrate};
use compartment_admin::verify::{VerifyOptions, verify};
use compartment_admin::{AnalyzeOptions, CleanupOptions, Limits, Place, Silent, analyze, cleanup};
use compartment_core::{DatabaseMap, Preset};
use compartment_testkit::TestRedis;
use serde::Serialize;

use crate::batches::server::cpu;
use crate::measure::Failure;
use crate::measure::awake::Spinners;
use crate::measure::statistics::{median, short};
use crate::measure::table::{align, plain};
use crate::migrate::{bare, keys, place};

mod floor;

/// How much to measure.
#[derive(Debug, Args)]
pub(crate) struct WalksArgs {
    /// Number of keys of each server.
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// Number of rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Measure only the rows whose name contains this, beside the floor.
    #[arg(long, default_value = "")]
    only: String,
    /// A smoke test: 20,000 keys, one round. Its figures say nothing.
    #[arg(long)]
    quick: bool,
    /// Write every figure to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// One way of walking over all keys, in each round.
#[derive(Debug, Default, Serialize)]
struct Row {
    what: &'static str,
    /// Keys a second.
    rates: Vec<f64>,
    /// Rates as shares of the floor's in the same round.
    shares: Vec<f64>,
    /// Processor time of the servers a key, in microseconds.
    server_micros: Vec<f64>,
    /// Processor time of this process a key, in microseconds; not a number where the system does not tell.
    client_micros: Vec<f64>,
}

const FLOOR: &str = "SCAN COUNT 1000, bare";
const ROWS: [&str; 8] = [
    FLOOR,
    "the same, TYPE PTTL MEMORY",
    "cleanup, by name",
    "cleanup, by age",
    "analyze",
    "verify, two servers",
    "verify, one server",
    "verify, both ways",
];

/// Measures and prints.
pub(crate) fn run(args: &WalksArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (keys, rounds) = if args.quick { (20_000, 1) } else { (args.keys, args.rounds) };
    let rows = runtime.block_on(measure(keys, rounds, &args.only))?;
    println!("{keys} mixed keys, {rounds} rounds\n");
    let mut table = plain([
        "",
        "keys/s",
        "least",
        "most",
        "of the floor",
        "least",
        "most",
        "server µs",
        "client µs",
    ]);
    for row in &rows {
        let (rates, shares) = (Spread::of(&row.rates), Spread::of(&row.shares));
        table.add_row([
            row.what.to_owned(),
            short(rates.median),
            short(rates.least),
            short(rates.most),
            format!("{:.2}×", shares.median),
            format!("{:.2}×", shares.least),
            format!("{:.2}×", shares.most),
            format!("{:.2}", median(row.server_micros.clone())),
            format!("{:.2}", median(row.client_micros.clone())),
        ]);
    }
    align(&mut table);
    println!("{table}");
    if let Some(file) = &args.json {
        std::fs::write(file, serde_json::to_string_pretty(&rows)? + "\n")?;
    }
    Ok(())
}

struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    fn of(figures: &[f64]) -> Self {
        Self {
            least: figures.iter().copied().fold(f64::INFINITY, f64::min),
            median: median(figures.to_vec()),
            most: figures.iter().copied().fold(0.0, f64::max),
        }
    }
}

async fn measure(keys: u64, rounds: usize, only: &str) -> Result<Vec<Row>, Failure> {
    let _awake = Spinners::start()?;
    let bench = Bench { one: TestRedis::start().await, two: TestRedis::start().await, keys };
    keys::fill(&bench.one, keys).await?;
    bare::copy(&bench.one, 0, 1).await?;
    bench.mirror().await?;
    let wanted = ROWS.into_iter().filter(|what| *what == FLOOR || what.contains(only));
    let mut rows: Vec<Row> = wanted.map(|what| Row { what, ..Row::default() }).collect();
    for _ in 0..rounds {
        let mut floor = f64::NAN;
        for row in &mut rows {
            let (rate, server_micros, client_micros) = bench.rate(row.what).await?;
            if row.what == FLOOR {
                floor = rate;
            }
            row.rates.push(rate);
            row.shares.push(rate / floor);
            row.server_micros.push(server_micros);
            row.client_micros.push(client_micros);
        }
    }
    Ok(rows)
}

struct Bench {
    one: TestRedis,
    two: TestRedis,
    keys: u64,
}

impl Bench {
    /// Keys a second, and the microseconds a key of the servers and of this process.
    async fn rate(&self, what: &str) -> Result<(f64, f64, f64), Failure> {
        let (before, own) = (self.worked().await, own_time());
        let started = Instant::now();
        let seen = self.walk(what).await?;
        let seconds = started.elapsed().as_secs_f64();
        let (worked, own) = (self.worked().await - before, own_time() - own);
        if seen != self.keys {
            return Err(format!("{what}: {seen} keys of {} were seen", self.keys).into());
        }
        let each = |seconds: f64| seconds * 1e6 / seen as f64;
        Ok((seen as f64 / seconds, each(worked), each(own)))
    }

    /// Processor time of both servers, in seconds.
    async fn worked(&self) -> f64 {
        cpu(&self.one).await + cpu(&self.two).await
    }

    /// Gives the second server the keys of the first, with the same expiries.
    async fn mirror(&self) -> Result<(), Failure> {
        let folder = tempfile::tempdir()?;
        let mut options = MigrateOptions::new(folder.path().join("journal"));
        (options.way, options.keep) = (Some(Way::Dump), true);
        let migration = Migration {
            source: self.place(&self.one, 0).await?,
            targets: vec![self.place(&self.two, 0).await?],
            routes: Routes::single("all", &[], None),
            options,
        };
        migrate(migration, Arc::new(Silent)).await?;
        Ok(())
    }

    /// Walks over all keys; returns how many it has seen.
    async fn walk(&self, what: &str) -> Result<u64, Failure> {
        match what {
            FLOOR => floor::names(&self.one).await,
            "the same, TYPE PTTL MEMORY" => floor::facts(&self.one).await,
            "cleanup, by name" => self.cleanup(false).await,
            "cleanup, by age" => self.cleanup(true).await,
            "analyze" => self.analyze().await,
            "verify, one server" => self.verify(&self.one, 1, false).await,
            "verify, both ways" => self.verify(&self.two, 0, true).await,
            _ => self.verify(&self.two, 0, false).await,
        }
    }

    async fn cleanup(&self, by_age: bool) -> Result<u64, Failure> {
        let place = self.place(&self.one, 0).await?;
        let mut options = CleanupOptions::default();
        options.patterns = vec!["*".to_owned()];
        options.older_than = by_age.then_some(std::time::Duration::from_secs(86_400));
        options.limits = unlimited();
        let map = DatabaseMap::preset(Preset::Pipeline, &self.one.url())?;
        let report = cleanup(&place, &map, &options, &Silent).await?;
        Ok(report.seen)
    }

    async fn analyze(&self) -> Result<u64, Failure> {
        let place = self.place(&self.one, 0).await?;
        Ok(analyze(&place, &AnalyzeOptions::default(), &Silent).await?.keys)
    }

    async fn verify(&self, to: &TestRedis, index: u32, both_ways: bool) -> Result<u64, Failure> {
        let (from, to) = (self.place(&self.one, 0).await?, self.place(to, index).await?);
        let mut options = VerifyOptions::default();
        options.both_ways = both_ways;
        let report = verify(from, to, options, Arc::new(Silent)).await?;
        if !report.all_same() {
            return Err(format!("the servers differ: {:?}", report.examples).into());
        }
        Ok(report.same)
    }

    async fn place(&self, server: &TestRedis, index: u32) -> Result<Place, Failure> {
        place(&server.url(), index).await
    }
}

/// A cleanup without limits takes a small share of the server's time; these do not bind.
fn unlimited() -> Limits {
    Limits::default().operations_per_second(Some(u32::MAX))
}

/// Processor time of this process in seconds, as Linux counts it in hundredths.
fn own_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in parentheses, may have spaces.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|ticks| ticks.parse().ok()).collect();
    match ticks.as_slice() {
        [user, system] => (user + system) / 100.0,
        _ => f64::NAN,
    }
}
