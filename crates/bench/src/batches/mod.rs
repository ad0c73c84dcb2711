//! `batches`: the cost of a document in batches, in queues and in a worker, in one run.

mod engine;
pub(crate) mod fleet;
mod ours;
#[cfg(feature = "peers")]
mod peers;
mod queue;
pub(crate) mod server;
pub(crate) mod state;
mod stores;
mod stream;

use std::path::PathBuf;

use clap::Args;
use futures_util::FutureExt;

use crate::measure::section::{self, Section};
use crate::measure::{Failure, awake};

/// Options of the benchmark.
#[derive(Debug, Args)]
pub(crate) struct BatchesArgs {
    /// Measure a fifth of the documents: a smoke test, whose figures must not be quoted.
    #[arg(long)]
    quick: bool,
    /// Write every figure to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure only this section.
    #[arg(long, value_name = "SECTION", value_parser = SECTIONS.map(|section| section.0))]
    only: Option<String>,
}

const SECTIONS: [Section; 5] = [
    ("stores", |quick| stores::measure(quick).boxed_local()),
    ("queue", |quick| queue::measure(quick).boxed_local()),
    ("engine", |quick| engine::measure(quick).boxed_local()),
    ("state", |quick| state::measure(quick).boxed_local()),
    ("fleet", |quick| fleet::measure(quick).boxed_local()),
];

/// Measures, prints tables, writes the JSON.
pub(crate) fn run(args: &BatchesArgs) -> Result<(), Failure> {
    let _awake = awake::Spinners::start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let only = args.only.as_deref();
    runtime.block_on(section::measure(&SECTIONS, args.quick, only, args.json.as_deref()))
}
