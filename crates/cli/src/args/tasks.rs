//! The arguments of `compartment tasks`.

use clap::{Args, Subcommand, ValueEnum};

use super::LedgerArgument;

/// What became of tasks: rows of the ledger, and dead letters of queues.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Tasks {
    #[command(subcommand)]
    pub(crate) command: TasksCommand,
}

const HELP: &str = "Documents of batches have a row in the ledger for each stage that ended, however it \
ended. Single tasks (`compartment submit`) that died are dead letters of their stage's queue until they \
are replayed or purged.

Examples:
  compartment tasks list --batch smith-v-jones --status dead
  compartment tasks list --error timed_out --json
  compartment tasks show smith-v-jones 17
  compartment tasks replay --stage extract --all
  compartment tasks purge --stage extract --error malformed --yes";

#[derive(Debug, Subcommand)]
pub(crate) enum TasksCommand {
    /// List tasks of the ledger, and dead letters of queues
    List(TasksList),
    /// Show what became of one document, or of one single task
    Show(TasksShow),
    /// Let dead letters wait to be worked on again
    Replay(TasksReplay),
    /// Remove dead letters, or everything in a stage's queue
    Purge(TasksPurge),
}

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusArgument {
    /// Done.
    Done,
    /// Failed, and to be tried again.
    Failed,
    /// Failed for good.
    Dead,
    /// Dead before, and to be tried again.
    Retried,
}

/// List tasks.
#[derive(Args, Debug)]
pub(crate) struct TasksList {
    /// Of this batch only
    #[arg(long, value_name = "NAME")]
    pub(crate) batch: Option<String>,

    /// Of this stage only
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<String>,

    /// That stand so
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<StatusArgument>,

    /// That this worker had last
    #[arg(long, value_name = "WORKER")]
    pub(crate) worker: Option<String>,

    /// Whose error has this in it
    #[arg(long, value_name = "TEXT")]
    pub(crate) error: Option<String>,

    /// Dead letters of queues only
    #[arg(long, conflicts_with_all = ["batch", "status", "worker"])]
    pub(crate) dead_letters: bool,

    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: u64,

    /// After so many that fit
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
    /// The batch, or the stage of a single task
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
    /// Of this stage's queue [default: of every stage's]
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<String>,

    /// Those that died of an error that begins with this, as in timed_out
    #[arg(long, value_name = "TEXT", conflicts_with = "ids")]
    pub(crate) error: Option<String>,

    /// All of them
    #[arg(long, conflicts_with_all = ["ids", "error"])]
    pub(crate) all: bool,

    /// These, by their ids
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

    /// With --stage and --all: what waits and what is worked on too
    #[arg(long, requires = "stage", requires = "all")]
    pub(crate) everything: bool,

    /// Remove them, rather than count them
    #[arg(long)]
    pub(crate) yes: bool,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
