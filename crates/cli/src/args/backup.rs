//! The arguments of `compartment backup` and `compartment restore`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Load;

/// Write one database into a file that any Redis loads.
#[derive(Args, Debug)]
#[command(after_help = BACKUP_HELP)]
pub(crate) struct Backup {
    /// Back up this database: a name, an index, or redis://host:port/index
    #[arg(long, short, value_name = "DATABASE")]
    pub(crate) database: String,

    /// Write this file; one that is there is replaced when the new one is whole. A pipe, a device or
    /// standard output (-) is written to
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// Only the keys that match this Redis glob
    #[arg(long, value_name = "GLOB")]
    pub(crate) pattern: Option<String>,

    /// How to get the keys
    #[arg(long, value_name = "WAY", default_value = "auto")]
    pub(crate) via: ViaArgument,

    /// Compress the file; a server takes it only unpacked, `compartment restore` as it is
    #[arg(long)]
    pub(crate) zstd: bool,

    /// Read from a replica that has no link to its master
    #[arg(long)]
    pub(crate) stale_replica: bool,

    #[command(flatten)]
    pub(crate) load: Load,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How to get the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ViaArgument {
    /// By a scan
    Auto,
    /// Key after key, on any server
    Scan,
    /// As a replica: all keys at one moment; the server sends all its databases
    Replication,
}

const BACKUP_HELP: &str = "The file is in Redis's own format (RDB) and holds this database only. \
It is written as FILE.partial and gets its name at the end. The same command goes on with a scan \
that was interrupted. What goes down a pipe or to standard output is gathered in the folder for \
temporary files first, so that it is whole.

Examples:
  compartment backup --database knowledge -o knowledge.rdb
  compartment backup --database 0 --pattern 'page:*' -o pages.rdb.zst --zstd
  compartment backup --database cache -o cache.rdb --limit-latency 5ms
  compartment backup --database redis://other:6379/2 -o two.rdb --via replication
  compartment backup --database sessions -o - | gpg -e -r ops > sessions.rdb.gpg";

/// Bring the keys of a file into a database.
#[derive(Args, Debug)]
#[command(after_help = RESTORE_HELP)]
pub(crate) struct Restore {
    /// An RDB file of any Redis, or of `compartment backup`; compressed or not
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Into this database: a name, an index, or redis://host:port/index
    #[arg(long, short, value_name = "DATABASE")]
    pub(crate) database: String,

    /// Take the keys of this numbered database of the file; needed where it has several
    #[arg(long, value_name = "N")]
    pub(crate) from_index: Option<u64>,

    /// Only the keys that match this Redis glob
    #[arg(long, value_name = "GLOB")]
    pub(crate) pattern: Option<String>,

    /// What to do where a key stands that is not the same already
    #[arg(long, value_name = "WHAT", default_value = "fail")]
    pub(crate) on_conflict: OnConflictArgument,

    /// Go on although the server evicts keys when it is full
    #[arg(long)]
    pub(crate) accept_eviction: bool,

    /// Check everything and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Read each key back and compare it
    #[arg(long)]
    pub(crate) verify: bool,

    #[command(flatten)]
    pub(crate) load: Load,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to do where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnConflictArgument {
    /// Restore nothing
    Fail,
    /// Keep the key that stands
    Skip,
    /// Put the file's in its place
    Replace,
}

const RESTORE_HELP: &str = "The whole file is checked before anything is written: its checksum, \
its version, what the server can take, and with --on-conflict fail whether keys stand in the way. \
Keys whose time is over are left out: a file holds the moments at which keys expire, and the clock of \
the server decides. The same command goes on with a restore that was \
interrupted. Ends with 11 when keys stand in the way, with 10 when --verify finds differences.

Examples:
  compartment restore knowledge.rdb --database knowledge
  compartment restore dump.rdb --database cache --from-index 3 --dry-run
  compartment restore pages.rdb.zst --database 5 --on-conflict replace --verify";
