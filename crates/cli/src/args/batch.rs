//! The arguments of `compartment batch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use compartment::queue::TaskClass;

use super::{LedgerArgument, duration};

/// Batches of documents that workers take through the stages.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Batch {
    #[command(subcommand)]
    pub(crate) command: BatchCommand,
}

const HELP: &str = "A batch is submitted once, and any number of `compartment worker` take its \
documents through the stages. What is counted is exact: a document that is done twice counts once.

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
    /// Show how far a batch is, what failed and what takes long
    Show(BatchShow),
    /// Watch a batch until it is completed
    Watch(BatchWatch),
    /// Hand out nothing of a batch for now
    Pause(BatchChange),
    /// Go on with a batch that is paused
    Resume(BatchChange),
    /// End a batch as it is: nothing of it is worked on any more
    Cancel(BatchChange),
    /// Try documents again that are dead
    Retry(BatchRetry),
    /// Compare what a batch counts, what its bits say and what the ledger has
    Audit(BatchAudit),
    /// Make batches anew from the ledger, after their database was lost
    Rebuild(BatchRebuild),
    /// Remove a batch, and all that is kept of its progress
    Remove(BatchRemove),
}

/// Which batch.
#[derive(Args, Clone, Debug)]
pub(crate) struct BatchName {
    /// The batch
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// Change how a batch goes on.
#[derive(Args, Debug)]
pub(crate) struct BatchChange {
    #[command(flatten)]
    pub(crate) batch: BatchName,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How soon a batch is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClassArgument {
    /// Before everything else.
    High,
    /// Passed by what is high for a minute at most.
    Normal,
    /// Passed by others for ten minutes at most.
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

    /// Files and folders; folders are walked. Workers have to see them under the same paths
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) how: SubmitOptions,

    /// Leave the batch open, so that more can be submitted to it by the same command
    #[arg(long)]
    pub(crate) open: bool,

    /// Say what would be submitted, and submit nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a batch is kept.
#[derive(Args, Clone, Debug)]
pub(crate) struct SubmitOptions {
    /// How soon it is wanted
    #[arg(long, value_name = "CLASS", default_value = "normal")]
    pub(crate) class: ClassArgument,

    /// Refuse documents once their entries take this many MiB
    #[arg(long, value_name = "MIB")]
    pub(crate) max_entry_mib: Option<u64>,

    /// Keep this many KiB of events for other systems to follow; 0 for none
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

    /// Look this often
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "500ms")]
    pub(crate) every: Duration,

    /// Print a line of JSON each time something has changed
    #[arg(long)]
    pub(crate) json: bool,
}

/// Try again.
#[derive(Args, Debug)]
pub(crate) struct BatchRetry {
    #[command(flatten)]
    pub(crate) batch: BatchName,

    /// Only what died at this stage
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<String>,

    /// Only what died of an error that begins with this, as in timed_out
    #[arg(long, value_name = "TEXT")]
    pub(crate) error: Option<String>,

    /// Count what would be tried again, and change nothing
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

    /// Set right what is found: counts, what nobody would be handed, a completion that was missed, rows
    /// and bits that are missing
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

    /// Every batch that the ledger knows and that is not there
    #[arg(long, conflicts_with = "name")]
    pub(crate) all: bool,

    /// Say what would be made, and make nothing
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

    /// Also while documents of it are neither done nor dead, and without telling the ledger
    #[arg(long)]
    pub(crate) force: bool,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) ledger: LedgerArgument,
}
