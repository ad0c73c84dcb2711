//! `cache`: costs and savings of the cache, beside alternatives, in one run.
//!
//! Each section is a file, which measures and returns a text to print and figures to write.

mod budget;
mod corpus;
mod hits;
mod load;
mod outage;
mod policies;
mod replacement;
mod trace;
mod traces;
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
    /// Measure only the hit rate of the first tier on this recorded trace: a text with an id in each line, a `.csv`
    /// with a column of ids, or a `.bin` in libCacheSim's format oracleGeneral.
    #[arg(long, value_name = "FILE", conflicts_with = "only")]
    trace: Option<PathBuf>,
}

const SECTIONS: [Section; 7] = [
    ("hits", |quick| hits::measure(quick).boxed_local()),
    ("zipf", |quick| zipf::measure(quick).boxed_local()),
    ("traces", |quick| traces::generated(quick).boxed_local()),
    ("load", |quick| load::measure(quick).boxed_local()),
    ("outage", |quick| outage::measure(quick).boxed_local()),
    ("budget", |quick| budget::measure(quick).boxed_local()),
    ("corpus", |quick| corpus::measure(quick).boxed_local()),
];

/// Measures, prints tables, writes the JSON.
pub(crate) fn run(args: &CacheArgs) -> Result<(), Failure> {
    let _awake = awake::Spinners::start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let json = args.json.as_deref();
    if let Some(file) = &args.trace {
        let recorded = traces::recorded(file);
        return runtime.block_on(section::measure_one("recorded", recorded, args.quick, json));
    }
    let only = args.only.as_deref();
    runtime.block_on(section::measure(&SECTIONS, args.quick, only, json))
}
