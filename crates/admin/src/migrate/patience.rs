//! Waits for a server that is briefly not ready: a cluster that moves its slots, a failover.

use std::time::Duration;

use compartment_core::{Backoff, ErrorKind};

use crate::{AdminError, Result};

/// Attempts of one request.
const ATTEMPTS: u32 = 7;

/// The patience with one request.
#[derive(Debug)]
pub(crate) struct Patience {
    backoff: Backoff,
    failures: u32,
}

impl Patience {
    pub(crate) fn new() -> Self {
        let backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        Self { backoff, failures: 0 }
    }

    /// Pauses before the next attempt, longer each time.
    ///
    /// # Errors
    /// `error`, if another attempt is of no use.
    pub(crate) async fn after(&mut self, error: AdminError) -> Result<()> {
        self.failures += 1;
        match &error {
            AdminError::Server(server)
                if server.kind() == ErrorKind::NotReady && self.failures < ATTEMPTS =>
            {
                tokio::time::sleep(self.backoff.after(self.failures)).await;
                Ok(())
            }
            _ => Err(error),
        }
    }
}
