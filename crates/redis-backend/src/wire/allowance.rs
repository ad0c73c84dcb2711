//! Limits the connections of an instance, over all its databases.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use compartment_core::backend::Traffic;
use compartment_core::{Contract, Error, ErrorKind, Result};

/// The number of connections that an instance may open, and that are open.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionAllowance {
    taken: Arc<AtomicU32>,
    max: u32,
}

/// Connections that a database has taken from its instance's limit; given back on drop.
#[derive(Debug)]
pub(crate) struct Allowance {
    taken: Arc<AtomicU32>,
    count: u32,
    traffic: Arc<Traffic>,
}

impl Allowance {
    /// The counters of the database that has taken them.
    pub(crate) fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.count, Ordering::Relaxed);
        self.traffic.connections_returned(self.count.into());
    }
}

impl ConnectionAllowance {
    pub(crate) fn new(max: u32) -> Self {
        Self { taken: Arc::default(), max }
    }

    /// Takes `count` connections from the instance's limit for a database with these counters.
    pub(crate) fn take(
        &self,
        contract: &Contract,
        count: u32,
        traffic: &Arc<Traffic>,
    ) -> Result<Allowance> {
        let taken = self.taken.fetch_add(count, Ordering::Relaxed) + count;
        traffic.connections_taken(count.into());
        let traffic = Arc::clone(traffic);
        let allowance = Allowance { taken: Arc::clone(&self.taken), count, traffic };
        if taken <= self.max {
            return Ok(allowance);
        }
        Err(Error::new(
            ErrorKind::Configuration,
            "open database",
            format!(
                "max_connections is {}, but each database needs at least one of its own, and one \
                 for each subscription; raise it",
                self.max
            ),
        )
        .in_database(&contract.name))
    }
}
