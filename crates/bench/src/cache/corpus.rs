//! `corpus`: repeated runs over equal documents, with and without the cache: loader calls and hits.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use comfy_table::Table;
use compartment::pipeline::{Progress, Silent};
use compartment::{DatabaseMap, Databases, Preset};
use compartment_documents::{IngestOptions, IngestReport, ingest};
use compartment_testkit::TestRedis;
use serde::Serialize;

use super::Measured;
use crate::measure::Failure;
use crate::measure::corpus::corpus;
use crate::measure::table::{align, plain};

/// Runs over the documents, each with an empty first tier, like a new process.
const RUNS: usize = 3;

/// One run.
#[derive(Debug, Serialize)]
struct Run {
    cached: bool,
    documents: u64,
    seconds: f64,
    /// Number of stage runs.
    loads: u64,
    hits: u64,
    misses: u64,
}

pub(super) async fn measure(quick: bool) -> Result<Measured, Failure> {
    let corpus = corpus();
    let server = TestRedis::start().await;
    let mut runs = Vec::new();
    for cached in [true, false] {
        for _ in 0..if quick { 2 } else { RUNS } {
            runs.push(once(&corpus, &server.url(), cached).await?);
        }
    }
    let (with, without): (Vec<&Run>, Vec<&Run>) = runs.iter().partition(|run| run.cached);
    let loads = |runs: &[&Run]| runs.iter().map(|run| run.loads).sum::<u64>();
    let (made, needed) = (loads(&with), loads(&without));
    let again = with.iter().skip(1);
    let (hits, misses) =
        again.fold((0, 0), |(hits, misses), run| (hits + run.hits, misses + run.misses));
    let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64 * 100.0;
    let text = format!(
        "{} documents, {} runs each with the cache and without\n{}\n\n\
         loader calls: {made} instead of {needed}, {:.0} % fewer\n\
         hits among the reads of the runs after the first: {:.1} %\n",
        runs.first().map_or(0, |run| run.documents),
        with.len(),
        table(&runs),
        100.0 - share(made, needed),
        share(hits, hits + misses),
    );
    Measured::new(text, &runs)
}

async fn once(corpus: &Path, url: &str, cached: bool) -> Result<Run, Failure> {
    let databases: Databases =
        compartment::open(DatabaseMap::preset(Preset::Pipeline, url)?).await?;
    let mut options = IngestOptions::default();
    options.cache = cached;
    let progress = Progress::new(Arc::new(Silent));
    let folders = ["pdf", "scanned", "text", "html"].map(|folder| corpus.join(folder));
    let folders = folders.into_iter().filter(|folder| folder.is_dir()).collect::<Vec<_>>();
    let paths = if folders.is_empty() { vec![corpus.to_owned()] } else { folders };
    let started = Instant::now();
    let report: IngestReport = ingest(&databases, &paths, &options, &progress).await?;
    // Resolving over all documents is not the work of a loader.
    let own = report.stages.iter().filter(|(stage, _)| **stage != "across");
    Ok(Run {
        cached,
        documents: report.documents.total,
        seconds: started.elapsed().as_secs_f64(),
        loads: own.map(|(_, figures)| figures.computed).sum(),
        hits: report.cache.hits(),
        misses: report.cache.misses,
    })
}

fn table(runs: &[Run]) -> Table {
    let mut table = plain(["run", "seconds", "loader calls", "hits", "misses"]);
    for (at, run) in runs.iter().enumerate() {
        let name = if run.cached { "with the cache" } else { "without" };
        table.add_row([
            format!("{} {name}", at + 1),
            format!("{:.2}", run.seconds),
            run.loads.to_string(),
            run.hits.to_string(),
            run.misses.to_string(),
        ]);
    }
    align(&mut table);
    table
}
