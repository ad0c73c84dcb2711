//! The arguments of `compartment worker`, `compartment workers` and `compartment submit`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::batch::ClassArgument;
use super::{LedgerArgument, duration};

/// Process batches and single tasks until stopped.
#[derive(Args, Debug)]
#[command(after_help = WORKER_HELP)]
pub(crate) struct Worker {
    /// Serve only these stages, separated by commas
    #[arg(long, value_name = "STAGES", value_delimiter = ',')]
    pub(crate) stages: Option<Vec<String>>,

    /// Serve only this batch, and no single tasks; can be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) batch: Vec<String>,

    /// Exit once the served batches are finished
    #[arg(long, requires = "batch")]
    pub(crate) until_finished: bool,

    /// Number of documents processed at the same time [default: the number of CPUs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) concurrency: Option<u32>,

    /// If this worker does not renew its leases for this long, others take over its documents [default: `[worker]
    /// lease`, 30s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) lease: Option<Duration>,

    /// On SIGTERM, finish running documents within this time, and hand back the rest
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "20s")]
    pub(crate) drain: Duration,

    /// Restart above this many MiB of memory; running documents are retried
    #[arg(long, value_name = "MIB")]
    pub(crate) memory_mib: Option<u64>,

    /// Name of this worker [default: host, process and a number]
    #[arg(long, value_name = "NAME")]
    pub(crate) id: Option<String>,

    /// Neither read nor write cached results; every stage computes its inputs again
    #[arg(long)]
    pub(crate) no_cache: bool,

    #[command(flatten)]
    pub(crate) ledger: LedgerArgument,

    /// Do not keep house beside the work, whatever `[housekeeping]` says
    #[arg(long)]
    pub(crate) no_housekeeping: bool,

    /// Remove completed and cancelled batches after this long
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "7d")]
    pub(crate) keep_finished: Duration,

    /// Keep at most this many MiB of completed and cancelled batches; the oldest are removed first,
    /// ten minutes after their end at the earliest
    #[arg(long, value_name = "MIB")]
    pub(crate) keep_finished_mib: Option<u64>,

    /// How long to wait for an unavailable server while results are still to be reported
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10m")]
    pub(crate) wait: Duration,

    #[command(flatten)]
    pub(crate) below: DocumentFolders,

    #[command(flatten)]
    pub(crate) reading: ReadingOptions,

    /// Print a summary as JSON at the end
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where documents are read.
#[derive(Args, Clone, Debug)]
pub(crate) struct DocumentFolders {
    /// Read only documents below these folders; a path that leads out of them is refused [default: `[worker]
    /// documents`, or any file that an entry names with its hash]
    #[arg(long, value_name = "DIR", num_args = 1..)]
    pub(crate) documents: Vec<PathBuf>,
}

/// How documents are read.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReadingOptions {
    /// OCR program for pages without a text layer
    #[arg(long, value_name = "PROGRAM", default_value = "tesseract")]
    pub(crate) ocr: String,

    /// Refuse files larger than this many MiB
    #[arg(long, value_name = "MIB", default_value_t = 100)]
    pub(crate) max_mib: u64,

    /// Fail a document that takes more than this many MiB of memory to read
    #[arg(
        long,
        value_name = "MIB",
        default_value_t = 1024,
        value_parser = clap::value_parser!(u64).range(MIN_READER_MIB..)
    )]
    pub(crate) reader_mib: u64,

    /// Fail a document that is not read within this time
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30m")]
    pub(crate) read_timeout: Duration,

    #[command(flatten)]
    pub(crate) services: ServiceOptions,
}

/// The services that read documents beside this program.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ServiceOptions {
    /// Have this language model look for mentions beside the rules [default: `[documents.model]`]
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,

    /// The OpenAI-compatible service of the model, such as https://api.openai.com/v1
    #[arg(long, value_name = "URL")]
    pub(crate) model_url: Option<String>,

    /// The environment variable with the key of the model
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) model_key_env: Option<String>,

    /// Instruct the model with this file instead of the built-in prompt
    #[arg(long, value_name = "FILE")]
    pub(crate) model_prompt: Option<PathBuf>,

    /// Ask no model, whatever `[documents.model]` says
    #[arg(long, conflicts_with_all = ["model", "model_url", "model_prompt"])]
    pub(crate) no_model: bool,

    /// Have this service read pages without text, instead of the OCR program [default: `[documents.ocr_service]`]
    #[arg(long, value_name = "URL")]
    pub(crate) ocr_service: Option<String>,

    /// The environment variable with the key of the OCR service
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) ocr_service_key_env: Option<String>,

    /// Ask no OCR service, whatever `[documents.ocr_service]` says
    #[arg(long, conflicts_with = "ocr_service")]
    pub(crate) no_ocr_service: bool,
}

/// A process that reads documents needs half of this for its stacks before it reads any.
const MIN_READER_MIB: u64 = 128;

const WORKER_HELP: &str = "Takes documents of batches (`compartment batch submit`, \
`compartment ingest --submit`) and single tasks (`compartment submit`) through the stages. Start as \
many workers as you have CPUs, on any machine that can read the documents. Whoever can write to the batch \
database names the files that are read: --documents limits them to some folders. SIGTERM or Ctrl-C stops it \
gracefully, a second one at once. If a worker is killed, its leases expire and others take over. \
One worker of a fleet keeps house (`compartment housekeeping`).

Examples:
  compartment worker --backend redis://10.0.0.5:6379 --ledger postgres://ledger/compartment
  compartment worker --documents /srv/papers --stages extract --concurrency 8 --memory-mib 4096
  compartment worker --batch smith-v-jones --until-finished";

/// The workers of a fleet.
#[derive(Args, Debug)]
pub(crate) struct Workers {
    #[command(subcommand)]
    pub(crate) command: WorkersCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkersCommand {
    /// List the workers with the stages they serve and the documents in progress
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
    /// The stage; missing results of earlier stages are computed first
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: String,

    /// The document: the path of its file, or the JSON of a batch entry
    #[arg(long, value_name = "TEXT", required_unless_present = "file", conflicts_with = "file")]
    pub(crate) data: Option<String>,

    /// The document's file
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,

    /// Priority of the task
    #[arg(long, value_name = "CLASS", default_value = "normal")]
    pub(crate) class: ClassArgument,

    /// Start no earlier than after this time
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) delay: Option<Duration>,

    /// Skip if another task with this key waits or is in progress
    #[arg(long, value_name = "KEY")]
    pub(crate) once: Option<String>,

    /// Only for workers with this version of the stage
    #[arg(long, value_name = "VERSION")]
    pub(crate) stage_version: Option<String>,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const SUBMIT_HELP: &str =
    "A batch entry is a JSON array of three strings: the hash of the content, the name of the \
document and the path of its file. Here a path alone is enough.

Examples:
  compartment submit --stage entities --file /papers/complaint.pdf
  compartment submit --stage extract --data /papers/complaint.pdf --class high";
