//! The arguments of `compartment monitor`.

use std::time::Duration;

use clap::Args;

use super::{LedgerArgument, StateFolder, look_interval};

/// Show databases, batches, workers and findings live in the terminal, and steer batches.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Monitor {
    /// The time between two looks, at least 1s
    #[arg(long, value_name = "TIME", value_parser = look_interval, default_value = "5s")]
    pub(crate) interval: Duration,

    #[command(flatten)]
    pub(crate) ledger: LedgerArgument,

    #[command(flatten)]
    pub(crate) state: StateFolder,
}

const HELP: &str = "Keys: 1 to 9 or Tab choose a screen, Enter opens a row, / filters, s sorts, p pauses, \
? shows every key, q ends. Batches are retried (R), paused (P), resumed (U) and cancelled (X), and dead \
letters replayed (R) and removed (X), after a plan has named what it will touch and y was pressed.

A server that goes away is named with the time since when; its last figures stay, marked as old, until it \
is back. Nothing is told by colour alone: NO_COLOR and --color never work, and so does a terminal without \
UTF-8.

The doctor examines the servers when the monitor starts and every 5 minutes. Bytes are estimated as \
`compartment stats --watch` does it.

--verbose logs to standard error, if that is no terminal.

Exit codes: 0 ended by a key or a signal, 2 no terminal, 4 configuration.

Examples:
  compartment monitor --backend redis://127.0.0.1:6379
  compartment monitor --interval 1s
  ssh -t db1 compartment monitor --color never";
