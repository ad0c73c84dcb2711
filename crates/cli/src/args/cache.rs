//! The arguments of `compartment cache` and `compartment warm`.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};

use super::duration;

/// See what a cache answers, and invalidate what is in it.
#[derive(Args, Debug)]
#[command(after_help = CACHE_HELP, args_conflicts_with_subcommands = true)]
pub(crate) struct Cache {
    #[command(subcommand)]
    pub(crate) command: Option<CacheCommand>,
    #[command(flatten)]
    pub(crate) stats: CacheStats,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Hits, misses, loads and the state of every process (what `compartment cache` alone shows)
    Stats(CacheStats),
    /// Let nothing that was derived from a document, has a tag, or bears a name be served again
    Invalidate(Invalidate),
    /// Mark documents of which nothing is to be kept, or take the mark back
    Mark(Mark),
}

/// Which cache.
#[derive(Args, Clone, Debug)]
pub(crate) struct WhichCache {
    /// The cache database
    #[arg(long, value_name = "NAME", default_value = "cache")]
    pub(crate) database: String,
}

/// The figures of all processes.
#[derive(Args, Clone, Debug)]
pub(crate) struct CacheStats {
    #[command(flatten)]
    pub(crate) which: WhichCache,

    /// What the hit rate is over, as in 5m or 24h; a day at most
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    pub(crate) window: Duration,

    /// Print as JSON
    #[arg(long, conflicts_with = "prometheus")]
    pub(crate) json: bool,

    /// Print as Prometheus's text format
    #[arg(long)]
    pub(crate) prometheus: bool,
}

/// What is not to be served again.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("what").required(true), after_help = INVALIDATE_HELP)]
pub(crate) struct Invalidate {
    #[command(flatten)]
    pub(crate) which: WhichCache,

    /// Everything derived from this document: its id, or the path of its file
    #[arg(long, value_name = "DOCUMENT", group = "what")]
    pub(crate) document: Vec<String>,

    /// Everything with this tag
    #[arg(long, value_name = "TAG", group = "what")]
    pub(crate) tag: Vec<String>,

    /// The keys that match this Redis glob
    #[arg(long, value_name = "GLOB", group = "what")]
    pub(crate) pattern: Option<String>,

    /// Everything in the cache
    #[arg(long, group = "what")]
    pub(crate) all: bool,

    /// Do it; without this, keys that match a glob are only counted
    #[arg(long)]
    pub(crate) yes: bool,

    /// Say what would be invalidated, and change nothing
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
}

/// Documents of which nothing is kept.
#[derive(Args, Debug)]
pub(crate) struct Mark {
    #[command(flatten)]
    pub(crate) which: WhichCache,

    /// Ids of documents, or paths of their files; none lists those that are marked
    #[arg(value_name = "DOCUMENT")]
    pub(crate) documents: Vec<String>,

    /// Take the mark back
    #[arg(long, requires = "documents")]
    pub(crate) remove: bool,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const CACHE_HELP: &str =
    "Figures come from the database `metrics`, to which every process adds its \
own every ten seconds and at its end.

Examples:
  compartment cache
  compartment cache stats --window 24h --json
  compartment cache invalidate --document papers/motion.pdf
  compartment cache invalidate --pattern 'doc:chunks:*'
  compartment cache mark papers/unreadable.pdf";

const INVALIDATE_HELP: &str = "Documents, tags and the whole are invalidated by one write each, \
whatever hangs on them; the entries go when their time comes. Keys that match a glob are removed, \
and are only counted unless --yes is given.";

/// Bring recent documents into the cache.
#[derive(Args, Debug)]
#[command(after_help = WARM_HELP)]
pub(crate) struct Warm {
    /// Documents that were processed within so many hours
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    pub(crate) hours: u64,

    /// The newest so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: usize,

    /// Read what is there, and make nothing anew
    #[arg(long)]
    pub(crate) no_load: bool,

    /// Documents under way at the same time [default: the number of CPUs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) concurrency: Option<u32>,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const WARM_HELP: &str = "Reads text, state and results of recent documents, newest first, so that \
they are the last to be evicted, and makes anew what the cache lacks where the document's file is \
still what it was. Stops when the cache's memory budget is reached.

Exit codes: 0 done, 3 some documents failed.

Examples:
  compartment warm --hours 24 --limit 100
  compartment warm --hours 1 --no-load --json";
