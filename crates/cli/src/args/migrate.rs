//! The arguments of `compartment migrate` and `compartment verify`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use compartment_admin::migrate::FieldLives;

use super::{Load, duration};

/// Move keys from one database to another.
#[derive(Args, Debug)]
#[command(after_help = MIGRATE_HELP)]
pub(crate) struct Migrate {
    /// Execute this plan (see `compartment plan`)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to", "pattern", "undo"])]
    pub(crate) plan: Option<PathBuf>,

    /// Move keys from this database: a name, an index, or redis://host:port/index
    #[arg(long, value_name = "DATABASE", requires = "to")]
    pub(crate) from: Option<String>,

    /// Move keys to this database
    #[arg(long, value_name = "DATABASE", requires = "from")]
    pub(crate) to: Option<String>,

    /// Move only keys that match this Redis glob; can be repeated
    #[arg(long, value_name = "GLOB", requires = "from")]
    pub(crate) pattern: Vec<String>,

    /// Rename keys from one template to another, as in 'old:{id}' 'doc:state:{id}'
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], requires = "from")]
    pub(crate) rename: Vec<String>,

    /// Copy: leave the keys in the source as well
    #[arg(long)]
    pub(crate) keep: bool,

    /// Repeat until no key is left in the source, and watch for clients that still write there. For
    /// programs that read both databases (`previous`); others need --feed
    #[arg(long, conflicts_with = "keep")]
    pub(crate) live: bool,

    /// With --live: end once the source has stayed empty for this long
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) quiet: Duration,

    /// With --live: end after this long even if new keys keep arriving
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub(crate) at_most: Duration,

    /// With --live, for programs that cannot read both databases: copy every change by replication
    /// until nothing writes to the source any more; the source keeps its keys
    #[arg(long, requires = "live")]
    pub(crate) feed: bool,

    /// Groups of the plan whose producers and consumers have been stopped
    #[arg(long, value_name = "GROUP", requires = "plan")]
    pub(crate) drained: Vec<String>,

    /// Move queues even if connections look like their workers or senders, or if some of their keys
    /// would stay behind
    #[arg(long)]
    pub(crate) drained_anyway: bool,

    /// Move only this group of the plan; can be repeated
    #[arg(long, value_name = "GROUP", requires = "plan")]
    pub(crate) group: Vec<String>,

    /// How to transfer keys
    #[arg(long, value_name = "WAY", default_value = "auto")]
    pub(crate) strategy: WayArgument,

    /// What becomes of hashes whose fields expire, if the target knows no such fields (Redis before
    /// 7.4, Valkey before 9.0)
    #[arg(long, value_name = "CHOICE", default_value = "stop")]
    pub(crate) field_lives: FieldLivesArgument,

    /// Show what would be done, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Back up the keys to this file first
    #[arg(long, value_name = "FILE")]
    pub(crate) backup: Option<PathBuf>,

    /// Compare each value and its expiry in the target with the source before the source key is
    /// removed (after the move with MOVE, which transfers the value itself)
    #[arg(long)]
    pub(crate) verify: bool,

    /// File of the journal [default: <plan>.journal or compartment-<from>-to-<to>.journal, with a
    /// number if another migration uses that name]
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,

    /// Migrate even though the target evicts keys when it is full: migrated keys may be lost
    #[arg(long)]
    pub(crate) accept_eviction: bool,

    /// Read from a replica even if it has lost its master
    #[arg(long, requires = "keep")]
    pub(crate) stale_replica: bool,

    /// Undo the migration of this journal
    #[arg(long, value_name = "JOURNAL", conflicts_with_all = ["from", "to", "live", "keep", "dry_run", "backup"])]
    pub(crate) undo: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) load: Load,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What becomes of hashes whose fields expire, if the target knows no such fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FieldLivesArgument {
    /// Do nothing, and name them.
    Stop,
    /// They stay where they are.
    Leave,
    /// They go, and their fields never expire; the expiry of the key is kept.
    Drop,
}

impl From<FieldLivesArgument> for FieldLives {
    fn from(argument: FieldLivesArgument) -> Self {
        match argument {
            FieldLivesArgument::Stop => Self::Stop,
            FieldLivesArgument::Leave => Self::Leave,
            FieldLivesArgument::Drop => Self::Drop,
        }
    }
}

/// How to transfer keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WayArgument {
    /// The fastest that the server and the user's rights allow.
    Auto,
    /// MOVE: within one server, at once for any size.
    Move,
    /// COPY, then removal: within one server.
    Copy,
    /// DUMP and RESTORE: between servers.
    Dump,
    /// Read and write by type: to an older server.
    Typed,
}

const MIGRATE_HELP: &str =
    "Every step is written to a journal. To resume after a crash, run the same command with the same \
--journal; `compartment migrate --undo JOURNAL` moves everything back.

Examples:
  compartment migrate --plan plan.toml --dry-run
  compartment migrate --plan plan.toml --backup before.rdb --verify
  compartment migrate --from 0 --to knowledge --pattern 'llama_index/*'
  compartment migrate --from 0 --to batch --rename 'old:{id}' 'doc:state:{id}'
  compartment migrate --from 0 --to redis://other:6379/2 --live --limit-latency 5ms
  compartment migrate --undo compartment-0-to-knowledge.journal";

/// Compare two databases key by key.
#[derive(Args, Debug)]
#[command(after_help = VERIFY_HELP)]
pub(crate) struct Verify {
    /// First database: a name, an index, or redis://host:port/index
    #[arg(long, value_name = "DATABASE")]
    pub(crate) from: Option<String>,

    /// Second database
    #[arg(long, value_name = "DATABASE")]
    pub(crate) to: String,

    /// Compare this RDB dump instead of a first database
    #[arg(long, value_name = "FILE", conflicts_with = "from", required_unless_present = "from")]
    pub(crate) rdb: Option<PathBuf>,

    /// Index in the dump; required if the dump has several
    #[arg(long, value_name = "N", requires = "rdb")]
    pub(crate) from_index: Option<u64>,

    /// Compare only keys that match this Redis glob; can be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) pattern: Vec<String>,

    /// Also report keys that only the second database has
    #[arg(long)]
    pub(crate) both_ways: bool,

    /// Read from a replica even if it has lost its master
    #[arg(long)]
    pub(crate) stale_replica: bool,

    /// Do not compare the expiries of hash fields where the second database knows none, as after
    /// `migrate --field-lives drop`
    #[arg(long)]
    pub(crate) without_field_lives: bool,

    /// List at most this many differences; all are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) show: usize,

    #[command(flatten)]
    pub(crate) load: Load,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const VERIFY_HELP: &str = "Compares types, values, expiry times, expiry of hash fields, stream \
groups and their pending entries. If the clocks of two servers differ, the remaining times to live \
are compared. Ends with 10 if there are differences.

Examples:
  compartment verify --from 0 --to cache --pattern 'page:*'
  compartment verify --rdb knowledge.rdb --to knowledge
  compartment verify --from redis://old:6379/0 --to redis://new:6379/0 --both-ways";
