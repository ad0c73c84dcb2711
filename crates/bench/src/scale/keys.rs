//! A server of many small keys: analysed, and moved from one index to another. Each by a process of its own, whose peak
//! memory counts.

use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use compartment_admin::migrate::{MigrateOptions, Migration, Routes, Way, migrate};
use compartment_admin::{AnalyzeOptions, Silent, analyze};
use compartment_pipeline::ProcessMemory;
use compartment_testkit::TestRedis;

use super::Row;
use crate::batches::server::memory;
use crate::measure::Failure;
use crate::migrate::place;

/// Keys that the server makes in one command, which it answers within seconds.
const PORTION: u64 = 1_000_000;

/// One analysis or move in a separate process.
#[derive(Debug, Args)]
pub(crate) struct OnceArgs {
    what: String,
    url: String,
}

/// Analyses this many keys, and moves them.
pub(super) async fn measure(keys: u64) -> Result<Vec<Row>, Failure> {
    let server = TestRedis::builder().config("enable-debug-command", "yes").start().await;
    for (portion, from) in (0..keys).step_by(PORTION as usize).enumerate() {
        let (count, name) = (PORTION.min(keys - from).to_string(), format!("page:{portion}"));
        server.command(&["DEBUG", "POPULATE", &count, &name, "16"]).await;
    }
    let mut rows = Vec::new();
    for (what, verb) in [("keys: analyze", "analyze"), ("keys: move", "move")] {
        let output = tokio::process::Command::new(std::env::current_exe()?)
            .args(["scale-once", verb, &server.url()])
            .output()
            .await?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let figures: Vec<f64> =
            text.split_whitespace().filter_map(|one| one.parse().ok()).collect();
        let [seen, seconds, own_bytes] = figures[..] else { return Err("no figures".into()) };
        if seen as u64 != keys {
            return Err(format!("{verb}: {seen} keys of {keys}").into());
        }
        rows.push(Row {
            what,
            size: keys,
            seconds,
            own_bytes,
            server_bytes: memory(&server).await,
        });
    }
    Ok(rows)
}

/// Started by the parent process; prints keys, seconds and peak memory.
pub(crate) fn run_once(args: &OnceArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (from, began) = (place(&args.url, 0).await?, Instant::now());
        let keys = if args.what == "analyze" {
            analyze(&from, &AnalyzeOptions::default(), &Silent).await?.keys
        } else {
            let folder = tempfile::tempdir()?;
            let mut options = MigrateOptions::new(folder.path().join("journal"));
            options.way = Some(Way::Move);
            let targets = vec![place(&args.url, 1).await?];
            let routes = Routes::single("all", &[], None);
            let migration = Migration { source: from, targets, routes, options };
            migrate(migration, Arc::new(Silent)).await?.moved
        };
        let peak = ProcessMemory::now().and_then(|memory| memory.peak).unwrap_or(0);
        println!("{keys} {} {peak}", began.elapsed().as_secs_f64());
        Ok(())
    })
}
