//! The arguments of `compartment ingest`.

use std::path::PathBuf;

use clap::Args;

use super::batch::SubmitOptions;
use super::worker::ReadingOptions;

/// Process legal documents.
#[derive(Args, Debug)]
#[command(after_help = INGEST_HELP)]
pub(crate) struct Ingest {
    /// Files and folders; folders are walked
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Write one JSON file a document into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// The project that the documents belong to
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) project: String,

    /// Documents worked on at the same time [default: the number of CPUs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) concurrency: Option<u32>,

    /// Neither read nor write cached results
    #[arg(long)]
    pub(crate) no_cache: bool,

    /// Submit the documents as a batch of the project's name, for `compartment worker`, and end
    #[arg(long, conflicts_with_all = ["out", "concurrency", "no_cache"])]
    pub(crate) submit: bool,

    #[command(flatten)]
    pub(crate) how: SubmitOptions,

    /// How long to wait for a server that goes away during the run, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) wait: u64,

    #[command(flatten)]
    pub(crate) reading: ReadingOptions,
}

const INGEST_HELP: &str =
    "Reads PDF (text layer, or OCR through tesseract where it is installed), \
HTML and plain text; the content decides, not the name. Other files in folders are skipped and \
counted. A document that cannot be read fails by itself, with its reason.

Results are cached under the document's content and each stage's version, so a second run is \
answered from the cache. Where a ledger is configured, what became of each document is kept there, as \
batch \"ingest:PROJECT\".

Examples:
  compartment ingest samples
  compartment ingest samples --out results --json > report.json
  compartment ingest papers --backend redis://127.0.0.1:6379 --project smith-v-jones";
