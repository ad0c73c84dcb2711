//! `cache`: what the cache costs and what it saves, beside what else there is, in one run.
//!
//! A section is a file: it measures, and gives a text to print and figures to write.

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
use futures_util::future::LocalBoxFuture;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::measure::{Failure, awake, host};

/// What to measure and where to write it.
#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    /// A fifth of the time: to see that it works, not to quote.
    #[arg(long)]
    quick: bool,
    /// Write every figure to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure only this section.
    #[arg(long, value_name = "SECTION", value_parser = SECTIONS.map(|section| section.0))]
    only: Option<String>,
}

/// What a section has found.
struct Measured {
    text: String,
    figures: Value,
}

impl Measured {
    fn new(text: String, figures: &impl Serialize) -> Result<Self, Failure> {
        Ok(Self { text, figures: serde_json::to_value(figures)? })
    }
}

/// Measures; a fifth of the time where that is wanted.
type Section = fn(bool) -> LocalBoxFuture<'static, Result<Measured, Failure>>;

const SECTIONS: [(&str, Section); 6] = [
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
    runtime.block_on(measure(args))
}

async fn measure(args: &CacheArgs) -> Result<(), Failure> {
    let host = host::Host::look(args.quick).await;
    println!("{host}\n");
    let mut report = Map::new();
    report.insert("host".to_owned(), serde_json::to_value(host)?);
    for (name, section) in SECTIONS {
        if args.only.as_deref().is_none_or(|only| only == name) {
            let measured = section(args.quick).await?;
            println!("{}", measured.text);
            report.insert(name.to_owned(), measured.figures);
        }
    }
    if let Some(file) = &args.json {
        std::fs::write(file, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    Ok(())
}
