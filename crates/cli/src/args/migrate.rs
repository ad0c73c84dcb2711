//! The arguments of `compartment migrate` and `compartment verify`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Load, duration};

/// Move keys from one database to another.
#[derive(Args, Debug)]
#[command(after_help = MIGRATE_HELP)]
pub(crate) struct Migrate {
    /// Do what this plan says (see `compartment plan`)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to", "pattern", "undo"])]
    pub(crate) plan: Option<PathBuf>,

    /// Take the keys from this database: a name, an index, or redis://host:port/index
    #[arg(long, value_name = "DATABASE", requires = "to")]
    pub(crate) from: Option<String>,

    /// Bring them to this one
    #[arg(long, value_name = "DATABASE", requires = "from")]
    pub(crate) to: Option<String>,

    /// Only the keys that match this Redis glob; may be given several times
    #[arg(long, value_name = "GLOB", requires = "from")]
    pub(crate) pattern: Vec<String>,

    /// Give keys of the first form a name of the second, as in 'old:{id}' 'doc:state:{id}'
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], requires = "from")]
    pub(crate) rename: Vec<String>,

    /// Leave the keys in their old place as well
    #[arg(long)]
    pub(crate) keep: bool,

    /// Go over the keys until none is left behind, and watch for clients that still write there: for
    /// programs that look in both places (`previous`); others need --feed
    #[arg(long, conflicts_with = "keep")]
    pub(crate) live: bool,

    /// With --live: the old place has to stay empty for this long before it is given up
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) quiet: Duration,

    /// With --live: end after this long even if keys keep coming
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub(crate) at_most: Duration,

    /// With --live, for programs that cannot look in both places: copy every change again, by
    /// replication, until nothing writes to the old place any more; it keeps its keys
    #[arg(long, requires = "live")]
    pub(crate) feed: bool,

    /// Groups of the plan whose producers and consumers have been stopped
    #[arg(long, value_name = "GROUP", requires = "plan")]
    pub(crate) drained: Vec<String>,

    /// Move queues although connections are seen that look like their workers or senders, or a part
    /// of what belongs to them stays
    #[arg(long)]
    pub(crate) drained_anyway: bool,

    /// Move this group of the plan only; may be given several times
    #[arg(long, value_name = "GROUP", requires = "plan")]
    pub(crate) group: Vec<String>,

    /// How the keys go
    #[arg(long, value_name = "WAY", default_value = "auto")]
    pub(crate) strategy: WayArgument,

    /// Show what would be done, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Write the keys to this file first
    #[arg(long, value_name = "FILE")]
    pub(crate) backup: Option<PathBuf>,

    /// Compare each value and its expiry in the new place with what it was in the old, before it is
    /// removed there (after, where it goes by MOVE, which takes the value itself)
    #[arg(long)]
    pub(crate) verify: bool,

    /// Keep the journal here [default: <plan>.journal or compartment-<from>-to-<to>.journal, with a
    /// number where another migration has that]
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,

    /// Go on although the target evicts keys when it is full: what has moved may be lost there
    #[arg(long)]
    pub(crate) accept_eviction: bool,

    /// Read from a replica that has no link to its master
    #[arg(long, requires = "keep")]
    pub(crate) stale_replica: bool,

    /// Take a migration back
    #[arg(long, value_name = "JOURNAL", conflicts_with_all = ["from", "to", "live", "keep", "dry_run", "backup"])]
    pub(crate) undo: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) load: Load,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How keys go from one place to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WayArgument {
    /// The best that the server and the user's rights allow.
    Auto,
    /// MOVE: within one server, at once whatever the size.
    Move,
    /// COPY, then removed: within one server.
    Copy,
    /// DUMP and RESTORE: between servers.
    Dump,
    /// Read and written type by type: to a server that is older.
    Typed,
}

const MIGRATE_HELP: &str =
    "A journal is kept beside the work. After a crash the same command with the same \
--journal goes on; `compartment migrate --undo JOURNAL` takes everything back.

Examples:
  compartment migrate --plan plan.toml --dry-run
  compartment migrate --plan plan.toml --backup before.rdb --verify
  compartment migrate --from 0 --to knowledge --pattern 'llama_index/*'
  compartment migrate --from 0 --to batch --rename 'old:{id}' 'doc:state:{id}'
  compartment migrate --from 0 --to redis://other:6379/2 --live --limit-latency 5ms
  compartment migrate --undo compartment-0-to-knowledge.journal";

/// Compare what two databases hold.
#[derive(Args, Debug)]
#[command(after_help = VERIFY_HELP)]
pub(crate) struct Verify {
    /// One side: a name, an index, or redis://host:port/index
    #[arg(long, value_name = "DATABASE")]
    pub(crate) from: Option<String>,

    /// The other side
    #[arg(long, value_name = "DATABASE")]
    pub(crate) to: String,

    /// One side is this dump instead of a database
    #[arg(long, value_name = "FILE", conflicts_with = "from", required_unless_present = "from")]
    pub(crate) rdb: Option<PathBuf>,

    /// The database in the dump, where it holds several
    #[arg(long, value_name = "N", requires = "rdb")]
    pub(crate) from_index: Option<u64>,

    /// Only the keys that match this Redis glob; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub(crate) pattern: Vec<String>,

    /// Keys on the other side that this side lacks are differences too
    #[arg(long)]
    pub(crate) both_ways: bool,

    /// Read from a replica that has no link to its master
    #[arg(long)]
    pub(crate) stale_replica: bool,

    /// List at most so many differences; all are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) show: usize,

    #[command(flatten)]
    pub(crate) load: Load,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const VERIFY_HELP: &str = "Compares types, values, expiry times, expiry of hash fields, stream \
groups and their pending entries. Where the clocks of two servers differ, expiry times are compared \
by the time that is left. Ends with 10 when there are differences.

Examples:
  compartment verify --from 0 --to cache --pattern 'page:*'
  compartment verify --rdb knowledge.rdb --to knowledge
  compartment verify --from redis://old:6379/0 --to redis://new:6379/0 --both-ways";
