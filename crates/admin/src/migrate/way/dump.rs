//! Moves by `DUMP` and `RESTORE`, between servers.
//!
//! A key is removed from the source only if it has not changed since it was read, and with `verify`
//! after it was compared.

use compartment_core::ErrorKind;
use compartment_redis::answer_error;
use redis::Value;

use super::{Lane, Way, key_error, unexpected};
use crate::migrate::{Item, Outcome};
use crate::snapshot::Snapshot;
use crate::{AdminError, Result};

/// Number of keys per round trip, so that their values stay within [`BYTES_AT_ONCE`].
#[derive(Debug)]
pub(crate) struct Sizing {
    keys: usize,
}

/// Bytes of values in memory per lane.
const BYTES_AT_ONCE: usize = 4 << 20;
/// Maximum keys per round trip: enough to be fast, and few enough to share the server.
const MAX_KEYS: usize = 256;
/// First number of keys, before the size of the values is known.
const FIRST_KEYS: usize = 16;

impl Sizing {
    pub(crate) fn new() -> Self {
        Self { keys: FIRST_KEYS }
    }

    pub(crate) fn keys(&self) -> usize {
        self.keys
    }

    pub(crate) fn learn(&mut self, keys: usize, bytes: usize) {
        let fit = BYTES_AT_ONCE / (bytes / keys.max(1)).max(1);
        // Grows step by step and shrinks at once.
        self.keys = fit.clamp(1, (self.keys * 2).min(MAX_KEYS));
    }
}

impl Lane {
    pub(super) async fn dump(&mut self, items: &[Item]) -> Result<Vec<Outcome>> {
        let guard = !self.course.keep && !self.course.source.server().is_cluster();
        if guard {
            self.watch(items).await?;
        }
        let snapshots = self.fingerprints_in_source(items).await?;
        let bytes = snapshots.iter().flatten().map(|snapshot| snapshot.payload.len()).sum();
        self.keys_at_once.learn(items.len(), bytes);
        self.room_for(&snapshots)?;
        let mut outcomes = match self.way {
            Way::Typed => self.write_typed(items, &snapshots).await?,
            Way::Copy => self.copy_over(items, &snapshots).await?,
            _ => self.restore(items, &snapshots).await?,
        };
        let wrote: Vec<bool> = outcomes.iter().map(|outcome| *outcome == Outcome::Done).collect();
        self.look_at_standing(items, &snapshots, &mut outcomes).await?;
        self.renew_copies(items, &snapshots, &mut outcomes).await?;
        if self.course.verify {
            self.compare_arrived(items, &mut outcomes, &snapshots).await?;
        }
        // Before it leaves the source: no DUMP has the flag.
        let protected = self.protected_in_source(items).await?;
        self.protect(items, &outcomes, &protected).await?;
        self.note_copies(items, &snapshots, &outcomes);
        self.look_for_evictions().await?;
        if !self.course.keep {
            let arrived = |outcome: &Outcome| matches!(outcome, Outcome::Done | Outcome::Same);
            let at: Vec<usize> = (0..items.len()).filter(|at| arrived(&outcomes[*at])).collect();
            let removed = match guard {
                true => self.remove_watched(items, &at).await?,
                false => self.remove_unchanged(items, &at, &snapshots).await?,
            };
            if removed.iter().any(|removed| !removed) {
                let left = at.iter().zip(&removed).filter(|(_, removed)| !**removed);
                let left: Vec<usize> = left.map(|(at, _)| *at).collect();
                self.take_back(items, &snapshots, &left, &wrote, &mut outcomes).await?;
            }
        }
        Ok(outcomes)
    }

    /// Writes the keys that were read; existing names are left unchanged.
    async fn restore(
        &mut self,
        items: &[Item],
        snapshots: &[Option<Snapshot>],
    ) -> Result<Vec<Outcome>> {
        let mut commands = Vec::new();
        let mut at = Vec::new();
        let mut ends = Vec::new();
        let mut outcomes = vec![Outcome::Gone; items.len()];
        // Keys whose dump the target does not accept are written type by type.
        let mut untaken = Vec::new();
        for (place, (item, snapshot)) in items.iter().zip(snapshots).enumerate() {
            let Some(snapshot) = snapshot else { continue };
            let (number, name) = self.course.destination(item);
            if self.stays(number, snapshot) {
                outcomes[place] = Outcome::Stays;
                continue;
            }
            self.refuse_field_lives(number, &name, snapshot)?;
            let payload = self.payload_for(number, &name, snapshot)?;
            if self.is_too_large(number, &payload) {
                self.explain_size(number, &name, &payload)?;
                untaken.push(place);
                continue;
            }
            let mut command = redis::cmd("RESTORE");
            command.arg(&name).arg(self.expiry_there(number, snapshot));
            command.arg(&*payload);
            // 0 means no expiry with `ABSTTL` too.
            command.arg("ABSTTL");
            commands.push((number, command));
            at.push(place);
            ends.push((number, name));
        }
        let answers = self.ask_targets("restore", commands).await?;
        let mut is_too_old = false;
        for ((place, answer), (number, name)) in at.into_iter().zip(answers).zip(ends) {
            outcomes[place] = match &answer {
                Value::Okay | Value::SimpleString(_) => Outcome::Done,
                Value::ServerError(error) if error.code() == "BUSYKEY" => Outcome::Conflict,
                Value::ServerError(error) if self.course.any_way && is_too_new(error) => {
                    untaken.push(place);
                    is_too_old = true;
                    Outcome::Gone
                }
                other => match answer_error("restore", other) {
                    Some(error) => {
                        return Err(explain_refusal(key_error(&self.course, error, number, &name)));
                    }
                    None => return Err(unexpected(&self.course, "restore", other)),
                },
            };
        }
        for place in untaken {
            if let Some(snapshot) = &snapshots[place] {
                outcomes[place] = self.write_one(&items[place], snapshot, false).await?;
            }
        }
        if is_too_old {
            self.way = Way::Typed;
        }
        Ok(outcomes)
    }

    /// Compares names that exist in the target, which may be copies from an earlier run.
    async fn look_at_standing(
        &mut self,
        items: &[Item],
        snapshots: &[Option<Snapshot>],
        outcomes: &mut [Outcome],
    ) -> Result<()> {
        let at: Vec<usize> =
            (0..items.len()).filter(|at| outcomes[*at] == Outcome::Conflict).collect();
        if at.is_empty() {
            return Ok(());
        }
        let some: Vec<Item> = at.iter().map(|at| items[*at].clone()).collect();
        for (at, there) in at.into_iter().zip(self.fingerprints_in_targets(&some).await?) {
            if let (Some(here), Some(there)) = (&snapshots[at], &there)
                && here.difference(there, self.course.slack_ms()).is_none()
            {
                outcomes[at] = self.equal(&items[at]);
            }
        }
        Ok(())
    }
}

pub(super) fn is_too_new(error: &redis::ServerError) -> bool {
    error.details().is_some_and(|text| text.contains(TOO_NEW))
}

/// A server's error for a payload with an unknown version.
const TOO_NEW: &str = "DUMP payload version";

/// Explains that the target does not know the payload's version.
fn explain_refusal(error: AdminError) -> AdminError {
    let AdminError::Server(server) = &error else { return error };
    let text = server.message();
    if server.kind() == ErrorKind::Protocol && text.contains(TOO_NEW) {
        return AdminError::Invalid(format!(
            "the target is older than the source and does not know its encodings ({}): take the \
             way {} (--strategy typed)",
            text,
            Way::Typed
        ));
    }
    error
}
