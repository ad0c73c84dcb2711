//! The arguments of `compartment stats`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::duration;

/// Show the keys, memory and growth of each database, and the state of its servers.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Stats {
    /// Show the figures again and again, until stopped
    #[arg(long, conflicts_with = "prometheus")]
    pub(crate) watch: bool,

    /// How often --watch reads the figures, such as 1s or 1m
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5s")]
    pub(crate) interval: Duration,

    /// Print as JSON; with --watch, one line for each look
    #[arg(long, conflicts_with = "prometheus")]
    pub(crate) json: bool,

    /// Print in the text format of Prometheus
    #[arg(long)]
    pub(crate) prometheus: bool,

    /// Estimate the memory anew, even if the last estimate is recent
    #[arg(long)]
    pub(crate) fresh: bool,

    /// Measure random keys only: take a wider interval rather than a second of the server's time
    #[arg(long)]
    pub(crate) no_walk: bool,

    #[command(flatten)]
    pub(crate) state: StateFolder,
}

/// Where figures are kept for the next look.
#[derive(Args, Clone, Debug)]
pub(crate) struct StateFolder {
    /// Keep figures for the next look in this folder [default: ~/.local/state/compartment]
    #[arg(long = "state", value_name = "DIR", env = "COMPARTMENT_STATE")]
    pub(crate) folder: Option<PathBuf>,
}

const HELP: &str = "The memory of a database is estimated from random keys and from the server's own \
total, with an interval that holds the exact sum of MEMORY USAGE in at least 95 of 100 looks. Where the \
interval is wider than 5 % and the database has at most 1.5 million keys, every key is measured: about a \
second of the server's time for a million. --watch never does so. An estimate is kept for at least a \
minute, and for as long as makes its cost 0.2 % of the server's time.

No key's idle time changes, and nothing is written but the key of a moment with which the database \
`metrics` is opened. Growth and rates are since the last look.

Exit codes: 0 done, 5 a server cannot be reached; the others are shown.

Examples:
  compartment stats
  compartment stats --watch --interval 1s
  compartment stats --json
  compartment stats --prometheus > /var/lib/node_exporter/compartment.prom";
