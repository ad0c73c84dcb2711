//! Processor time of a run with readers in this process and in processes of their own, in interleaved pairs. It is what
//! documents a second depend on, and is not changed by what else the machine does.
//!
//! Run it with `cargo run --release -p compartment-documents --example reader_cost -- FOLDER PAIRS`.

#![expect(clippy::print_stdout, reason = "an example shows what it measures")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use compartment_core::backend::Backend;
use compartment_core::{DatabaseMap, Databases, Preset};
use compartment_documents::reader::{Reader, ReaderLimits, ReaderProgram, serve};
use compartment_documents::{IngestOptions, ingest};
use compartment_memory::{MemoryBackend, MemoryConfig};
use compartment_pipeline::{Progress, Silent};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const READ_DOCUMENTS: &str = "read-documents";

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next().ok_or("name a folder of documents")?;
    if first == READ_DOCUMENTS {
        return Ok(serve(arguments)?);
    }
    let pairs: usize = match arguments.next() {
        Some(pairs) => pairs.to_string_lossy().parse()?,
        None => 7,
    };
    let folder = PathBuf::from(first);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measure = |children: bool| runtime.block_on(processor_time(&folder, children));
    // The first run reads the files from the disk and compiles expressions.
    measure(false)?;
    let mut costs = Vec::new();
    for pair in 0..pairs {
        // Each kind goes first in every other pair.
        let children_first = pair % 2 == 1;
        let first = measure(children_first)?;
        let second = measure(!children_first)?;
        let (here, children) = if children_first { (second, first) } else { (first, second) };
        let cost = 100.0 * (children / here - 1.0);
        println!("{here:6.2} s here, {children:6.2} s in children: {cost:+.1} %");
        costs.push(cost);
    }
    costs.sort_by(f64::total_cmp);
    println!("median of {pairs} pairs: {:+.1} %", costs[costs.len() / 2]);
    Ok(())
}

/// Seconds of processor time of this process and of its children that have ended; 0 on systems without `/proc`.
fn used() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    // `utime`, `stime`, `cutime` and `cstime` of proc(5), counted from the state.
    let ticks: f64 = fields.skip(11).take(4).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_SECOND
}

/// A run over the folder in memory, without results of earlier runs.
async fn processor_time(folder: &std::path::Path, children: bool) -> Result<f64, Failure> {
    let map = DatabaseMap::preset(Preset::Pipeline, "memory://")?;
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new(MemoryConfig::default()));
    let backends = BTreeMap::from([("primary".to_owned(), backend)]);
    let databases = Databases::open(map, &backends).await?;
    let mut options = IngestOptions::default();
    if children {
        let program = ReaderProgram::this_program(READ_DOCUMENTS)?;
        options.reader = Reader::in_children(program, ReaderLimits::default());
    }
    let (progress, before) = (Progress::new(Arc::new(Silent)), used());
    ingest(&databases, &[folder.to_owned()], &options, &progress).await?;
    drop((databases, options));
    // The threads of idle processes wait for them.
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    Ok(used() - before)
}
