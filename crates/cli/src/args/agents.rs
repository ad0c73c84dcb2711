//! The arguments of `compartment mcp` and `compartment audit`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use compartment_operations::changes::Tier;

use super::{LedgerArgument, StateFolder, duration};

/// Serve agents over standard input and output, by the Model Context Protocol.
#[derive(Args, Debug)]
#[command(after_help = MCP_HELP)]
pub(crate) struct Mcp {
    #[command(flatten)]
    pub(crate) agents: AgentChanges,

    #[command(flatten)]
    pub(crate) ledger: LedgerArgument,

    #[command(flatten)]
    pub(crate) state: StateFolder,
}

/// What agents may change.
#[derive(Args, Debug)]
pub(crate) struct AgentChanges {
    /// Offer agents tools that change, each by the plan of a dry run
    #[arg(long)]
    pub(crate) allow_changes: bool,

    /// Of these, only the tools of a tier: batches, cache, limits, keys, backup; can be repeated
    #[arg(long, value_name = "TIER", value_parser = tier, requires = "allow_changes")]
    pub(crate) allow: Vec<Tier>,

    /// The folder that backups are written to, as new files
    #[arg(long, value_name = "FOLDER")]
    pub(crate) backup_folder: Option<PathBuf>,
}

/// Show who changed what by the plan of a dry run.
#[derive(Args, Debug)]
#[command(after_help = AUDIT_HELP)]
pub(crate) struct Audit {
    /// Only changes of this time, such as 1d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) since: Option<Duration>,

    /// The most changes to show
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=5_000))]
    pub(crate) limit: u16,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn tier(text: &str) -> Result<Tier, String> {
    text.parse()
}

const MCP_HELP: &str = "A client starts it; see docs/mcp.md for the settings of common clients.

Examples:
  compartment mcp
  compartment mcp --allow-changes --allow batches --allow cache
  compartment mcp --allow-changes --allow backup --backup-folder /var/backups/redis";

const AUDIT_HELP: &str = "Examples:
  compartment audit --since 1d
  compartment audit --json --limit 1000";
