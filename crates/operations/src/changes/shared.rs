//! The changes of one process: what is allowed, the plans, and the acts under way.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use compartment::DatabaseMap;
use compartment::clock::{Clock, SystemClock};
use tokio::sync::RwLock;

use super::change::Allowed;
use super::kept::Kept;
use crate::Operations;

/// What may be changed, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChangeOptions {
    /// The tiers that the operator allows.
    pub allowed: Allowed,
    /// The folder that backups are written to; `None` if there are none.
    pub backup_folder: Option<PathBuf>,
    /// The clock by which plans expire.
    pub clock: Arc<dyn Clock>,
}

impl ChangeOptions {
    /// Changes of these tiers, without backups.
    #[must_use]
    pub fn new(allowed: Allowed) -> Self {
        Self { allowed, backup_folder: None, clock: Arc::new(SystemClock) }
    }
}

/// The changes of one process, which keeps the plans. Clones share them.
#[derive(Clone, Debug)]
pub struct Changes {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    operations: Operations,
    allowed: Allowed,
    backup_folder: Option<PathBuf>,
    pub(super) kept: Kept,
    /// Held for reading by each act under way.
    pub(super) acting: Arc<RwLock<()>>,
}

impl Changes {
    /// Changes of one deployment.
    #[must_use]
    pub fn new(operations: Operations, options: ChangeOptions) -> Self {
        let ChangeOptions { allowed, backup_folder, clock } = options;
        let shared = Shared {
            operations,
            allowed,
            backup_folder,
            kept: Kept::new(clock),
            acting: Arc::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The deployment that is changed.
    #[must_use]
    pub fn operations(&self) -> &Operations {
        &self.shared.operations
    }

    /// The tiers that the operator allows.
    #[must_use]
    pub fn allowed(&self) -> &Allowed {
        &self.shared.allowed
    }

    pub(super) fn map(&self) -> &DatabaseMap {
        self.shared.operations.map()
    }

    pub(super) fn backup_folder(&self) -> Option<&Path> {
        self.shared.backup_folder.as_deref()
    }

    /// Waits until no act is under way, so that the process may end.
    pub async fn settled(&self) {
        drop(self.shared.acting.write().await);
    }
}
