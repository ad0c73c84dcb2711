//! The arguments of `compartment cache` and `compartment warm`.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};

use super::duration;
use super::worker::{DocumentFolders, ReadingOptions};

/// Show the hit rate of a cache, and invalidate entries.
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
    /// Show hits, misses, loads and the state of every process (the default)
    Stats(CacheStats),
    /// Invalidate entries by document, tag or key
    Invalidate(Invalidate),
    /// Mark documents that must not be cached, or remove the mark
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

    /// Window of the hit rate, such as 5m or 24h; at most a day
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    pub(crate) window: Duration,

    /// Print as JSON
    #[arg(long, conflicts_with = "prometheus")]
    pub(crate) json: bool,

    /// Print in the text format of Prometheus
    #[arg(long)]
    pub(crate) prometheus: bool,
}

/// Invalidate entries of a cache.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("what").required(true), after_help = INVALIDATE_HELP)]
pub(crate) struct Invalidate {
    #[command(flatten)]
    pub(crate) which: WhichCache,

    /// Everything derived from this document, given by its id or the path of its file
    #[arg(long, value_name = "DOCUMENT", group = "what")]
    pub(crate) document: Vec<String>,

    /// Everything with this tag
    #[arg(long, value_name = "TAG", group = "what")]
    pub(crate) tag: Vec<String>,

    /// Keys that match this Redis glob
    #[arg(long, value_name = "GLOB", group = "what")]
    pub(crate) pattern: Option<String>,

    /// Everything in the cache
    #[arg(long, group = "what")]
    pub(crate) all: bool,

    /// Remove the keys that match --pattern; without this flag they are only counted
    #[arg(long)]
    pub(crate) yes: bool,

    /// Show what would be invalidated, and change nothing
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
}

/// Mark documents that must not be cached.
#[derive(Args, Debug)]
pub(crate) struct Mark {
    #[command(flatten)]
    pub(crate) which: WhichCache,

    /// Ids of documents or paths of their files; without any, the marked documents are listed
    #[arg(value_name = "DOCUMENT")]
    pub(crate) documents: Vec<String>,

    /// Remove the mark
    #[arg(long, requires = "documents")]
    pub(crate) remove: bool,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const CACHE_HELP: &str =
    "Figures come from the database `metrics`. Every process adds its own every ten seconds and when \
it ends.

Examples:
  compartment cache
  compartment cache stats --window 24h --json
  compartment cache invalidate --document papers/motion.pdf
  compartment cache invalidate --pattern 'doc:chunks:*'
  compartment cache mark papers/unreadable.pdf";

const INVALIDATE_HELP: &str = "A document, a tag or the whole cache is invalidated by one write, \
however many entries it has; the entries are removed when they expire. Keys that match --pattern are \
removed, and only counted unless --yes is given.";

/// Load recent documents into the cache.
#[derive(Args, Debug)]
#[command(after_help = WARM_HELP)]
pub(crate) struct Warm {
    /// Warm documents that were processed within this many hours [default: `[warming] within`, 24]
    #[arg(long, value_name = "HOURS")]
    pub(crate) hours: Option<u64>,

    /// Warm at most this many documents, newest first [default: `[warming] limit`, 100]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,

    /// Only read existing entries; compute nothing
    #[arg(long)]
    pub(crate) no_load: bool,

    /// Number of documents processed at the same time [default: the number of CPUs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) concurrency: Option<u32>,

    #[command(flatten)]
    pub(crate) below: DocumentFolders,

    #[command(flatten)]
    pub(crate) reading: ReadingOptions,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const WARM_HELP: &str = "Reads text, state and results of recent documents, newest first, so that \
they are evicted last. Results that the cache lacks are computed again if the document's file has not \
changed. Stops when the cache's memory budget is reached. Does nothing if `[warming] enabled` is false.

Exit codes: 0 done, 3 some documents failed.

Examples:
  compartment warm --hours 24 --limit 100
  compartment warm --hours 1 --no-load --json";
