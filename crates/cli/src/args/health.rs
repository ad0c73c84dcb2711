//! The arguments of `compartment health`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{StateFolder, duration};

/// Check the servers, queues and workers against thresholds.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Health {
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Show only what is not well
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// Check again and again until stopped, and deliver alerts as [alerts] says
    #[arg(long, conflicts_with_all = ["quiet", "fail_on"])]
    pub(crate) watch: bool,

    /// The time between two rounds of --watch
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    pub(crate) interval: Duration,

    /// End with exit code 13 from this state on
    #[arg(long, value_name = "STATE", default_value = "critical")]
    pub(crate) fail_on: FailOn,

    /// A server that takes longer to answer counts as one that does not
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5s")]
    pub(crate) timeout: Duration,

    #[command(flatten)]
    pub(crate) state: StateFolder,
}

/// From which state on the exit code says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// A warning is enough.
    Warning,
    /// Only what does not work, or soon will not.
    Critical,
}

const HELP: &str = "Thresholds are in [health] of compartment.toml:
  [health]
  latency = \"100ms\"                # of a PING and of one read; ten times as much is critical
  memory_warning = 0.8             # of maxmemory, or of the machine's memory without one
  memory_critical = 0.9
  hit_rate = 0.2                   # below it: review what is cached
  connections = 0.8                # of maxclients
  dead_letters = 1
  queue_age = { high = \"1m\", normal = \"10m\", low = \"1h\" }
  stuck_after = \"2m\"
  ledger_entries = 10000

--watch raises an alert when a check stays bad, and clears it when it stays well. It prints each, and \
delivers it:
  [alerts]
  raise_after = \"1m\"
  clear_after = \"2m\"
  repeat_every = \"4h\"             # while it lasts
  webhook = \"https://…\"           # a POST of JSON; COMPARTMENT_ALERTS_TOKEN is sent as a bearer token
  command = [\"/usr/local/bin/page\"] # gets the JSON on standard input, and COMPARTMENT_ALERT_… variables
  timeout = \"10s\"                 # of one delivery

Evictions a second are known from the second run on: figures are kept in the folder of --state.

Exit codes: 0 well, 13 unhealthy.

Examples:
  compartment health
  compartment health --quiet --fail-on warning
  compartment health --json --timeout 2s
  compartment health --watch --interval 30s --config /etc/compartment.toml";
