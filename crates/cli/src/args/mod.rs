//! The arguments of every command, with their help; a command with many has a file.

mod agents;
mod analyze;
mod backup;
mod batch;
mod cache;
mod cleanup;
mod doctor;
mod front;
mod health;
mod ingest;
mod ledger;
mod limit;
mod migrate;
mod monitor;
mod resolve;
mod results;
mod serve;
mod stats;
mod tasks;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use agents::{AgentChanges, Audit, Mcp};
pub(crate) use analyze::{Analyze, Flush, PlanArguments};
pub(crate) use backup::{Backup, OnConflictArgument, Restore, ViaArgument};
pub(crate) use batch::{
    Batch, BatchAudit, BatchChange, BatchCommand, BatchName, BatchRebuild, BatchRemove, BatchRetry,
    BatchShow, BatchSubmit, BatchWatch,
};
pub(crate) use cache::{Cache, CacheCommand, CacheStats, Invalidate, Mark, Warm};
pub(crate) use cleanup::{Cleanup, Expire, Housekeeping};
pub(crate) use doctor::Doctor;
pub(crate) use front::{Front, FrontProgram};
pub(crate) use health::{FailOn, Health};
pub(crate) use ingest::Ingest;
pub(crate) use ledger::LedgerArgument;
pub(crate) use limit::Limit;
pub(crate) use migrate::{FieldLivesArgument, Migrate, Verify, WayArgument};
pub(crate) use monitor::Monitor;
pub(crate) use resolve::{Decided, Join, KeepApart, List, Resolve, ResolveCommand, Undo};
pub(crate) use results::{Explain, Find, Graph, GraphFormat, ResultsArguments, WhichEntity};
pub(crate) use serve::Serve;
pub(crate) use stats::{StateFolder, Stats};
pub(crate) use tasks::{
    StatusArgument, Tasks, TasksCommand, TasksList, TasksPurge, TasksReplay, TasksShow, WhichDead,
};
pub(crate) use worker::{
    DocumentFolders, ReadingOptions, ServiceOptions, Submit, Worker, Workers, WorkersCommand,
};

/// Gives each purpose of a Redis a database with a name and a contract, and processes legal documents
/// in batches.
#[derive(Debug, Parser)]
#[command(name = "compartment", version, after_help = EXAMPLES, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) general: General,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "Examples:
  compartment ingest samples                      in memory, no server needed
  compartment ingest papers --backend redis://127.0.0.1:6379 --out results
  compartment batch submit smith-v-jones papers   then start any number of `compartment worker`
  compartment cache stats --backend redis://127.0.0.1:6379
  compartment databases --backend redis://127.0.0.1:6379
  compartment stats --backend redis://127.0.0.1:6379
  compartment monitor --backend redis://127.0.0.1:6379
  compartment analyze --backend redis://127.0.0.1:6379
  compartment plan -o plan.toml
  compartment migrate --from 0 --to cache --pattern 'page:*' --dry-run
  compartment serve --backend redis://127.0.0.1:6379
  compartment doctor --backend redis://127.0.0.1:6379
  compartment backup --database knowledge -o knowledge.rdb
  compartment mcp                                 for agents; reads only
  compartment config init                         writes compartment.toml
  compartment config export --format celery

Exit codes: 0 done, 2 wrong arguments, 3 some documents failed, 4 configuration,
5 server unavailable, 6 refused, 7 wrong server, 8 store, 9 files, 10 different,
11 conflict, 12 unsafe, 13 unhealthy, 20 notice, 21 warning, 22 critical,
130 interrupted.";

/// The heading of the flags of every command.
const GENERAL: &str = "General options";

/// Flags of every command.
#[derive(Args, Debug)]
pub(crate) struct General {
    /// Read the databases from this file [default: compartment.toml where there is one]
    #[arg(long, global = true, help_heading = GENERAL, value_name = "FILE", env = "COMPARTMENT_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// Use this server, or memory://, instead of the configured one
    #[arg(
        long,
        global = true,
        help_heading = GENERAL,
        value_name = "URL",
        env = "COMPARTMENT_BACKEND",
        hide_env_values = true
    )]
    pub(crate) backend: Option<String>,

    /// Read the server's password from this file, whose only line it is
    #[arg(long, global = true, help_heading = GENERAL, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,

    /// When to use colours
    #[arg(long, global = true, help_heading = GENERAL, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,

    /// Log more details to standard error
    #[arg(long, short, global = true, help_heading = GENERAL)]
    pub(crate) verbose: bool,
}

/// Limits on the load of a server that others use.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Send at most this many commands per second
    #[arg(long, value_name = "N", alias = "max-ops-per-second", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit_ops: Option<u32>,

    /// Slow down when the server takes longer than this to answer, such as 5ms
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) limit_latency: Option<Duration>,
}

impl From<Load> for compartment_admin::Limits {
    fn from(load: Load) -> Self {
        Self::default().operations_per_second(load.limit_ops).latency(load.limit_latency)
    }
}

/// A time with its unit: `5ms`, `30s`, `2h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time.is_zero() { Err("must be greater than zero".into()) } else { Ok(time) }
}

/// The time between two looks of a dashboard: more looks would cost the servers more than they tell.
fn look_interval(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time < Duration::from_secs(1) { Err("must be at least 1s".into()) } else { Ok(time) }
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Process legal documents: extract, chunk, entities, resolve, relate
    Ingest(Ingest),
    /// Find a name in the results of documents, with its page and the words around it
    Find(Find),
    /// Show what a party, lawyer, judge, court or case is related to in the results
    Graph(Graph),
    /// Explain why names in the results mean one entity
    Explain(Explain),
    /// Decide that entities of the results are one or are not, and take it back
    Resolve(Resolve),
    /// Submit, watch and steer batches of documents
    Batch(Batch),
    /// Process batches and single tasks until stopped
    Worker(Worker),
    /// Show the workers
    Workers(Workers),
    /// Show the outcome of tasks; replay or remove dead ones
    Tasks(Tasks),
    /// Submit a single task: one stage for one document
    Submit(Submit),
    /// Load recent documents into the cache before they are needed
    Warm(Warm),
    /// Show the hit rate of a cache, invalidate entries, mark documents that must not be cached
    Cache(Cache),
    /// Show the databases, their contracts and their contents
    #[command(visible_alias = "db")]
    Databases(Databases),
    /// Show the memory and growth of each database, and the state of its servers
    Stats(Stats),
    /// Show databases, batches, workers and findings live in the terminal, and steer batches
    Monitor(Monitor),
    /// Serve a page with live figures, its JSON API, and metrics for Prometheus
    Serve(Serve),
    /// Check the servers, queues and workers against thresholds, for probes and alerts
    Health(Health),
    /// Serve programs that keep their one URL, and keep each key in its named database
    Front(Front),
    /// Hold the servers against the contracts of their databases, and name the cure of each fault
    Doctor(Doctor),
    /// Show the keys of a database by pattern, with their programs, memory and TTLs
    Analyze(Analyze),
    /// Propose which keys go to which database, as a file to review
    Plan(PlanArguments),
    /// Move keys from one database to another while the server is in use
    Migrate(Migrate),
    /// Compare two databases key by key
    Verify(Verify),
    /// Write one database to an RDB file, in the format of its server or of another line
    Backup(Backup),
    /// Restore the keys of a file into a database
    Restore(Restore),
    /// Remove the keys of one database; without --yes only show them
    Flush(Flush),
    /// Remove old keys, or orphans; without --apply only count them
    Cleanup(Cleanup),
    /// Shorten the TTLs of keys; without --apply only count them
    Expire(Expire),
    /// Hold budgets and remove old keys and finished batches, until stopped
    Housekeeping(Housekeeping),
    /// Set the memory limit and the eviction policy of a server; without --apply only check them
    Limit(Limit),
    /// Show who changed what by the plan of a dry run
    Audit(Audit),
    /// Serve agents over standard input and output (MCP)
    Mcp(Mcp),
    /// Write, show, check or export the configuration
    #[command(subcommand)]
    Config(Config),
    /// Print shell completions
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

/// Show the databases.
#[derive(Args, Debug)]
pub(crate) struct Databases {
    /// Show only this database
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Write an initial compartment.toml
    Init {
        /// The databases to start with
        #[arg(long, value_name = "NAME", default_value = "pipeline")]
        preset: String,
        /// Replace an existing file
        #[arg(long)]
        force: bool,
    },
    /// Print the effective configuration: file, environment and flags combined
    Show,
    /// Check the configuration and the servers
    Check {
        /// Do not connect
        #[arg(long)]
        offline: bool,
    },
    /// Print settings for another program, or a client module for another language
    Export {
        /// The program
        #[arg(long, value_name = "PROGRAM")]
        format: ExportFormat,
        /// With --format acl: how the servers keep users apart, instead of asking them
        #[arg(long, value_name = "BY")]
        rights: Option<RightsArgument>,
    },
}

/// Whose settings to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Environment variables.
    Env,
    /// A Celery configuration module.
    Celery,
    /// Django settings.
    Django,
    /// A Rails initializer, Sidekiq included.
    Rails,
    /// A Python module on redis-py: the client of each database by its name.
    Python,
    /// A Node module on ioredis.
    Node,
    /// A Ruby module on redis-rb, for Sidekiq too.
    Ruby,
    /// Connections for config/database.php of Laravel.
    Laravel,
    /// A configuration class for Spring Data Redis.
    Spring,
    /// A user of the server for each database, with its rights: `db=` on Valkey 9.1 and later, key patterns
    /// elsewhere. The server is asked, unless --rights says it.
    Acl,
}

/// How a server keeps its users apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RightsArgument {
    /// By numbered database: Valkey 9.1 and later.
    Database,
    /// By key patterns.
    Key,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
