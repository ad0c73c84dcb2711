//! Arguments of `cleanup` and `expire`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Load, duration};

/// Remove old keys.
#[derive(Args, Debug)]
#[command(after_help = CLEANUP_HELP)]
pub(crate) struct Cleanup {
    /// The database: a name, an index, or redis://host:port/index [default: each cache of the map]
    #[arg(long, value_name = "DATABASE")]
    pub(crate) database: Option<String>,

    /// Remove keys of this age or older, such as 24h or 30d
    #[arg(long, value_name = "TIME", value_parser = duration, required_unless_present = "pattern")]
    pub(crate) older_than: Option<Duration>,

    /// Remove only keys that match this Redis glob; can be repeated
    #[arg(long, value_name = "GLOB", requires = "database")]
    pub(crate) pattern: Vec<String>,

    /// Remove the keys; without this flag they are only counted
    #[arg(long)]
    pub(crate) apply: bool,

    /// Write the names of the removed keys to a new file
    #[arg(long, value_name = "FILE", requires = "apply", requires = "database")]
    pub(crate) journal: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) load: Load,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const CLEANUP_HELP: &str = "The age of a key is the TTL of its template in [keys] less the TTL that it has left, and \
otherwise the time since its last use. Keys whose age is not known stay: servers with an LFU policy do not tell when a \
key was used. Each key is removed by UNLINK in a script that checks its age again, so a key that is used or renewed \
meanwhile stays. Records, batches and queues of Compartment are left out.

Refused with exit code 12 for locks and limits, and without --pattern for durable databases, for databases that the map \
does not name, and for an index that is shared with another database.

Examples:
  compartment cleanup --older-than 24h
  compartment cleanup --older-than 24h --apply --limit-latency 2ms
  compartment cleanup --database results --pattern 'doc:*:temp' --older-than 7d --apply --journal removed.txt";

/// Shorten TTLs.
#[derive(Args, Debug)]
#[command(after_help = EXPIRE_HELP)]
pub(crate) struct Expire {
    /// The template of the keys, by its name in [keys]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["database", "pattern"], required_unless_present = "database")]
    pub(crate) template: Option<String>,

    /// The database: a name, an index, or redis://host:port/index
    #[arg(long, value_name = "DATABASE")]
    pub(crate) database: Option<String>,

    /// Change only keys that match this Redis glob; can be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) pattern: Vec<String>,

    /// The longest TTL that a key may have afterwards, such as 1d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) at_most: Duration,

    /// Change the TTLs; without this flag keys are only counted
    #[arg(long)]
    pub(crate) apply: bool,

    #[command(flatten)]
    pub(crate) load: Load,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const EXPIRE_HELP: &str = "No TTL becomes longer. A key without a TTL is given one only in a database of kind cache, \
whose keys need one. A TTL that was shortened cannot be restored. Change the TTL in [keys] as well: otherwise \
the next write gives the longer one again, and cleanup takes the keys for older than they are.

Refused with exit code 12 for durable databases and for locks and limits.

Examples:
  compartment expire --template doc_ocr_result --at-most 1d
  compartment expire --template doc_ocr_result --at-most 1d --apply
  compartment expire --database cache --pattern 'page:*' --at-most 2h --apply";

/// Look after the databases until stopped.
#[derive(Args, Debug)]
#[command(after_help = HOUSEKEEPING_HELP)]
pub(crate) struct Housekeeping {
    /// Look for old keys and finished batches this often
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1h")]
    pub(crate) every: Duration,

    /// Remove keys of caches of this age or older; without it no key is removed for its age
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) older_than: Option<Duration>,

    /// Do one round and end; budgets are not held
    #[arg(long)]
    pub(crate) once: bool,
}

const HOUSEKEEPING_HELP: &str = "Holds each cache database below its memory_budget whatever program writes to it, by \
evicting the keys of that database that were unused for longest. Removes batches a week after they were finished, and \
old keys of caches as `compartment cleanup` does. One process of a fleet does it: the others wait for its lock.

Examples:
  compartment housekeeping
  compartment housekeeping --older-than 3d
  compartment housekeeping --once --older-than 24h";
