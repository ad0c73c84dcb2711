//! The arguments of `compartment serve`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{AgentChanges, LedgerArgument, StateFolder, look_interval};

/// Serve a page with live figures, its JSON API, and metrics for Prometheus.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Serve {
    /// The address to listen on; other machines need the token
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) listen: IpAddr,

    /// The port
    #[arg(long, value_name = "PORT", env = "REDIS_MONITOR_PORT", default_value_t = 8090)]
    pub(crate) port: u16,

    /// Read the token from this file, whose only line it is [default: the variable COMPARTMENT_TOKEN]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// A name by which browsers reach this server, beside its address and localhost
    #[arg(long = "host", value_name = "NAME")]
    pub(crate) hosts: Vec<String>,

    /// Refuse every change, even with the token
    #[arg(long)]
    pub(crate) read_only: bool,

    /// The time between looks, at least 1s
    #[arg(long, value_name = "TIME", value_parser = look_interval, default_value = "5s")]
    pub(crate) interval: Duration,

    /// Show the plans of `compartment plan` that lie in this folder
    #[arg(long = "plans", value_name = "FOLDER")]
    pub(crate) plan_folder: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) agents: AgentChanges,

    #[command(flatten)]
    pub(crate) ledger: LedgerArgument,

    #[command(flatten)]
    pub(crate) state: StateFolder,
}

const HELP: &str = "The page asks nobody but this server. On this machine figures need no token; from other machines, \
through a proxy, and for every change they do. Without a token nothing can be changed, and only this machine is \
answered.

  /                  the page
  /api/…             the data that it shows, described by /api/openapi.json
  /mcp               for agents, with the token; --allow-changes lets them change by plan
  /metrics           for Prometheus
  /health, /ready    for probes

Once a minute a point of each database goes to the database `metrics`, which keeps it for seven days.

Exit codes: 0 stopped by Ctrl-C or SIGTERM, 4 configuration, or the address is taken.

Examples:
  compartment serve --backend redis://127.0.0.1:6379
  openssl rand -hex 32 > token && chmod 600 token
  compartment serve --token-file token --listen 0.0.0.0 --host compartment.example.org
  curl -s localhost:8090/metrics";
