//! The arguments of `compartment analyze`, `compartment plan` and `compartment flush`.

use std::path::PathBuf;

use clap::Args;

use super::Load;

/// Show what is in a database, who writes it and what it costs.
#[derive(Args, Debug)]
#[command(after_help = ANALYZE_HELP)]
pub(crate) struct Analyze {
    /// This database only: a name, an index, or redis://host:port/index
    /// [default: all of the server that have keys]
    #[arg(long, value_name = "DATABASE")]
    pub(crate) database: Option<String>,

    /// Measure every element of every key instead of a sample; large keys block the server
    #[arg(long, conflicts_with = "rdb")]
    pub(crate) exact: bool,

    /// Read this dump instead of a server; with --database N that index of it only
    #[arg(long, value_name = "FILE")]
    pub(crate) rdb: Option<PathBuf>,

    /// How many of the biggest keys to list
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) top: usize,

    /// Look at a few values to see who wrote them, even where that resets their idle times
    /// (servers before Redis 7.2)
    #[arg(long, conflicts_with = "rdb")]
    pub(crate) look_at_values: bool,

    #[command(flatten)]
    pub(crate) load: Load,

    /// Print the whole analysis as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const ANALYZE_HELP: &str = "Changes nothing, and leaves every key's idle time as it is (but for \
Celery's tables of bindings, on servers before 7.2). Memory is the server's own figure for keys that may be large, and a sample of the others; what follows ± is \
by how much the sample may mislead: in 95 of 100 runs by no more.

Examples:
  compartment analyze --backend redis://127.0.0.1:6379
  compartment analyze --database 0 --limit-ops 5000
  compartment analyze --database cache --exact --top 20
  compartment analyze --rdb dump.rdb --json > analysis.json";

/// Propose which keys go to which database.
#[derive(Args, Debug)]
#[command(after_help = PLAN_HELP)]
pub(crate) struct PlanArguments {
    /// The database to separate: a name, an index, or redis://host:port/index
    #[arg(long, value_name = "DATABASE", default_value = "0")]
    pub(crate) from: String,

    /// Write the plan into this file
    #[arg(long, short, value_name = "FILE", default_value = "plan.toml")]
    pub(crate) output: PathBuf,

    /// Replace an existing file
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) load: Load,

    /// Print the plan as JSON besides writing it
    #[arg(long)]
    pub(crate) json: bool,
}

const PLAN_HELP: &str = "Changes nothing on the server. The file can be edited before \
`compartment migrate --plan` executes it.

Examples:
  compartment plan --backend redis://127.0.0.1:6379
  compartment plan --from 0 -o plan.toml
  compartment plan --from redis://old:6379/0 --limit-latency 5ms -o move.toml";

/// Remove the keys of one database.
#[derive(Args, Debug)]
#[command(after_help = FLUSH_HELP)]
pub(crate) struct Flush {
    /// The database: a name, an index, or redis://host:port/index
    #[arg(long, value_name = "DATABASE")]
    pub(crate) database: String,

    /// Only the keys that match this Redis glob; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub(crate) pattern: Vec<String>,

    /// Keep what stays by this plan too; may be given several times [default: the plans in the
    /// working folder and beside the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Vec<PathBuf>,

    /// Do it; without this only what would go is shown
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,

    /// Do it although the database is no cache: its name once more
    #[arg(long, value_name = "NAME")]
    pub(crate) yes_really: Option<String>,

    /// Show what would go, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) load: Load,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const FLUSH_HELP: &str = "Refused, with exit code 12, when the index is shared with another \
database, when the server has search indexes (FLUSHDB drops them all), when clients wait for \
elements in it, for databases that are no cache unless --yes-really names them, and while \
keys are there that a plan lets stay: each .toml file in the working folder and beside the \
configuration that is a plan for this database counts.

Examples:
  compartment flush --database cache
  compartment flush --database cache --yes
  compartment flush --database cache --pattern 'page:*' --limit-ops 2000 --yes
  compartment flush --database batch --yes-really batch";
