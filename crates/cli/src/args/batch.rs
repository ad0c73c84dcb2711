//! The arguments of `compartment batch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use compartment::queue::TaskClass;
use compartment_documents::files::Links;

use super::{LedgerArgument, duration};

/// Batches of documents that workers take through the stages.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Batch {
    #[command(subcommand)]
    pub(crate) command: BatchCommand,
}

const HELP: &str =
    "A batch is submitted once, and any number of `compartment worker` processes take \
its documents through the stages. Counts are exact: a document that is processed twice counts once.

Examples:
  compartment batch submit smith-v-jones papers --backend redis://127.0.0.1:6379
  compartment batch watch smith-v-jones
  compartment batch show smith-v-jones --json
  compartment batch retry smith-v-jones --stage extract
  compartment batch pause smith-v-jones";

#[derive(Debug, Subcommand)]
pub(crate) enum BatchCommand {
    /// Submit documents as a batch
    Submit(BatchSubmit),
    /// List the batches
    List(BatchList),
    /// Show the progress, the failures and the slowest documents of a batch
    Show(BatchShow),
    /// Watch a batch until it is completed
    Watch(BatchWatch),
    /// Stop handing out documents of a batch
    Pause(BatchChange),
    /// Continue a paused batch
    Resume(BatchChange),
    /// End a batch: none of its documents is processed any more
    Cancel(BatchChange),
    /// Retry dead documents
    Retry(BatchRetry),
    /// Compare the counts and the bits of a batch with the ledger
    Audit(BatchAudit),
    /// Rebuild batches from the ledger after their database was lost
    Rebuild(BatchRebuild),
    /// Remove a batch and its progress
    Remove(BatchRemove),
}

/// Which batch.
#[derive(Args, Clone, Debug)]
pub(crate) struct BatchName {
    /// The batch
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// Pause, resume or cancel a batch.
#[derive(Args, Debug)]
pub(crate) struct BatchChange {
    #[command(flatten)]
    pub(crate) batch: BatchName,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The priority of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClassArgument {
    /// Before everything else.
    High,
    /// Behind high work, for at most a minute.
    Normal,
    /// Behind all other work, for at most ten minutes.
    Low,
}

impl From<ClassArgument> for TaskClass {
    fn from(class: ClassArgument) -> Self {
        match class {
            ClassArgument::High => Self::High,
            ClassArgument::Normal => Self::Normal,
            ClassArgument::Low => Self::Low,
        }
    }
}

/// Submit a batch.
#[derive(Args, Debug)]
pub(crate) struct BatchSubmit {
    #[command(flatten)]
    pub(crate) batch: BatchName,

    /// Files and folders; folders are walked. Workers must see them under the same paths
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) links: LinkOptions,

    #[command(flatten)]
    pub(crate) how: SubmitOptions,

    /// Decisions that the summary of the batch follows: decisions.txt of `compartment resolve`
    #[arg(long, value_name = "FILE")]
    pub(crate) decisions: Option<PathBuf>,

    /// Leave the batch open, so that the same command can add more documents
    #[arg(long)]
    pub(crate) open: bool,

    /// Show what would be submitted, and submit nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which links are followed below the given paths.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct LinkOptions {
    /// Follow links that lead out of the given paths; they are failures otherwise
    #[arg(long)]
    pub(crate) follow_links: bool,
}

impl From<LinkOptions> for Links {
    fn from(options: LinkOptions) -> Self {
        if options.follow_links { Self::Everywhere } else { Self::Inside }
    }
}

/// How a batch is kept.
#[derive(Args, Clone, Debug)]
pub(crate) struct SubmitOptions {
    /// Priority of the batch
    #[arg(long, value_name = "CLASS", default_value = "normal")]
    pub(crate) class: ClassArgument,

    /// Refuse further documents once the entries of the batch take this many MiB
    #[arg(long, value_name = "MIB")]
    pub(crate) max_entry_mib: Option<u64>,

    /// Keep this many KiB of events for other systems to read; 0 for none
    #[arg(long, value_name = "KIB", default_value_t = 1024)]
    pub(crate) event_kib: u64,

    #[command(flatten)]
    pub(crate) ledger: LedgerArgument,
}

/// List batches.
#[derive(Args, Debug)]
pub(crate) struct BatchList {
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show a batch.
#[derive(Args, Debug)]
pub(crate) struct BatchShow {
    #[command(flatten)]
    pub(crate) batch: BatchName,

    #[command(flatten)]
    pub(crate) ledger: LedgerArgument,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Watch a batch.
#[derive(Args, Debug)]
pub(crate) struct BatchWatch {
    #[command(flatten)]
    pub(crate) batch: BatchName,

    /// Time between two updates
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "500ms")]
    pub(crate) every: Duration,

    /// Print a line of JSON for every change
    #[arg(long)]
    pub(crate) json: bool,
}

/// Retry dead documents.
#[derive(Args, Debug)]
pub(crate) struct BatchRetry {
    #[command(flatten)]
    pub(crate) batch: BatchName,

    /// Retry only documents that died at this stage
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<String>,

    /// Retry only documents whose error begins with this text, such as timed_out
    #[arg(long, value_name = "TEXT")]
    pub(crate) error: Option<String>,

    /// Count the documents that would be retried, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Audit batches.
#[derive(Args, Debug)]
pub(crate) struct BatchAudit {
    /// The batch [default: every batch]
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// Repair what is found: wrong counts, documents that no worker would get, a missed completion,
    /// missing rows and bits
    #[arg(long)]
    pub(crate) repair: bool,

    #[command(flatten)]
    pub(crate) ledger: LedgerArgument,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Rebuild batches.
#[derive(Args, Debug)]
pub(crate) struct BatchRebuild {
    /// The batch
    #[arg(value_name = "NAME", required_unless_present = "all")]
    pub(crate) name: Option<String>,

    /// Rebuild every batch that is in the ledger but not in the database
    #[arg(long, conflicts_with = "name")]
    pub(crate) all: bool,

    /// Show what would be rebuilt, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) ledger: LedgerArgument,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Remove a batch.
#[derive(Args, Debug)]
pub(crate) struct BatchRemove {
    #[command(flatten)]
    pub(crate) batch: BatchName,

    /// Remove it even if some documents are neither done nor dead, and do not tell the ledger: rows that
    /// wait are lost, and `batch rebuild --all` brings it back
    #[arg(long)]
    pub(crate) force: bool,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) ledger: LedgerArgument,
}
