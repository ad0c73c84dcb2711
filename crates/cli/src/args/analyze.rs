//! The arguments of `compartment analyze`, `compartment plan` and `compartment flush`.

use std::path::PathBuf;

use clap::Args;

use super::Load;

/// Show the keys of a database by pattern, with their programs, memory and TTLs.
#[derive(Args, Debug)]
#[command(after_help = ANALYZE_HELP)]
pub(crate) struct Analyze {
    /// Analyze only this database: a name, an index, or redis://host:port/index
    /// [default: every database of the server that has keys]
    #[arg(long, value_name = "DATABASE")]
    pub(crate) database: Option<String>,

    /// Measure every element of every key instead of a sample; the server blocks while it measures
    /// a large key
    #[arg(long, conflicts_with = "rdb")]
    pub(crate) exact: bool,

    /// Read this RDB dump instead of a server; --database N picks one index of it
    #[arg(long, value_name = "FILE")]
    pub(crate) rdb: Option<PathBuf>,

    /// Number of largest keys to list
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) top: usize,

    /// Read a few values to recognize the programs that wrote them, even if that resets their idle
    /// times (servers before Redis 7.2)
    #[arg(long, conflicts_with = "rdb")]
    pub(crate) look_at_values: bool,

    #[command(flatten)]
    pub(crate) load: Load,

    /// Print the whole analysis as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const ANALYZE_HELP: &str = "Changes nothing, and leaves the idle time of every key as it is (except \
Celery's binding tables on servers before 7.2). Memory is the server's own figure for keys that may \
be large, and an estimate from a sample for the others; ± gives its 95 % confidence interval.

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

    /// Write the plan to this file
    #[arg(long, short, value_name = "FILE", default_value = "plan.toml")]
    pub(crate) output: PathBuf,

    /// Also write a configuration with a front that keeps each group in its database
    #[arg(long, value_name = "FILE")]
    pub(crate) front: Option<PathBuf>,

    /// Replace an existing file
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) load: Load,

    /// Also print the plan as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const PLAN_HELP: &str = "Changes nothing on the server. The file can be edited before \
`compartment migrate --plan` executes it.

Examples:
  compartment plan --backend redis://127.0.0.1:6379
  compartment plan --from 0 -o plan.toml
  compartment plan --from 0 --front front.toml    routes for `compartment front`
  compartment plan --from redis://old:6379/0 --limit-latency 5ms -o move.toml";

/// Remove the keys of one database.
#[derive(Args, Debug)]
#[command(after_help = FLUSH_HELP)]
pub(crate) struct Flush {
    /// The database: a name, an index, or redis://host:port/index
    #[arg(long, value_name = "DATABASE")]
    pub(crate) database: String,

    /// Remove only keys that match this Redis glob; can be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) pattern: Vec<String>,

    /// Refuse to remove keys that this plan leaves in place; can be repeated [default: the plans in
    /// the working folder and beside the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Vec<PathBuf>,

    /// Remove the keys; without this flag they are only shown
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,

    /// Confirm by name that a database of another kind than cache may be flushed
    #[arg(long, value_name = "NAME")]
    pub(crate) yes_really: Option<String>,

    /// Show which keys would be removed, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) load: Load,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const FLUSH_HELP: &str = "Refused with exit code 12 if the index is shared with another database, if \
the server has search indexes (FLUSHDB drops them all), if clients are blocked on keys in it, if the \
database is not a cache and --yes-really does not name it, or if it holds keys that a plan leaves in \
place. Every .toml file in the working folder and beside the configuration that is a plan for this \
database counts.

Examples:
  compartment flush --database cache
  compartment flush --database cache --yes
  compartment flush --database cache --pattern 'page:*' --limit-ops 2000 --yes
  compartment flush --database batch --yes-really batch";
