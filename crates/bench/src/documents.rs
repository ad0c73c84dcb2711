//! `bench documents`: `ingest` of a thousand documents, on memory and on Redis, twice each.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use compartment::pipeline::{ProcessMemory, Progress, Silent};
use compartment::{DatabaseMap, Preset};
use compartment_documents::files::Links;
use compartment_documents::{IngestOptions, IngestReport, ingest};
use compartment_testkit::TestRedis;
use serde::{Deserialize, Serialize};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Options of the benchmark.
#[derive(Debug, Args)]
pub(crate) struct DocumentsArgs {
    /// A folder of documents, which are copied with distinct content until there are enough.
    #[arg(long, value_name = "PATH")]
    corpus: PathBuf,
    /// Number of documents.
    #[arg(long, default_value_t = 1_000)]
    documents: usize,
    /// Write every figure to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// One run in a separate process, so that its peak memory can be measured.
#[derive(Debug, Args)]
pub(crate) struct OnceArgs {
    folder: PathBuf,
    backend: String,
}

/// The result of one run.
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    run: String,
    documents: u64,
    failed: u64,
    seconds: f64,
    documents_per_second: f64,
    answered_from_cache: f64,
    peak_memory_bytes: u64,
    entities: u64,
    relationships: u64,
}

/// Makes the documents, runs `ingest` four times, and prints a table.
pub(crate) fn run(args: &DocumentsArgs) -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("compartment-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure(args, &folder);
    let removed = std::fs::remove_dir_all(&folder);
    let (outcomes, bytes) = measured?;
    removed?;
    println!(
        "{} documents of {}, {:.1} MB in all\n",
        args.documents,
        args.corpus.display(),
        bytes as f64 / 1e6
    );
    println!("{}", table(&outcomes));
    if let Some(file) = &args.json {
        std::fs::write(file, serde_json::to_string_pretty(&outcomes)? + "\n")?;
    }
    Ok(())
}

fn measure(args: &DocumentsArgs, folder: &Path) -> Result<(Vec<Outcome>, u64), Failure> {
    let bytes = repeat(&args.corpus, folder, args.documents)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let server = runtime.block_on(TestRedis::start());
    let url = server.url();
    let runs = [
        ("memory", "memory://"),
        ("redis, first run", url.as_str()),
        ("redis, second run", url.as_str()),
    ];
    let outcomes =
        runs.into_iter().map(|(name, url)| once(name, folder, url)).collect::<Result<_, _>>()?;
    Ok((outcomes, bytes))
}

/// Copies the corpus with distinct content until there are `count` documents; returns their total
/// bytes.
pub(crate) fn repeat(corpus: &Path, folder: &Path, count: usize) -> Result<u64, Failure> {
    let folders = ["pdf", "scanned", "text", "html"].map(|name| corpus.join(name));
    let found = compartment_documents::files::discover(&folders, Links::Inside);
    if found.files.is_empty() {
        return Err(format!("no documents below {}", corpus.display()).into());
    }
    let mut bytes = 0;
    for number in 0..count {
        let file = &found.files[number % found.files.len()];
        let mut content = std::fs::read(&file.path)?;
        let ending = file.path.extension().unwrap_or_default().to_string_lossy().into_owned();
        // A comment if the format has one, so that only the hash changes.
        let mark = match ending.as_str() {
            "pdf" => format!("\n% copy {number}\n%%EOF\n"),
            "html" => format!("\n<!-- copy {number} -->\n"),
            _ => format!("\n[copy {number}]\n"),
        };
        content.extend_from_slice(mark.as_bytes());
        bytes += content.len() as u64;
        std::fs::write(folder.join(format!("{number:05}.{ending}")), content)?;
    }
    Ok(bytes)
}

fn once(name: &str, folder: &Path, url: &str) -> Result<Outcome, Failure> {
    eprintln!("{name} …");
    let output = Command::new(std::env::current_exe()?)
        .arg("documents-once")
        .args([folder.as_os_str(), url.as_ref()])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let mut outcome: Outcome = serde_json::from_slice(&output.stdout)?;
    name.clone_into(&mut outcome.run);
    Ok(outcome)
}

/// The hidden subcommand: one run, its outcome as JSON.
pub(crate) fn run_once(args: &OnceArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report: IngestReport = runtime.block_on(async {
        let map = DatabaseMap::preset(Preset::Pipeline, &args.backend)?;
        let databases = compartment::open(map).await?;
        let progress = Progress::new(Arc::new(Silent));
        let folder = [args.folder.clone()];
        let options = IngestOptions::default();
        Ok::<_, Failure>(ingest(&databases, &folder, &options, &progress).await?)
    })?;
    let outcome = Outcome {
        run: String::new(),
        documents: report.documents.total,
        failed: report.documents.failed,
        seconds: report.elapsed().as_secs_f64(),
        documents_per_second: report.documents_per_second,
        answered_from_cache: report.answered_from_cache().unwrap_or(0.0),
        peak_memory_bytes: ProcessMemory::now().and_then(|memory| memory.peak).unwrap_or(0),
        entities: report.entities.values().sum(),
        relationships: report.relationships.values().sum(),
    };
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

fn table(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["run", "done", "failed", "seconds", "documents/s", "cached", "peak MiB"]);
    for outcome in outcomes {
        table.add_row([
            outcome.run.clone(),
            (outcome.documents - outcome.failed).to_string(),
            outcome.failed.to_string(),
            format!("{:.1}", outcome.seconds),
            format!("{:.1}", outcome.documents_per_second),
            format!("{:.0} %", outcome.answered_from_cache * 100.0),
            (outcome.peak_memory_bytes / (1 << 20)).to_string(),
        ]);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        if index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
