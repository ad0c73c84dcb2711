//! Changes by plan: a dry run counts and returns an id; the id is acted on once, and only if nothing has moved.
//!
//! A plan is bound to the server by its run id, to the database and its place, and to a digest of everything that was
//! counted. It is valid for five minutes, once, for the session that made it. [`Changes::act`] counts again, and refuses
//! if anything moved. A change then touches only what was counted: keys by name, documents of a batch by its birth,
//! dead letters by id, settings by comparison.
//!
//! Three gaps remain. A key that is removed and created anew under its name between the second count and the removal of
//! a flush is removed (a cleanup checks its age again). Settings are compared and set by two requests. A restart
//! between the look at the server and the change is not seen.
//!
//! Every act is in the log of changes, a stream in the database `metrics` ([`crate::Operations::audit`]). An act that
//! cannot be logged is not made. One kind of change is: while the server of the log is full, a cleanup, a flush or new
//! limits of that very server, which may be what makes it writable again.

mod act;
mod actor;
mod audit;
mod backups;
mod batches;
mod change;
mod counted;
mod error;
mod kept;
mod keys;
mod letters;
mod limits;
mod moves;
mod placed;
mod plan;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use compartment::DatabaseMap;
use compartment::clock::{Clock, SystemClock};
use futures_util::FutureExt;
use tokio::sync::RwLock;

pub use actor::Actor;
pub use audit::{AuditEntry, AuditOutcome};
pub use change::{Allowed, Change, Tier};
pub use error::ChangeError;
pub use plan::{ChangeDone, PlannedChange};

use crate::Operations;
use batches::Steer;
use counted::Counted;
use kept::{Kept, VALID};
use limits::Wanted;

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
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    operations: Operations,
    allowed: Allowed,
    backup_folder: Option<PathBuf>,
    kept: Kept,
    /// Held for reading by each act under way.
    acting: Arc<RwLock<()>>,
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

    fn map(&self) -> &DatabaseMap {
        self.shared.operations.map()
    }

    fn backup_folder(&self) -> Option<&Path> {
        self.shared.backup_folder.as_deref()
    }

    /// A dry run: counts, and returns a plan with the id to act on it. Changes nothing. A plan with refusals has no id.
    ///
    /// # Errors
    /// [`ChangeError::NotAllowed`] and [`ChangeError::Invalid`]; the servers'.
    pub async fn plan(&self, change: Change, actor: &Actor) -> Result<PlannedChange, ChangeError> {
        change.check()?;
        self.is_allowed(&change)?;
        // Boxed, since callers' futures would be deep ones otherwise.
        let counted = self.count(&change).boxed().await?;
        let made = self.shared.kept.clock().now();
        let plan = PlannedChange {
            id: String::new(),
            change,
            summary: counted.summary,
            touches: counted.touches,
            count: counted.count,
            digest: counted.digest,
            server: counted.server,
            refusals: counted.refusals,
            made_ms: made.as_millis(),
            expires_ms: made.after(VALID).as_millis(),
            dry_run: counted.dry_run,
        };
        match plan.refusals.is_empty() {
            true => Ok(self.shared.kept.keep(plan, counted.bound, actor)),
            false => Ok(plan),
        }
    }

    fn is_allowed(&self, change: &Change) -> Result<(), ChangeError> {
        let tier = change.tier(self.map());
        if self.shared.allowed.has(tier) {
            return Ok(());
        }
        Err(ChangeError::NotAllowed(format!(
            "changes of the tier {tier:?} are not allowed here; the operator allows them with --allow-changes and \
             --allow {tier}",
            tier = tier.to_string()
        )))
    }

    async fn count(&self, change: &Change) -> Result<Counted, ChangeError> {
        match change {
            Change::PauseBatch { .. } | Change::ResumeBatch { .. } | Change::CancelBatch { .. } => {
                match Steer::of(change) {
                    Some((steer, batch)) => self.count_batch(steer, batch).await,
                    None => Ok(Counted::default()),
                }
            }
            Change::RetryFailed { batch, stage, error } => {
                self.count_failures(batch, stage.as_deref(), error.as_deref()).await
            }
            Change::ReplayDeadLetters { stage, error, ids } => {
                self.count_letters("replay", stage.as_deref(), error.as_deref(), ids).await
            }
            Change::PurgeDeadLetters { stage, error, ids } => {
                self.count_letters("remove", stage.as_deref(), error.as_deref(), ids).await
            }
            Change::CleanupCache { database, older_than_hours, pattern } => {
                self.count_old(database, *older_than_hours, pattern.as_deref(), None).await
            }
            Change::SetMemoryLimit { .. } => match wanted(change) {
                Some(wanted) => self.count_limits(wanted).await,
                None => Ok(Counted::default()),
            },
            Change::MigrateKeys { from, to, pattern } => {
                self.count_move(from, to, pattern.as_deref()).await
            }
            Change::BackupDatabase { database, file } => self.count_backup(database, file).await,
            Change::FlushDatabase { database, pattern, yes_really } => {
                self.count_flush(database, pattern.as_deref(), yes_really.as_deref()).await
            }
        }
    }

    /// Waits until no act is under way, so that the process may end.
    pub async fn settled(&self) {
        drop(self.shared.acting.write().await);
    }
}

fn wanted(change: &Change) -> Option<Wanted<'_>> {
    let Change::SetMemoryLimit { instance, max_memory_mb, policy, force } = change else {
        return None;
    };
    Some(Wanted {
        instance: instance.as_deref(),
        max_memory_mb: *max_memory_mb,
        policy,
        force: *force,
    })
}
