//! The arguments of `compartment ingest`.

use std::path::PathBuf;

use clap::Args;

use super::batch::{LinkOptions, SubmitOptions};
use super::worker::ReadingOptions;

/// Process legal documents.
#[derive(Args, Debug)]
#[command(after_help = INGEST_HELP)]
pub(crate) struct Ingest {
    /// Files and folders; folders are walked
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) links: LinkOptions,

    /// Write one JSON file for each document to this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// The project that the documents belong to
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) project: String,

    /// Number of documents processed at the same time [default: the number of CPUs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) concurrency: Option<u32>,

    /// Neither read nor write cached results
    #[arg(long)]
    pub(crate) no_cache: bool,

    /// Submit the documents as a batch named after the project, for `compartment worker`, and exit
    #[arg(long, conflicts_with_all = ["out", "concurrency", "no_cache"])]
    pub(crate) submit: bool,

    #[command(flatten)]
    pub(crate) how: SubmitOptions,

    /// Seconds to wait for a server that goes away during the run
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) wait: u64,

    #[command(flatten)]
    pub(crate) reading: ReadingOptions,
}

const INGEST_HELP: &str =
    "Reads PDF (text layer, or OCR through tesseract where it is installed), \
HTML, Word documents (DOCX), e-mails with their attachments and plain text, recognized by their content. Other files in folders are skipped and counted. A \
document that cannot be read fails alone, with its reason. A link that leads out of the given paths is such \
a failure: somebody else may have put it there.

Results are cached by document content and stage version, so a second run is answered from the \
cache. If a ledger is named or configured, it records the outcome of each document as batch \
\"ingest:PROJECT\".

Examples:
  compartment ingest samples
  compartment ingest samples --out results --json > report.json
  compartment ingest papers --backend redis://127.0.0.1:6379 --project smith-v-jones";
