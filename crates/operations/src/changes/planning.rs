//! Plans a change: a dry run of each kind.

use futures_util::FutureExt;

use super::actor::Actor;
use super::batches::Steer;
use super::change::Change;
use super::counted::Counted;
use super::error::ChangeError;
use super::kept::VALID;
use super::limits::Wanted;
use super::plan::PlannedChange;
use super::shared::Changes;

impl Changes {
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
        if self.allowed().has(tier) {
            return Ok(());
        }
        Err(ChangeError::NotAllowed(format!(
            "changes of the tier {tier:?} are not allowed here; the operator allows them with --allow-changes and \
             --allow {tier}",
            tier = tier.to_string()
        )))
    }

    pub(super) async fn count(&self, change: &Change) -> Result<Counted, ChangeError> {
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
            Change::SetMemoryLimit { .. } => match Wanted::of(change) {
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
}
