//! `cache`: costs and savings of the cache, beside alternatives, in one run.
//!
//! Each section is a file, which measures and returns a text to print and figures to write.

mod budget;
mod corpus;
mod hits;
mod load;
mod outage;
mod replacement;
mod trace;
mod zipf;

use std::path::PathBuf;

use clap::Args;
use futures_util::FutureExt;

use crate::measure::section::{self, Measured, Section};
use crate::measure::{Failure, awake};

/// Options of the benchmark.
#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    /// Measure for a fifth of the time: a smoke test, whose figures must not be quoted.
    #[arg(long)]
    quick: bool,
    /// Write every figure to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure only this section.
    #[arg(long, value_name = "SECTION", value_parser = SECTIONS.map(|section| section.0))]
    only: Option<String>,
}

const SECTIONS: [Section; 6] = [
    ("hits", |quick| hits::measure(quick).boxed_local()),
    ("zipf", |quick| zipf::measure(quick).boxed_local()),
    ("load", |quick| load::measure(quick).boxed_local()),
    ("outage", |quick| outage::measure(quick).boxed_local()),
    ("budget", |quick| budget::measure(quick).boxed_local()),
    ("corpus", |quick| corpus::measure(quick).boxed_local()),
];

/// Measures, prints tables, writes the JSON.
pub(crate) fn run(args: &CacheArgs) -> Result<(), Failure> {
    let _awake = awake::Spinners::start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let only = args.only.as_deref();
    runtime.block_on(section::measure(&SECTIONS, args.quick, only, args.json.as_deref()))
}
