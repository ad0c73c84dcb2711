//! The arguments of `compartment backup` and `compartment restore`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Load;

/// Write one database to an RDB file that any Redis can load.
#[derive(Args, Debug)]
#[command(after_help = BACKUP_HELP)]
pub(crate) struct Backup {
    /// Back up this database: a name, an index, or redis://host:port/index
    #[arg(long, short, value_name = "DATABASE")]
    pub(crate) database: String,

    /// Write to this file; an existing file is replaced once the new one is complete. Can be a pipe, a
    /// device or standard output (-)
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// Back up only keys that match this Redis glob
    #[arg(long, value_name = "GLOB")]
    pub(crate) pattern: Option<String>,

    /// How to read the keys
    #[arg(long, value_name = "WAY", default_value = "auto")]
    pub(crate) via: ViaArgument,

    /// Compress the file; `compartment restore` reads it as it is, a server only after decompression
    #[arg(long)]
    pub(crate) zstd: bool,

    /// Read from a replica even if it has lost its master
    #[arg(long)]
    pub(crate) stale_replica: bool,

    #[command(flatten)]
    pub(crate) load: Load,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How to read the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ViaArgument {
    /// A scan
    Auto,
    /// Key by key, on any server
    Scan,
    /// As a replica: all keys as of one moment; the server sends all its databases
    Replication,
}

const BACKUP_HELP: &str = "The file is in Redis's own format (RDB) and holds this database only. \
It is written as FILE.partial and renamed at the end. To resume an interrupted scan, run the same \
command again. Output to a pipe or standard output is collected in the temporary folder first, so \
that it is always complete.

Examples:
  compartment backup --database knowledge -o knowledge.rdb
  compartment backup --database 0 --pattern 'page:*' -o pages.rdb.zst --zstd
  compartment backup --database cache -o cache.rdb --limit-latency 5ms
  compartment backup --database redis://other:6379/2 -o two.rdb --via replication
  compartment backup --database sessions -o - | gpg -e -r ops > sessions.rdb.gpg";

/// Restore the keys of a file into a database.
#[derive(Args, Debug)]
#[command(after_help = RESTORE_HELP)]
pub(crate) struct Restore {
    /// An RDB file of any Redis or of `compartment backup`, compressed or not
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Restore into this database: a name, an index, or redis://host:port/index
    #[arg(long, short, value_name = "DATABASE")]
    pub(crate) database: String,

    /// Restore this index of the file; required if the file has several
    #[arg(long, value_name = "N")]
    pub(crate) from_index: Option<u64>,

    /// Restore only keys that match this Redis glob
    #[arg(long, value_name = "GLOB")]
    pub(crate) pattern: Option<String>,

    /// What to do with a key that exists already and differs
    #[arg(long, value_name = "ACTION", default_value = "fail")]
    pub(crate) on_conflict: OnConflictArgument,

    /// Restore even though the server evicts keys when it is full
    #[arg(long)]
    pub(crate) accept_eviction: bool,

    /// Check everything, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Read back each key and compare it
    #[arg(long)]
    pub(crate) verify: bool,

    #[command(flatten)]
    pub(crate) load: Load,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to do with a key that exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnConflictArgument {
    /// Restore nothing
    Fail,
    /// Keep the existing key
    Skip,
    /// Replace it with the key of the file
    Replace,
}

const RESTORE_HELP: &str = "The whole file is checked before anything is written: its checksum, its \
version, what the server can take, and with --on-conflict fail whether any key exists already. \
Expired keys are left out: the file stores expiry times, and the server's clock decides. To resume an \
interrupted restore, run the same command again. Ends with 11 if keys exist already, and with 10 if \
--verify finds differences.

Examples:
  compartment restore knowledge.rdb --database knowledge
  compartment restore dump.rdb --database cache --from-index 3 --dry-run
  compartment restore pages.rdb.zst --database 5 --on-conflict replace --verify";
