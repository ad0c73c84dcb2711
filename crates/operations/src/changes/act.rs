//! Acts on a plan: counts again, changes only what was counted, and writes the log.

use std::sync::Arc;

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::audit::{AuditOutcome, End};
use super::batches::Steer;
use super::counted::{Bound, Counted};
use super::kept::KeptPlan;
use super::limits::Wanted;
use super::placed::bound_to;
use super::{Actor, Change, ChangeDone, ChangeError, Changes, PlannedChange};
use crate::{count, counted};

/// What an act did.
struct Done {
    text: String,
    count: u64,
    after: Value,
    notes: Vec<String>,
}

impl From<(String, u64, Value)> for Done {
    fn from((text, count, after): (String, u64, Value)) -> Self {
        Self { text, count, after, notes: Vec::new() }
    }
}

impl From<(String, u64, Value, String)> for Done {
    fn from((text, count, after, note): (String, u64, Value, String)) -> Self {
        let notes = if note.is_empty() { Vec::new() } else { vec![note] };
        Self { text, count, after, notes }
    }
}

impl Changes {
    /// Acts on a plan of this session, once. Counts again, and changes nothing if anything moved.
    ///
    /// The change goes on if the future is dropped: see [`Changes::settled`].
    ///
    /// # Errors
    /// [`ChangeError::UnknownPlan`], [`ChangeError::Moved`], [`ChangeError::Refused`] and [`ChangeError::NotLogged`]:
    /// nothing was changed. [`ChangeError::Operations`]: a part may have been changed.
    pub async fn act(&self, plan_id: &str, actor: &Actor) -> Result<ChangeDone, ChangeError> {
        self.act_as(plan_id, None, actor).await
    }

    /// Acts as [`Changes::act`], if the plan is for the change `expected`.
    ///
    /// # Errors
    /// As [`Changes::act`]; [`ChangeError::OtherChange`].
    pub async fn act_on(
        &self,
        plan_id: &str,
        expected: &Change,
        actor: &Actor,
    ) -> Result<ChangeDone, ChangeError> {
        self.act_as(plan_id, Some(expected), actor).await
    }

    async fn act_as(
        &self,
        plan_id: &str,
        expected: Option<&Change>,
        actor: &Actor,
    ) -> Result<ChangeDone, ChangeError> {
        let taken = self.shared.kept.take(plan_id, expected, actor).inspect_err(|error| {
            // Not in the log of changes, which whoever guesses ids would fill.
            tracing::warn!(who = actor.name, %error, "a plan was not acted on");
        })?;
        let (changes, actor) = (self.clone(), actor.clone());
        let acting = Arc::clone(&self.shared.acting).read_owned().await;
        // A task of its own, so that a caller who gives up does not stop it half-way.
        let act = tokio::spawn(async move {
            let done = changes.act_and_log(&taken, &actor).await;
            drop(acting);
            done
        });
        act.await.unwrap_or_else(|error| {
            let what = format!("the change ended early: {error}; look at what is there");
            Err(ChangeError::Operations(crate::OperationsError::Unsafe(what)))
        })
    }

    async fn act_and_log(
        &self,
        taken: &KeptPlan,
        actor: &Actor,
    ) -> Result<ChangeDone, ChangeError> {
        let plan = &taken.plan;
        let counted = self.count_again(taken).boxed().await;
        let before = counted.as_ref().map_or(Value::Null, |counted| counted.before.clone());
        if let Err(error) = counted.and_then(|counted| unmoved(plan, &counted)) {
            let detail = error.to_string();
            let outcome = AuditOutcome::Refused;
            let end = End { outcome, after: &Value::Null, detail: &detail };
            self.log_end(plan, &before, actor, &end).await;
            return Err(error);
        }
        self.log_begin(plan, &before, actor).await?;
        match self.change(taken).boxed().await {
            Ok(done) => {
                let outcome = AuditOutcome::Done;
                let end = End { outcome, after: &done.after, detail: &done.text };
                let mut notes = done.notes;
                if !self.log_end(plan, &before, actor, &end).await {
                    notes.push("the log of changes has its begin, and not its end".to_owned());
                }
                if self.is_logged_by_process_only() {
                    notes.push(
                        "the map has no database `metrics`, so only the process's own log has this change"
                            .to_owned(),
                    );
                }
                Ok(ChangeDone {
                    plan_id: plan.id.clone(),
                    change: plan.change.clone(),
                    summary: done.text,
                    count: done.count,
                    before,
                    after: done.after,
                    notes,
                })
            }
            Err(error) => {
                let refused = error.is_refusal();
                let outcome = if refused { AuditOutcome::Refused } else { AuditOutcome::Failed };
                let detail = error.to_string();
                let end = End { outcome, after: &Value::Null, detail: &detail };
                self.log_end(plan, &before, actor, &end).await;
                Err(error)
            }
        }
    }

    /// Counts as the dry run did. Of a cleanup, only the keys of the plan: others become old by themselves. A flush
    /// counts its keys again when it removes them.
    async fn count_again(&self, taken: &KeptPlan) -> Result<Counted, ChangeError> {
        match (&taken.plan.change, &taken.bound) {
            (Change::CleanupCache { database, older_than_hours, pattern }, Bound::Keys(names)) => {
                self.count_old(database, *older_than_hours, pattern.as_deref(), Some(names)).await
            }
            (Change::FlushDatabase { database, .. }, Bound::Keys(names)) => {
                let place = self.place(database).await?;
                let server = bound_to(&place);
                Ok(Counted {
                    digest: super::keys::digest_of(&server, names),
                    count: names.len() as u64,
                    server,
                    before: json!({ "keys": names.len() }),
                    ..Counted::default()
                })
            }
            // Keys may come and go: a backup has those that are there.
            (change @ Change::BackupDatabase { .. }, _) => {
                Ok(Counted { count: taken.plan.count, ..self.count(change).await? })
            }
            (change, _) => self.count(change).await,
        }
    }

    async fn change(&self, taken: &KeptPlan) -> Result<Done, ChangeError> {
        let change = &taken.plan.change;
        match (change, &taken.bound) {
            (_, Bound::Batch(born)) => {
                let Some((steer, batch)) = Steer::of(change) else { return Err(other()) };
                let (text, after) = self.steer(steer, batch, *born).await?;
                Ok((text, 1, after).into())
            }
            (Change::RetryFailed { batch, .. }, Bound::Failures(born, failures)) => {
                Ok(self.retry(batch, *born, failures).await?.into())
            }
            (_, Bound::DeadLetters(queues)) => {
                let replay = matches!(change, Change::ReplayDeadLetters { .. });
                Ok(self.settle_letters(queues, replay).await?.into())
            }
            (Change::CleanupCache { database, older_than_hours, pattern }, Bound::Keys(names)) => {
                let pattern = pattern.as_deref();
                Ok(self.remove_old(database, *older_than_hours, pattern, names).await?.into())
            }
            (Change::FlushDatabase { database, pattern, yes_really }, Bound::Keys(names)) => {
                let place = self.place(database).await?;
                let (pattern, yes_really) = (pattern.as_deref(), yes_really.as_deref());
                Ok(self.remove_counted(&place, pattern, yes_really, names).await?.into())
            }
            (Change::MigrateKeys { from, to, pattern }, Bound::Keys(names)) => {
                Ok(self.carry_out_move(from, to, pattern.as_deref(), names).await?.into())
            }
            (Change::SetMemoryLimit { .. }, Bound::Settings(settings)) => {
                match Wanted::of(change) {
                    Some(wanted) => Ok(self.set_limits(wanted, settings).await?.into()),
                    None => Err(other()),
                }
            }
            (Change::BackupDatabase { database, file }, _) => {
                Ok(self.write_backup(database, file).await?.into())
            }
            _ => Err(other()),
        }
    }

    fn is_logged_by_process_only(&self) -> bool {
        let metrics = self.map().roles().database(compartment::database_map::Role::Metrics);
        self.map().database(metrics).is_none()
    }
}

/// A plan whose change does not fit what was counted; no dry run makes one.
fn other() -> ChangeError {
    ChangeError::OtherChange("the plan does not fit its change; make a new dry run".to_owned())
}

/// Refuses if what was counted now is not what the plan counted.
fn unmoved(plan: &PlannedChange, now: &Counted) -> Result<(), ChangeError> {
    if now.server != plan.server {
        return Err(ChangeError::Moved(format!(
            "the place is {} now, and was {} when it was counted",
            now.server, plan.server
        )));
    }
    if now.count != plan.count {
        return Err(ChangeError::Moved(format!(
            "there are {} now, and {} were counted ({})",
            count(now.count),
            count(plan.count),
            plan.summary
        )));
    }
    if now.digest != plan.digest {
        return Err(ChangeError::Moved(format!(
            "there are {} still, and not those that were counted ({})",
            counted(now.count, "one"),
            plan.summary
        )));
    }
    if !now.refusals.is_empty() {
        return Err(ChangeError::Refused(now.refusals.join("; ")));
    }
    Ok(())
}
