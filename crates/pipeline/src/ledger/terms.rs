//! The address and time limit of a ledger.

use std::time::Duration;

use compartment_core::LedgerAddress;

use super::many::Dialect;

/// The settings of a ledger that each operation uses.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) address: LedgerAddress,
    pub(super) timeout: Duration,
}

impl Terms {
    pub(super) fn is_sqlite(&self) -> bool {
        matches!(self.address, LedgerAddress::Sqlite(_))
    }

    pub(super) fn dialect(&self) -> Dialect {
        if self.is_sqlite() { Dialect::Sqlite } else { Dialect::Postgres }
    }
}
