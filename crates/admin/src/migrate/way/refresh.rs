//! Updates keys in the targets to the source's current values, if they are still copies.

use compartment_redis::answer_error;
use redis::{Cmd, Value};

use super::dump::is_too_new;
use super::remove::{REMOVE_UNCHANGED, sha1};
use super::{Lane, Way, key_error, unexpected};
use crate::migrate::mark::{Copied, Mark};
use crate::migrate::{Item, Outcome};
use crate::snapshot::Snapshot;
use crate::{AdminError, Result};

/// Replaces KEYS[1] if the hash of its dump is still ARGV[1].
const REPLACE_UNCHANGED: &str = "local now = redis.call('DUMP', KEYS[1])
if not now then return 0 end
if redis.sha1hex(now) ~= ARGV[1] then return 0 end
redis.call('RESTORE', KEYS[1], ARGV[2], ARGV[3], 'REPLACE', 'ABSTTL')
return 1";

impl Lane {
    /// Updates copies from the source; returns the outcome of each key. A key that has changed in
    /// its target since it was copied belongs to the target and stays.
    ///
    /// # Errors
    /// [`AdminError::Unsafe`] if the source may have evicted the keys that it lacks.
    pub(crate) async fn refresh(&mut self, items: &[Item]) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(items.len());
        while outcomes.len() < items.len() {
            let from = outcomes.len();
            let some = &items[from..items.len().min(from + self.keys_at_once.keys())];
            let here = self.fingerprints_in_source(some).await?;
            let bytes = here.iter().flatten().map(|snapshot| snapshot.payload.len()).sum();
            self.keys_at_once.learn(some.len(), bytes);
            let ours = self.course.copies.as_ref().map(|copies| copies.marks(some));
            let ours = ours.unwrap_or_else(|| vec![None; some.len()]);
            if here.iter().zip(&ours).any(|(here, ours)| here.is_none() && ours.is_some()) {
                self.refuse_evicted().await?;
            }
            let became = self.put_over(some, &here, &ours).await?;
            let protected = self.protected_in_source(some).await?;
            self.protect(some, &became, &protected).await?;
            self.note_copies(some, &here, &became);
            self.look_for_evictions().await?;
            outcomes.extend(became);
        }
        Ok(outcomes)
    }

    /// Updates those keys with another value in their targets that are copies.
    pub(super) async fn renew_copies(
        &mut self,
        items: &[Item],
        here: &[Option<Snapshot>],
        outcomes: &mut [Outcome],
    ) -> Result<()> {
        let Some(copies) = &self.course.copies else { return Ok(()) };
        let at: Vec<usize> =
            (0..items.len()).filter(|at| outcomes[*at] == Outcome::Conflict).collect();
        if at.is_empty() {
            return Ok(());
        }
        let some: Vec<Item> = at.iter().map(|at| items[*at].clone()).collect();
        let here: Vec<Option<Snapshot>> = at.iter().map(|at| here[*at].clone()).collect();
        let ours = copies.marks(&some);
        for (at, became) in at.into_iter().zip(self.put_over(&some, &here, &ours).await?) {
            outcomes[at] = became;
        }
        Ok(())
    }

    /// Records which keys are copies now, if the run follows the source.
    pub(super) fn note_copies(
        &self,
        items: &[Item],
        here: &[Option<Snapshot>],
        outcomes: &[Outcome],
    ) {
        let Some(copies) = &self.course.copies else { return };
        let ours = copies.marks(items);
        let mut copied = Vec::new();
        for (((item, here), outcome), ours) in items.iter().zip(here).zip(outcomes).zip(ours) {
            copies.note_conflict(item, *outcome == Outcome::Conflict);
            if *outcome != Outcome::Stays || ours.is_some() {
                copies.note_staying(item, *outcome == Outcome::Stays);
            }
            let mark = match outcome {
                Outcome::Done => here.as_ref().map(Mark::of),
                Outcome::Same if ours.is_some() => here.as_ref().map(Mark::of),
                Outcome::Gone | Outcome::There if ours.is_some() && here.is_none() => None,
                Outcome::Stays if ours.is_some() => None,
                _ => continue,
            };
            if mark != ours {
                copied.push(Copied { item: item.clone(), mark });
            }
        }
        copies.note(copied);
    }

    async fn refuse_evicted(&mut self) -> Result<()> {
        let Some(watch) = &mut self.source_watch else { return Ok(()) };
        match watch.evicted().await {
            0 => Ok(()),
            evicted => Err(AdminError::Unsafe(format!(
                "{} has evicted {evicted} keys meanwhile, which look like deletions. Their copies are \
                 kept: raise its maxmemory and run the same command again, or use \
                 --accept-eviction",
                self.course.source
            ))),
        }
    }

    /// Writes the snapshots over keys in the targets that are missing or still `ours`. Removals also
    /// count as done.
    async fn put_over(
        &mut self,
        items: &[Item],
        here: &[Option<Snapshot>],
        ours: &[Option<Mark>],
    ) -> Result<Vec<Outcome>> {
        let mut outcomes = self.put_once(items, here, ours).await?;
        for (at, outcome) in outcomes.iter_mut().enumerate() {
            // It was changed between the look and the write, or has expired.
            if *outcome == Outcome::Changed {
                let one = at..=at;
                let again =
                    self.put_once(&items[one.clone()], &here[one.clone()], &ours[one]).await?;
                *outcome = match again.into_iter().next() {
                    Some(Outcome::Changed) | None => Outcome::Conflict,
                    Some(outcome) => outcome,
                };
            }
        }
        Ok(outcomes)
    }

    async fn put_once(
        &mut self,
        items: &[Item],
        here: &[Option<Snapshot>],
        ours: &[Option<Mark>],
    ) -> Result<Vec<Outcome>> {
        self.room_for(here)?;
        let there = self.fingerprints_in_targets(items).await?;
        let slack = self.course.slack_ms();
        let mut outcomes = Vec::with_capacity(items.len());
        let (mut commands, mut at) = (Vec::new(), Vec::new());
        for (place, item) in items.iter().enumerate() {
            let may_go = match (&there[place], &ours[place]) {
                (Some(there), Some(ours)) => ours.is_of(there, slack),
                (Some(_), None) => false,
                (None, _) => true,
            };
            let outcome = match (&here[place], &there[place]) {
                (None, None) => Outcome::Gone,
                (Some(here), Some(there)) if here.difference(there, slack).is_none() => {
                    Outcome::Same
                }
                (None, Some(_)) if !may_go => Outcome::There,
                (Some(_), Some(_)) if !may_go => Outcome::Conflict,
                (Some(here), there) if self.stays(self.course.destination(item).0, here) => {
                    // A copy from before its fields expired would grow old in the target.
                    if let Some(command) = self.write_over(item, None, there.as_ref()).await?
                        && there.is_some()
                    {
                        commands.push((self.course.routes.target(item.rule), command));
                        at.push(place);
                    }
                    Outcome::Stays
                }
                (here, there) => {
                    match self.write_over(item, here.as_ref(), there.as_ref()).await? {
                        Some(command) => {
                            commands.push((self.course.routes.target(item.rule), command));
                            at.push(place);
                            Outcome::Done
                        }
                        None => Outcome::Done,
                    }
                }
            };
            outcomes.push(outcome);
        }
        let answers = self.ask_targets("copy a change", commands).await?;
        for (place, answer) in at.into_iter().zip(answers) {
            if !self.has_written(&items[place], &answer)? {
                outcomes[place] = Outcome::Changed;
            }
        }
        Ok(outcomes)
    }

    /// The command that writes the value from `here` if the target still has the value in `there`; `None`
    /// if the key was written type by type instead.
    async fn write_over(
        &mut self,
        item: &Item,
        here: Option<&Snapshot>,
        there: Option<&Snapshot>,
    ) -> Result<Option<Cmd>> {
        let (number, name) = self.course.destination(item);
        let Some(here) = here else {
            let mut command = redis::cmd("EVAL");
            let payload = there.map_or(&[][..], |there| there.payload.as_slice());
            command.arg(REMOVE_UNCHANGED).arg(1).arg(&name).arg(sha1(payload));
            return Ok(Some(command));
        };
        self.refuse_field_lives(number, &name, here)?;
        let payload = self.payload_for(number, &name, here)?;
        if self.way == Way::Typed || self.is_too_large(number, &payload) {
            self.explain_size(number, &name, &payload)?;
            self.write_one(item, here, there.is_some()).await?;
            return Ok(None);
        }
        let expiry = self.expiry_there(number, here);
        let mut command = redis::cmd(if there.is_some() { "EVAL" } else { "RESTORE" });
        match there {
            Some(there) => {
                command.arg(REPLACE_UNCHANGED).arg(1).arg(&name).arg(sha1(&there.payload));
                command.arg(expiry).arg(&*payload);
            }
            None => {
                command.arg(&name).arg(expiry).arg(&*payload).arg("ABSTTL");
            }
        }
        Ok(Some(command))
    }

    /// Whether the key was written, according to the answer.
    fn has_written(&mut self, item: &Item, answer: &Value) -> Result<bool> {
        match answer {
            Value::Okay | Value::SimpleString(_) | Value::Int(1) => Ok(true),
            Value::Int(0) => Ok(false),
            Value::ServerError(error) if error.code() == "BUSYKEY" => Ok(false),
            Value::ServerError(error) if self.course.any_way && is_too_new(error) => {
                self.way = Way::Typed;
                Ok(false)
            }
            other => {
                let (number, name) = self.course.destination(item);
                Err(match answer_error("copy a change", other) {
                    Some(error) => key_error(&self.course, error, number, &name),
                    None => unexpected(&self.course, "copy a change", other),
                })
            }
        }
    }

    /// Positions of keys that the source does not have.
    pub(crate) async fn gone_from_source(&mut self, items: &[Item]) -> Result<Vec<usize>> {
        let there = self.in_source(&items.iter().collect::<Vec<_>>()).await?;
        Ok((0..items.len()).filter(|at| !there[*at]).collect())
    }

    /// Removes from the targets keys that the source no longer has, if they still match `ours`. The
    /// outcome is `Done` for a removed key, and `There` for one with another value.
    pub(crate) async fn remove_deleted(
        &mut self,
        items: &[Item],
        ours: &[Option<Mark>],
    ) -> Result<Vec<Outcome>> {
        let ours = self.by_this_clock(ours);
        self.put_over(items, &vec![None; items.len()], &ours).await
    }

    /// Converts marks from the only target's clock to the source's.
    fn by_this_clock(&self, marks: &[Option<Mark>]) -> Vec<Option<Mark>> {
        let shift = self.course.shift(0);
        marks.iter().map(|mark| mark.clone().map(|mark| mark.back(shift))).collect()
    }

    /// Moves the keys with their current values to the only target, where they are missing or still
    /// match `ours`, and removes them from the source.
    pub(crate) async fn bring(
        &mut self,
        items: &[Item],
        ours: &[Option<Mark>],
    ) -> Result<Vec<Outcome>> {
        let mut ours = self.by_this_clock(ours);
        let mut outcomes = self.bring_some(items, &mut ours).await?;
        if items.len() > 1 {
            // One key that is being written makes the transaction fail for all keys watched with
            // it.
            for (at, outcome) in outcomes.iter_mut().enumerate() {
                if *outcome == Outcome::Changed {
                    let one = self.bring_some(&items[at..=at], &mut ours[at..=at]).await?;
                    *outcome = one.into_iter().next().unwrap_or(Outcome::Gone);
                }
            }
        }
        Ok(outcomes)
    }

    /// Copies the items once; `ours` receives the marks of the copies.
    async fn bring_some(
        &mut self,
        items: &[Item],
        ours: &mut [Option<Mark>],
    ) -> Result<Vec<Outcome>> {
        let guard = !self.course.source.server().is_cluster();
        if guard {
            self.watch(items).await?;
        }
        let snapshots = self.fingerprints_in_source(items).await?;
        let bytes = snapshots.iter().flatten().map(|snapshot| snapshot.payload.len()).sum();
        self.keys_at_once.learn(items.len(), bytes);
        let there: Vec<usize> = (0..items.len()).filter(|at| snapshots[*at].is_some()).collect();
        let some: Vec<Item> = there.iter().map(|at| items[*at].clone()).collect();
        let of_some: Vec<_> = there.iter().map(|at| snapshots[*at].clone()).collect();
        let of_ours: Vec<_> = there.iter().map(|at| ours[*at].clone()).collect();
        let put = self.put_over(&some, &of_some, &of_ours).await?;
        self.look_for_evictions().await?;
        // A missing key was brought before, or has expired.
        let mut outcomes = vec![Outcome::There; items.len()];
        let mut arrived = Vec::new();
        for (at, became) in there.into_iter().zip(put) {
            if matches!(became, Outcome::Done | Outcome::Same) {
                ours[at] = snapshots[at].as_ref().map(Mark::of);
                arrived.push(at);
                outcomes[at] = Outcome::Done;
            } else {
                outcomes[at] = became;
            }
        }
        let removed = match guard {
            true => self.remove_watched(items, &arrived).await?,
            false => self.remove_unchanged(items, &arrived, &snapshots).await?,
        };
        for (at, removed) in arrived.into_iter().zip(removed) {
            if !removed {
                outcomes[at] = Outcome::Changed;
            }
        }
        Ok(outcomes)
    }
}
