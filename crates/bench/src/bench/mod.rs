//! `bench`: equal operations on our backends and on alternatives, in one run.

mod backends;
pub(crate) mod client;
pub(crate) mod clients;
mod contender;
pub(crate) mod isolation;
mod limits;
mod locks;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use self::backends::Wanted;
use crate::measure::{Failure, awake, host};

/// Options of the benchmark.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to measure.
    #[arg(value_enum, default_value_t = What::All)]
    what: What,
    /// Measure for a fifth of the time: a smoke test, whose figures must not be quoted.
    #[arg(long)]
    quick: bool,
    /// Write every figure to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure only the operations whose name contains this.
    #[arg(long)]
    only: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Our backends beside moka and four Redis clients.
    Backends,
    /// The backend on Redis alone, beside four Redis clients.
    Redis,
    /// The backend in memory alone, beside moka.
    Memory,
    /// A cache's latency while another purpose floods the server.
    Isolation,
    /// Rate limits, by permits and by the length of their log.
    Limits,
    /// Locks, beside `SET NX PX` and a script.
    Locks,
    /// All of them.
    All,
}

/// The results of one run.
#[derive(Debug, Serialize)]
struct Report {
    host: host::Host,
    #[serde(skip_serializing_if = "Option::is_none")]
    backends: Option<backends::Backends>,
    #[serde(skip_serializing_if = "Option::is_none")]
    isolation: Option<isolation::Isolation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<limits::Limits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locks: Option<locks::Locks>,
}

/// Measures, prints tables, writes the JSON.
pub(crate) fn run(args: &BenchArgs) -> Result<(), Failure> {
    let _awake = awake::Spinners::start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(args))
}

async fn measure(args: &BenchArgs) -> Result<(), Failure> {
    let host = host::Host::look(args.quick).await;
    let mut report = Report { host, backends: None, isolation: None, limits: None, locks: None };
    println!("{}\n", report.host);
    let is_wanted = |what| args.what == what || args.what == What::All;
    let either = is_wanted(What::Backends);
    let wanted = Wanted {
        redis: either || args.what == What::Redis,
        memory: either || args.what == What::Memory,
        operations: args.only.as_deref().unwrap_or_default(),
        quick: args.quick,
    };
    if wanted.redis || wanted.memory {
        let measured = backends::measure(&wanted).await?;
        println!("{}", measured.tables());
        report.backends = Some(measured);
    }
    if is_wanted(What::Isolation) {
        let measured = isolation::measure(args.quick).await?;
        println!("{}", measured.table());
        report.isolation = Some(measured);
    }
    if is_wanted(What::Limits) {
        let measured = limits::measure(args.quick).await?;
        println!("{}", measured.table());
        report.limits = Some(measured);
    }
    if is_wanted(What::Locks) {
        let measured = locks::measure(args.quick).await?;
        println!("{}", measured.table());
        report.locks = Some(measured);
    }
    if let Some(file) = &args.json {
        std::fs::write(file, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    Ok(())
}
