//! The ledger that commands write or read.

use clap::Args;

/// Which ledger.
#[derive(Args, Clone, Debug)]
pub(crate) struct LedgerArgument {
    /// The ledger: postgres://…, sqlite://FILE, or "none"
    #[arg(
        long,
        value_name = "URL",
        env = "COMPARTMENT_LEDGER",
        hide_env_values = true,
        default_value = "sqlite://compartment-ledger.sqlite3"
    )]
    pub(crate) ledger: String,
}

impl LedgerArgument {
    /// Where it is, unless there is to be none.
    pub(crate) fn url(&self) -> Option<&str> {
        Some(self.ledger.as_str()).filter(|url| *url != "none")
    }
}
