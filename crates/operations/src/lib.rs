//! The figures of a running deployment and its planned changes, as data for whatever shows them: the command
//! line, the terminal dashboard, the page, Prometheus, the MCP server.

pub mod alerts;
pub mod changes;
mod error;
mod figures;
mod fleet;
pub mod health;
pub mod history;
mod kept;
mod look;
mod operations;
pub mod prometheus;
mod stats;
mod watcher;
pub mod work;

pub use error::{OperationsError, Result};
pub use figures::{count, counted, percent, time};
pub use fleet::{CacheFigures, ClientFigures, Fleet};
pub use kept::default_state_folder;
pub use look::Look;
pub use operations::{Operations, OperationsOptions, missing_ledger_file};
pub use stats::StatsReader;
pub use watcher::{WatchOptions, Watcher};
pub use work::Work;
