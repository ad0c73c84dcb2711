//! Which orphans are removed, and how.

use std::path::PathBuf;
use std::time::Duration;

use crate::Limits;

/// Which orphans are removed, and how.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct OrphanOptions {
    /// The minimum age, for orphans whose age can be known. Results of Celery go by it alone.
    pub older_than: Option<Duration>,
    /// Limits of the load on the server.
    pub limits: Limits,
    /// Whether orphans are removed. Otherwise they are counted only.
    pub apply: bool,
    /// A new file for the names of what was removed.
    pub journal: Option<PathBuf>,
}
