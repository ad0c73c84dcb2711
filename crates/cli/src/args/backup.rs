//! The arguments of `compartment backup` and `compartment restore`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use compartment_admin::rdb::Format;

use super::{FieldLivesArgument, Load};

/// Write one database to an RDB file, in the format of its server or of another line.
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

    /// Write a file that this line of servers loads: 6.2, 7.0, 7.2, 7.4, 8.2, 8.6, 8.8, 8.10, valkey-8, valkey-9
    /// [default: the format of the server, which its line and later ones of its kind load]
    #[arg(long = "for", value_name = "LINE", value_parser = format_name)]
    pub(crate) format: Option<Format>,

    /// With --for: hashes whose fields expire, if that line knows no such fields (Redis before 7.4, Valkey
    /// before 9.0): write no file and name them, leave them out, or drop the expiry of their fields
    #[arg(long, value_name = "CHOICE", default_value = "stop", requires = "format")]
    pub(crate) field_lives: FieldLivesArgument,

    /// Write the function libraries of the server too, which belong to no database
    #[arg(long)]
    pub(crate) functions: bool,

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

/// Reads the name of a line of servers.
fn format_name(name: &str) -> Result<Format, String> {
    Format::named(name).ok_or_else(|| format!("choose one of {}", Format::names()))
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
that it is always complete. The report says which servers load the file; `compartment restore` reads it into any.

Examples:
  compartment backup --database knowledge -o knowledge.rdb
  compartment backup --database 0 --pattern 'page:*' -o pages.rdb.zst --zstd
  compartment backup --database cache -o cache.rdb --limit-latency 5ms
  compartment backup --database sessions -o sessions.rdb --for valkey-8
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

    /// What to do with hashes whose fields expire, if the server knows no such fields (Redis before 7.4,
    /// Valkey before 9.0): restore nothing, leave them out, or drop the expiry of their fields
    #[arg(long, value_name = "CHOICE", default_value = "stop")]
    pub(crate) field_lives: FieldLivesArgument,

    /// Load the function libraries of the file too, which belong to the server
    #[arg(long)]
    pub(crate) functions: bool,

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
contents, what the server can hold, and with --on-conflict fail whether any key exists already. \
Expired keys are left out: the file stores expiry times, and the server's clock decides. To resume an \
interrupted restore, run the same command again. Ends with 11 if keys exist already, and with 10 if \
--verify finds differences.

Examples:
  compartment restore knowledge.rdb --database knowledge
  compartment restore dump.rdb --database cache --from-index 3 --dry-run
  compartment restore pages.rdb.zst --database 5 --on-conflict replace --verify";
