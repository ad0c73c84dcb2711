//! One connection that comes back by itself after it broke.

use std::sync::{Arc, PoisonError, RwLock};

use compartment_core::Result;
use tokio::sync::Mutex;

use crate::connector::{Connector, Wire};

/// A connection, opened when first needed and again after it broke. Whoever finds it broken
/// forgets it; the next request opens a new one, once for all who wait.
#[derive(Debug)]
pub(crate) struct Line {
    connector: Arc<Connector>,
    open: RwLock<Open>,
    opening: Mutex<()>,
}

#[derive(Default)]
struct Open {
    wire: Option<Wire>,
    /// Counts connections, so that a late failure of an old one does not close its successor.
    generation: u64,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open")
            .field("connected", &self.wire.is_some())
            .field("generation", &self.generation)
            .finish()
    }
}

impl Line {
    pub(crate) fn new(connector: Arc<Connector>) -> Self {
        Self { connector, open: RwLock::default(), opening: Mutex::new(()) }
    }

    /// The connection and its generation.
    pub(crate) async fn wire(&self) -> Result<(Wire, u64)> {
        if let Some(found) = self.current() {
            return Ok(found);
        }
        let _one_at_a_time = self.opening.lock().await;
        if let Some(found) = self.current() {
            return Ok(found);
        }
        let wire = self.connector.open().await?;
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.generation += 1;
        open.wire = Some(wire.clone());
        Ok((wire, open.generation))
    }

    /// Drops the connection of this generation, if it is still the one in use.
    pub(crate) fn forget(&self, generation: u64) {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.generation == generation {
            open.wire = None;
        }
    }

    fn current(&self) -> Option<(Wire, u64)> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.wire.clone().map(|wire| (wire, open.generation))
    }
}
