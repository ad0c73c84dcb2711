//! The ledger that commands write or read.

use clap::Args;
use compartment::DatabaseMap;
use compartment::database_map::LedgerAddress;

use crate::exit_code::CliError;

/// Where it is unless anybody says.
const DEFAULT: &str = "sqlite://compartment-ledger.sqlite3";

/// Which ledger.
#[derive(Args, Clone, Debug)]
pub(crate) struct LedgerArgument {
    /// The ledger: postgres://…, sqlite://FILE, or "none" [default: that of the configuration, or
    /// sqlite://compartment-ledger.sqlite3]
    #[arg(long, value_name = "URL", env = "COMPARTMENT_LEDGER", hide_env_values = true)]
    pub(crate) ledger: Option<String>,
}

impl LedgerArgument {
    /// Where it is, unless there is to be none: what was said, or else what the configuration says.
    pub(crate) fn address(&self, map: &DatabaseMap) -> Result<Option<LedgerAddress>, CliError> {
        match self.ledger.as_deref() {
            Some("none") => return Ok(None),
            Some(said) => return Ok(Some(said.parse()?)),
            None => {}
        }
        let settings = map.ledger();
        if settings.enabled == Some(false) {
            return Ok(None);
        }
        Ok(Some(settings.address.clone().map_or_else(|| DEFAULT.parse(), Ok)?))
    }
}
