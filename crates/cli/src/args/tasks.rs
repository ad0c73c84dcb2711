//! The arguments of `compartment tasks`.

use clap::{Args, Subcommand, ValueEnum};

use super::LedgerArgument;

/// The outcome of tasks: rows of the ledger, and dead letters of queues.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Tasks {
    #[command(subcommand)]
    pub(crate) command: TasksCommand,
}

const HELP: &str = "Every document of a batch has a row in the ledger for each stage that succeeded or \
failed. Dead single tasks (`compartment submit`) stay in the queue of their stage as dead letters until \
they are replayed or purged.

Examples:
  compartment tasks list --batch smith-v-jones --status dead
  compartment tasks list --error timed_out --json
  compartment tasks show smith-v-jones 17
  compartment tasks replay --stage extract --all
  compartment tasks purge --stage extract --error malformed --yes";

#[derive(Debug, Subcommand)]
pub(crate) enum TasksCommand {
    /// List tasks of the ledger and dead letters of queues
    List(TasksList),
    /// Show the outcome of one document or one single task
    Show(TasksShow),
    /// Put dead letters back into their queues
    Replay(TasksReplay),
    /// Remove dead letters, or everything in a stage's queue
    Purge(TasksPurge),
}

/// The status of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusArgument {
    /// Done.
    Done,
    /// Failed, and will be retried.
    Failed,
    /// Failed for good.
    Dead,
    /// Was dead, and will be retried.
    Retried,
}

/// List tasks.
#[derive(Args, Debug)]
pub(crate) struct TasksList {
    /// Only tasks of this batch
    #[arg(long, value_name = "NAME")]
    pub(crate) batch: Option<String>,

    /// Only tasks of this stage
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<String>,

    /// Only tasks with this status
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<StatusArgument>,

    /// Only tasks that this worker processed last
    #[arg(long, value_name = "WORKER")]
    pub(crate) worker: Option<String>,

    /// Only tasks whose error contains this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) error: Option<String>,

    /// Only dead letters of queues
    #[arg(long, conflicts_with_all = ["batch", "status", "worker"])]
    pub(crate) dead_letters: bool,

    /// List at most this many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: u64,

    /// Skip this many
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) offset: u64,

    #[command(flatten)]
    pub(crate) ledger: LedgerArgument,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show a task.
#[derive(Args, Debug)]
pub(crate) struct TasksShow {
    /// The name of the batch, or the stage of a single task
    #[arg(value_name = "BATCH|STAGE")]
    pub(crate) place: String,

    /// The document's number in the batch, or the id of the task
    #[arg(value_name = "NUMBER")]
    pub(crate) number: u64,

    #[command(flatten)]
    pub(crate) ledger: LedgerArgument,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which dead letters.
#[derive(Args, Clone, Debug)]
pub(crate) struct WhichDead {
    /// Only the queue of this stage [default: every stage]
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<String>,

    /// Dead letters whose error begins with this text, such as timed_out
    #[arg(long, value_name = "TEXT", conflicts_with = "ids")]
    pub(crate) error: Option<String>,

    /// All dead letters
    #[arg(long, conflicts_with_all = ["ids", "error"])]
    pub(crate) all: bool,

    /// Ids of dead letters
    #[arg(value_name = "ID", required_unless_present_any = ["all", "error"], requires = "stage")]
    pub(crate) ids: Vec<u64>,
}

/// Replay dead letters.
#[derive(Args, Debug)]
pub(crate) struct TasksReplay {
    #[command(flatten)]
    pub(crate) which: WhichDead,

    /// Count them, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Purge dead letters.
#[derive(Args, Debug)]
pub(crate) struct TasksPurge {
    #[command(flatten)]
    pub(crate) which: WhichDead,

    /// With --stage and --all: also remove tasks that wait or are in progress
    #[arg(long, requires = "stage", requires = "all")]
    pub(crate) everything: bool,

    /// Remove the tasks; without this flag they are only counted
    #[arg(long)]
    pub(crate) yes: bool,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
