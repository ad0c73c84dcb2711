//! `scale`: time and memory where there is ten times as much: documents, batches, workers, ledgers, keys.

mod batches;
mod keys;
mod ledger;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::measure::Failure;
use crate::measure::statistics::short;
use crate::measure::table::{align, plain};

pub(crate) use keys::{OnceArgs, run_once};

/// How much to measure.
#[derive(Debug, Args)]
pub(crate) struct ScaleArgs {
    /// Documents of a batch, one size after the other; a ledger has a fifth as many, with five stages each.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000_000, 10_000_000])]
    documents: Vec<u32>,
    /// Batches that are listed.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000])]
    batches: Vec<usize>,
    /// Workers that are listed.
    #[arg(long, value_delimiter = ',', default_values_t = [20, 200])]
    workers: Vec<usize>,
    /// Keys of a server that is analysed and whose keys move.
    #[arg(long, value_delimiter = ',', default_values_t = [3_000_000, 30_000_000])]
    keys: Vec<u64>,
    /// Measure only `documents`, `lists`, `ledger` or `keys`.
    #[arg(long, default_value = "")]
    only: String,
    /// A smoke test at small sizes. Its figures say nothing.
    #[arg(long)]
    quick: bool,
    /// Write every figure to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// One figure at one size.
#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    size: u64,
    seconds: f64,
    /// The memory of the process that did it, in bytes: its peak, or by how much the peak grew.
    own_bytes: f64,
    /// The memory of the server afterwards, in bytes.
    server_bytes: f64,
}

/// Measures and prints.
pub(crate) fn run(args: &ScaleArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut rows = runtime.block_on(measure(args))?;
    // Sizes of one figure stand below each other; the sort keeps their order.
    rows.sort_by_key(|row| row.what);
    let mut table = plain(["", "size", "seconds", "µs each", "own MiB", "server MiB"]);
    for row in &rows {
        let mib = |bytes: f64| short(bytes / f64::from(1 << 20));
        table.add_row([
            row.what.to_owned(),
            short(row.size as f64),
            format!("{:.4}", row.seconds),
            format!("{:.3}", row.seconds * 1e6 / row.size as f64),
            mib(row.own_bytes),
            mib(row.server_bytes),
        ]);
    }
    align(&mut table);
    println!("{table}");
    if let Some(file) = &args.json {
        std::fs::write(file, serde_json::to_string_pretty(&rows)? + "\n")?;
    }
    Ok(())
}

async fn measure(args: &ScaleArgs) -> Result<Vec<Row>, Failure> {
    let wanted = |name: &str| name.contains(&args.only);
    let mut rows = Vec::new();
    if wanted("documents") {
        let quick = [10_000, 100_000];
        for documents in if args.quick { &quick } else { args.documents.as_slice() } {
            rows.extend(batches::documents(*documents).await?);
        }
    }
    if wanted("lists") {
        for batches in &args.batches {
            rows.extend(batches::list(*batches).await?);
        }
        for workers in &args.workers {
            rows.push(batches::workers(*workers).await?);
        }
    }
    if wanted("ledger") {
        let quick = [10_000, 100_000];
        for documents in if args.quick { &quick } else { args.documents.as_slice() } {
            rows.extend(ledger::measure(documents / 5).await?);
        }
    }
    if wanted("keys") {
        let quick = [10_000, 100_000];
        for keys in if args.quick { &quick } else { args.keys.as_slice() } {
            rows.extend(keys::measure(*keys).await?);
        }
    }
    Ok(rows)
}
