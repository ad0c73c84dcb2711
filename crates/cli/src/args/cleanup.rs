//! Arguments of `cleanup` and `expire`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{LedgerArgument, Load, duration};

/// Remove old keys, or orphans.
#[derive(Args, Debug)]
#[command(after_help = CLEANUP_HELP)]
pub(crate) struct Cleanup {
    /// The database: a name, an index, or redis://host:port/index [default: each cache of the map; with --orphans each
    /// database of the map]
    #[arg(long, value_name = "DATABASE")]
    pub(crate) database: Option<String>,

    /// Remove keys of this age or older, such as 24h or 30d
    #[arg(
        long,
        value_name = "TIME",
        value_parser = duration,
        required_unless_present_any = ["pattern", "orphans"]
    )]
    pub(crate) older_than: Option<Duration>,

    /// Remove keys and entries of what does not exist any more; --older-than is their minimum age
    #[arg(long, conflicts_with = "pattern")]
    pub(crate) orphans: bool,

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

    #[command(flatten)]
    pub(crate) ledger: LedgerArgument,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const CLEANUP_HELP: &str = "The age of a key is the TTL of its template in [keys] less the TTL that it has left, and \
otherwise the time since its last use. Keys whose age is not known stay: servers with an LFU policy do not tell when a \
key was used. Each key is removed by UNLINK in a script that checks its age again, so a key that is used or renewed \
meanwhile stays. Records, batches and queues of Compartment are left out.

Orphans are found by the rules of the programs that wrote them, and each is removed by a script that checks its reason \
again. Those whose age can be known are an hour old at least.
  unknown-documents    keys of documents that no batch, queue, project or ledger names
  results-without-ttl  Celery's results that have no TTL; only with --older-than
  entries-without-job  entries of queues of BullMQ, Bull and RQ whose job is gone, and data of such jobs
  jobs-outside-queues  jobs of BullMQ and Bull that no part of their queue names; those of RQ are only reported
  unread-replies       queues for replies of Celery's remote control that nobody reads
  ended-leases         records of workers that are gone, and locks that have ended and have no TTL
A ledger that is configured and does not answer refuses the documents: they are never taken for unknown.

Refused with exit code 12 for locks and limits, and without --pattern for durable databases, for databases that the map \
does not name, and for an index that is shared with another database.

Examples:
  compartment cleanup --older-than 24h
  compartment cleanup --older-than 24h --apply --limit-latency 2ms
  compartment cleanup --database results --pattern 'doc:*:temp' --older-than 7d --apply --journal removed.txt
  compartment cleanup --orphans
  compartment cleanup --orphans --older-than 7d --database broker --apply --journal orphans.txt";

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
    /// Look for old keys and finished batches this often [default: `[housekeeping] every`, 1h]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) every: Option<Duration>,

    /// Remove keys of caches of this age or older [default: `[housekeeping] older_than`; without it no key is removed for
    /// its age]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) older_than: Option<Duration>,

    /// Remove orphans as well, as `compartment cleanup --orphans` does [default: `[housekeeping] orphans`, no]
    #[arg(long)]
    pub(crate) orphans: bool,

    /// Do one round and end; budgets are not held
    #[arg(long)]
    pub(crate) once: bool,

    #[command(flatten)]
    pub(crate) ledger: LedgerArgument,
}

const HOUSEKEEPING_HELP: &str = "Holds each cache database below its memory_budget whatever program writes to it, by \
evicting the keys of that database that were unused for longest. Removes batches a week after they were finished, and \
old keys of caches and orphans as `compartment cleanup` does. One process of a fleet does it: the others wait for its \
lock. Workers do it beside their work, as `[housekeeping]` says, unless they run with --no-housekeeping.

Examples:
  compartment housekeeping
  compartment housekeeping --older-than 3d
  compartment housekeeping --once --older-than 24h --orphans";
