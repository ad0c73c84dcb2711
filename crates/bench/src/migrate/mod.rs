//! `migrate`: moving, copying, backing up and restoring a million keys, beside bare loops.

pub(crate) mod bare;
mod files;
pub(crate) mod keys;
mod latency;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use compartment::pipeline::ProcessMemory;
use compartment_admin::migrate::{MigrateOptions, Migration, Routes, Way, migrate};
use compartment_admin::{Place, Silent};
use compartment_redis::{RedisConfig, Server};
use compartment_testkit::TestRedis;
use serde::Serialize;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Options of the benchmark.
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Number of keys.
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// Number of rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Measure only `move`, `copy`, `between`, `files` or `latency`.
    #[arg(long, default_value = "")]
    only: String,
    /// Write every figure to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// One migration in a separate process, so that its peak memory can be measured.
#[derive(Debug, Args)]
pub(crate) struct OnceArgs {
    url: String,
    from: u32,
    to: u32,
    way: String,
}

/// One comparison: keys per second of ours and of the reference.
#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    against: &'static str,
    ours: Vec<f64>,
    theirs: Vec<f64>,
    wanted: f64,
}

impl Row {
    fn ratio(&self) -> f64 {
        median(&self.ours) / median(&self.theirs)
    }
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Measures, prints a table, writes the JSON.
pub(crate) fn run(args: &MigrateArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(args))
}

async fn measure(args: &MigrateArgs) -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("compartment-migrate-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = measure_in(args, &folder).await;
    std::fs::remove_dir_all(&folder)?;
    let (rows, lines) = result?;
    println!("{} mixed keys, {} rounds; keys/s\n", args.keys, args.rounds);
    println!("{:<34} {:>10} {:>10} {:>7} {:>7}", "", "ours", "theirs", "ratio", "wanted");
    for row in &rows {
        println!(
            "{:<34} {:>10.0} {:>10.0} {:>6.2}x {:>6.2}x",
            format!("{} / {}", row.what, row.against),
            median(&row.ours),
            median(&row.theirs),
            row.ratio(),
            row.wanted
        );
    }
    println!();
    for line in &lines {
        println!("{line}");
    }
    if let Some(file) = &args.json {
        std::fs::write(file, serde_json::to_string_pretty(&rows)? + "\n")?;
    }
    Ok(())
}

async fn measure_in(args: &MigrateArgs, folder: &Path) -> Result<(Vec<Row>, Vec<String>), Failure> {
    let wanted = |name: &str| name.contains(&args.only);
    let server = TestRedis::builder().config("maxclients", "200").start().await;
    keys::fill(&server, args.keys).await?;
    let mut bench = Bench { server, folder, keys: args.keys, rounds: args.rounds, runs: 0 };
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    if wanted("move") {
        rows.push(bench.relocate().await?);
        lines.push(bench.memory().await?);
    }
    if wanted("latency") {
        lines.extend(latency::measure(&bench).await?);
    }
    if wanted("copy") {
        rows.push(bench.copy().await?);
    }
    if wanted("between") {
        rows.push(bench.between().await?);
    }
    if wanted("files") {
        rows.extend(files::measure(&bench).await?);
    }
    Ok((rows, lines))
}

struct Bench<'a> {
    server: TestRedis,
    folder: &'a Path,
    keys: u64,
    rounds: usize,
    runs: u32,
}

impl Bench<'_> {
    /// Measures `MOVE` within the server, in both directions.
    async fn relocate(&mut self) -> Result<Row, Failure> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            theirs.push(self.rate(bare::relocate(&self.server, 0, 1).await?));
            ours.push(
                self.ours(&self.place(1).await?, &self.place(0).await?, Way::Move, false).await?,
            );
            ours.push(
                self.ours(&self.place(0).await?, &self.place(1).await?, Way::Move, false).await?,
            );
            theirs.push(self.rate(bare::relocate(&self.server, 1, 0).await?));
        }
        Ok(Row { what: "MOVE", against: "SCAN + pipelined MOVE", ours, theirs, wanted: 0.85 })
    }

    /// Measures `COPY` within the server.
    async fn copy(&mut self) -> Result<Row, Failure> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            theirs.push(self.rate(bare::copy(&self.server, 0, 2).await?));
            flush(&self.server, 2).await;
            ours.push(
                self.ours(&self.place(0).await?, &self.place(2).await?, Way::Copy, true).await?,
            );
            flush(&self.server, 2).await;
        }
        Ok(Row { what: "COPY", against: "SCAN + pipelined COPY", ours, theirs, wanted: 0.85 })
    }

    /// Measures copying from one server to another.
    async fn between(&mut self) -> Result<Row, Failure> {
        let other = TestRedis::start().await;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            theirs.push(self.rate(bare::between(&self.server, &other).await?));
            flush(&other, 0).await;
            let target = place(&other.url(), 0).await?;
            ours.push(self.ours(&self.place(0).await?, &target, Way::Dump, true).await?);
            flush(&other, 0).await;
        }
        Ok(Row { what: "DUMP/RESTORE", against: "MIGRATE COPY KEYS", ours, theirs, wanted: 1.0 })
    }

    /// Peak memory of a process that moves all keys there, and of one that moves them back.
    async fn memory(&mut self) -> Result<String, Failure> {
        let mut peaks = Vec::new();
        for (from, to) in [("0", "1"), ("1", "0")] {
            let output = tokio::process::Command::new(std::env::current_exe()?)
                .args(["migrate-once", &self.server.url(), from, to, "move"])
                .output()
                .await?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into());
            }
            peaks.push(String::from_utf8_lossy(&output.stdout).trim().parse::<f64>()?);
        }
        let max = peaks.into_iter().fold(0.0, f64::max);
        Ok(format!(
            "peak memory of a process that moves them: {:.1} MiB (wanted <= 64)",
            max / 1_048_576.0
        ))
    }

    async fn place(&self, index: u32) -> Result<Place, Failure> {
        place(&self.server.url(), index).await
    }

    async fn ours(
        &mut self,
        from: &Place,
        to: &Place,
        way: Way,
        keep: bool,
    ) -> Result<f64, Failure> {
        self.runs += 1;
        let journal = self.folder.join(format!("{}.journal", self.runs));
        let mut options = MigrateOptions::new(&journal);
        (options.way, options.keep) = (Some(way), keep);
        let migration = Migration {
            source: from.clone(),
            targets: vec![to.clone()],
            routes: Routes::single("all", &[], None),
            options,
        };
        let started = Instant::now();
        let report = migrate(migration, Arc::new(Silent)).await?;
        let seconds = started.elapsed().as_secs_f64();
        std::fs::remove_file(journal)?;
        if report.moved != self.keys {
            return Err(format!("{} keys of {} moved", report.moved, self.keys).into());
        }
        Ok(self.rate(seconds))
    }

    fn rate(&self, seconds: f64) -> f64 {
        self.keys as f64 / seconds
    }
}

pub(crate) async fn place(url: &str, index: u32) -> Result<Place, Failure> {
    let instance = compartment_core::Instance::new(url)?;
    let mut config = RedisConfig::for_instance(&instance, 1);
    config.response_timeout = std::time::Duration::from_secs(60);
    Ok(Place::new(format!("index {index}"), Server::connect(config).await?, index))
}

async fn flush(server: &TestRedis, index: u32) {
    server.command_in(index, &["FLUSHDB", "SYNC"]).await;
}

/// Started by the parent process to measure peak memory.
pub(crate) fn run_once(args: &OnceArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let journal = std::env::temp_dir().join(format!("once-{}.journal", std::process::id()));
        let mut options = MigrateOptions::new(&journal);
        options.way = match args.way.as_str() {
            "move" => Some(Way::Move),
            _ => Some(Way::Dump),
        };
        let migration = Migration {
            source: place(&args.url, args.from).await?,
            targets: vec![place(&args.url, args.to).await?],
            routes: Routes::single("all", &[], None),
            options,
        };
        migrate(migration, Arc::new(Silent)).await?;
        std::fs::remove_file(journal)?;
        println!("{}", ProcessMemory::now().and_then(|memory| memory.peak).unwrap_or(0));
        Ok(())
    })
}
