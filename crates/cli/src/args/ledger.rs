//! The ledger that commands write or read.

use clap::Args;
use compartment::DatabaseMap;
use compartment::database_map::LedgerAddress;

use crate::exit_code::CliError;

/// The ledger that is used unless an argument, the environment or the configuration names one.
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
    /// The ledger's address; `None` if the ledger is off. The argument comes before the configuration.
    pub(crate) fn address(&self, map: &DatabaseMap) -> Result<Option<LedgerAddress>, CliError> {
        let is_off = self.ledger.is_none() && map.ledger().enabled == Some(false);
        if is_off || self.ledger.as_deref() == Some("none") {
            return Ok(None);
        }
        Ok(Some(self.configured(map)?.map_or_else(|| DEFAULT.parse(), Ok)?))
    }

    /// The ledger's address, if the argument, the environment or the configuration names one.
    pub(crate) fn configured(&self, map: &DatabaseMap) -> Result<Option<LedgerAddress>, CliError> {
        let settings = map.ledger();
        match self.ledger.as_deref() {
            Some("none") => Ok(None),
            Some(said) => Ok(Some(said.parse()?)),
            None if settings.enabled == Some(false) => Ok(None),
            None => Ok(settings.address.clone()),
        }
    }
}
