//! The arguments of `compartment worker`, `compartment workers` and `compartment submit`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::batch::ClassArgument;
use super::{LedgerArgument, duration};

/// Work on batches and single tasks until told to end.
#[derive(Args, Debug)]
#[command(after_help = WORKER_HELP)]
pub(crate) struct Worker {
    /// Serve these stages only, separated by commas
    #[arg(long, value_name = "STAGES", value_delimiter = ',')]
    pub(crate) stages: Option<Vec<String>>,

    /// Serve this batch only, and no single tasks; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub(crate) batch: Vec<String>,

    /// End once the batches that are served need nothing any more
    #[arg(long, requires = "batch")]
    pub(crate) until_finished: bool,

    /// Documents worked on at the same time [default: the number of CPUs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) concurrency: Option<u32>,

    /// After so long without a sign of this worker others take its documents
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    pub(crate) lease: Duration,

    /// When told to end, finish what was begun within this time, and hand back the rest
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "20s")]
    pub(crate) drain: Duration,

    /// Start anew when the memory passes this many MiB; what is worked on then is tried again
    #[arg(long, value_name = "MIB")]
    pub(crate) memory_mib: Option<u64>,

    /// The name of this worker [default: host, process and a number]
    #[arg(long, value_name = "NAME")]
    pub(crate) id: Option<String>,

    /// Neither read nor write cached results: each stage makes anew what it needs
    #[arg(long)]
    pub(crate) no_cache: bool,

    #[command(flatten)]
    pub(crate) ledger: LedgerArgument,

    /// Keep completed and cancelled batches this long
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "7d")]
    pub(crate) keep_finished: Duration,

    /// Keep this many MiB of completed and cancelled batches; the oldest go, once ten minutes old
    #[arg(long, value_name = "MIB")]
    pub(crate) keep_finished_mib: Option<u64>,

    /// How long to wait for a server that goes away while there is something to tell it
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10m")]
    pub(crate) wait: Duration,

    #[command(flatten)]
    pub(crate) reading: ReadingOptions,

    /// Print what was done as JSON at the end
    #[arg(long)]
    pub(crate) json: bool,
}

/// How documents are read.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReadingOptions {
    /// The OCR program for pages without text
    #[arg(long, value_name = "PROGRAM", default_value = "tesseract")]
    pub(crate) ocr: String,

    /// Refuse files larger than this many MiB
    #[arg(long, value_name = "MIB", default_value_t = 100)]
    pub(crate) max_mib: u64,
}

const WORKER_HELP: &str = "Takes documents of batches (`compartment batch submit`, \
`compartment ingest --submit`) and single tasks (`compartment submit`) through the stages. Start as \
many as there are CPUs for, on as many machines as see the documents. SIGTERM or Ctrl-C ends it in \
good order, a second one at once. One that is killed loses its leases, and others do its documents.

Examples:
  compartment worker --backend redis://10.0.0.5:6379 --ledger postgres://ledger/compartment
  compartment worker --stages extract --concurrency 8 --memory-mib 4096
  compartment worker --batch smith-v-jones --until-finished";

/// The workers of a fleet.
#[derive(Args, Debug)]
pub(crate) struct Workers {
    #[command(subcommand)]
    pub(crate) command: WorkersCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkersCommand {
    /// List the workers, what they serve and what they work on
    List {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Submit a single task.
#[derive(Args, Debug)]
#[command(after_help = SUBMIT_HELP)]
pub(crate) struct Submit {
    /// The stage; what it needs of earlier ones is made on the way
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: String,

    /// What names the document: the path of its file, or the JSON that entries of batches are
    #[arg(long, value_name = "TEXT", required_unless_present = "file", conflicts_with = "file")]
    pub(crate) data: Option<String>,

    /// The document's file
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,

    /// How soon it is wanted
    #[arg(long, value_name = "CLASS", default_value = "normal")]
    pub(crate) class: ClassArgument,

    /// Not before this time has passed
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) delay: Option<Duration>,

    /// Not while another task of this key waits or is worked on
    #[arg(long, value_name = "KEY")]
    pub(crate) once: Option<String>,

    /// Only by workers whose stage is of this version
    #[arg(long, value_name = "VERSION")]
    pub(crate) stage_version: Option<String>,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const SUBMIT_HELP: &str =
    "An entry of a batch is a JSON array of three texts: the content's hash, the \
document's name and its file's path. A path alone is enough here.

Examples:
  compartment submit --stage entities --file /papers/complaint.pdf
  compartment submit --stage extract --data /papers/complaint.pdf --class high";
