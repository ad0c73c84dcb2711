//! Removes unchanged keys from the source after they arrived, and outdated copies from the target.

use redis::{Pipeline, Value};

use super::{Lane, unexpected};
use crate::Result;
use crate::migrate::{Item, Outcome};
use crate::snapshot::Snapshot;

/// Removes KEYS[1] if the hash of its dump is still ARGV[1]; otherwise, or if it is missing,
/// returns 0. Used in clusters, where keys of several slots cannot be watched together.
pub(super) const REMOVE_UNCHANGED: &str = "local now = redis.call('DUMP', KEYS[1])
if not now then return 0 end
if redis.sha1hex(now) ~= ARGV[1] then return 0 end
redis.call('UNLINK', KEYS[1])
return 1";

impl Lane {
    pub(super) async fn watch(&mut self, items: &[Item]) -> Result<()> {
        let mut command = redis::cmd("WATCH");
        for item in items {
            command.arg(self.course.source_name(item));
        }
        self.source.ask::<Value>("watch keys", &command).await?;
        Ok(())
    }

    /// Removes the keys from the source if none of the watched keys has changed; returns which were
    /// removed, all or none.
    pub(super) async fn remove_watched(
        &mut self,
        items: &[Item],
        at: &[usize],
    ) -> Result<Vec<bool>> {
        if at.is_empty() {
            self.source.ask::<Value>("unwatch keys", &redis::cmd("UNWATCH")).await?;
            return Ok(Vec::new());
        }
        let mut pipeline = Pipeline::new();
        pipeline.cmd("MULTI");
        let command = pipeline.cmd("UNLINK");
        for at in at {
            command.arg(self.course.source_name(&items[*at]));
        }
        pipeline.cmd("EXEC");
        let answers = self.source.ask_each("remove moved keys", &pipeline).await?;
        match answers.last() {
            Some(Value::Nil) => Ok(vec![false; at.len()]),
            Some(Value::Array(_)) => Ok(vec![true; at.len()]),
            Some(other) => {
                // The reason for the refusal is among the answers before `EXEC`.
                let cause = answers.iter().find(|a| matches!(a, Value::ServerError(_)));
                Err(unexpected(&self.course, "remove moved keys", cause.unwrap_or(other)))
            }
            None => Err(unexpected(&self.course, "remove moved keys", &Value::Nil)),
        }
    }

    pub(super) async fn remove_unchanged(
        &mut self,
        items: &[Item],
        at: &[usize],
        snapshots: &[Option<Snapshot>],
    ) -> Result<Vec<bool>> {
        let mut pipeline = Pipeline::with_capacity(at.len());
        for at in at {
            let payload = snapshots[*at].as_ref().map_or(&[][..], |s| s.payload.as_slice());
            let name = self.course.source_name(&items[*at]);
            pipeline.cmd("EVAL").arg(REMOVE_UNCHANGED).arg(1).arg(name).arg(sha1(payload));
        }
        let answers = self.source.ask_each("remove moved keys", &pipeline).await?;
        let each = answers.iter();
        each.map(|answer| Ok(super::as_int(&self.course, "remove moved keys", answer)? == 1))
            .collect()
    }

    /// Handles keys of a page that were not removed, because some of them were changed: unchanged keys are removed
    /// from the source one by one; copies of changed keys that this attempt `wrote` are outdated and removed from the
    /// target.
    pub(super) async fn take_back(
        &mut self,
        items: &[Item],
        snapshots: &[Option<Snapshot>],
        left: &[usize],
        wrote: &[bool],
        outcomes: &mut [Outcome],
    ) -> Result<()> {
        for at in left.iter().copied() {
            let is_cluster = self.course.source.server().is_cluster();
            if !is_cluster && self.remove_if_still(&items[at], snapshots[at].as_ref()).await? {
                continue;
            }
            if wrote[at] && !self.was_brought(&items[at]).await? {
                self.remove_from_target(&items[at], snapshots[at].as_ref()).await?;
            }
            outcomes[at] = Outcome::Changed;
        }
        self.tell_gone(items, outcomes).await
    }

    /// Removes a key from the source if it still is as it was read.
    async fn remove_if_still(&mut self, item: &Item, then: Option<&Snapshot>) -> Result<bool> {
        let item = std::slice::from_ref(item);
        self.watch(item).await?;
        let now = self.fingerprints_in_source(item).await?;
        let same = match (&now[0], then) {
            (Some(now), Some(then)) => now.difference(then, self.course.slack_ms()).is_none(),
            _ => false,
        };
        let places: &[usize] = if same { &[0] } else { &[] };
        Ok(self.remove_watched(item, places).await?.first().copied().unwrap_or(false))
    }

    /// Whether a program that uses both places may have removed the key from the source, because it found it in the
    /// target.
    async fn was_brought(&mut self, item: &Item) -> Result<bool> {
        Ok(self.course.both_are_used && self.in_source(&[item]).await? == [false])
    }

    /// Corrects outcomes of keys that seemed changed, but have expired or been deleted.
    pub(super) async fn tell_gone(
        &mut self,
        items: &[Item],
        outcomes: &mut [Outcome],
    ) -> Result<()> {
        let changed: Vec<usize> =
            (0..items.len()).filter(|at| outcomes[*at] == Outcome::Changed).collect();
        let some: Vec<&Item> = changed.iter().map(|at| &items[*at]).collect();
        for (at, there) in changed.iter().zip(self.in_source(&some).await?) {
            if !there {
                outcomes[*at] = Outcome::Gone;
            }
        }
        Ok(())
    }

    /// Removes a key that this run has just written, if it is unchanged.
    async fn remove_from_target(&mut self, item: &Item, then: Option<&Snapshot>) -> Result<()> {
        let (number, name) = self.course.destination(item);
        let Some(then) = then else { return Ok(()) };
        let mut command = redis::cmd("EVAL");
        // The target writes payloads in its own version of the format, so values are compared.
        let now = self.fingerprints_in_targets(std::slice::from_ref(item)).await?;
        let Some(now) = now.into_iter().next().flatten() else { return Ok(()) };
        if now.difference(then, self.course.slack_ms()).is_some() {
            return Ok(());
        }
        command.arg(REMOVE_UNCHANGED).arg(1).arg(name).arg(sha1(&now.payload));
        self.targets[number].ask::<Value>("remove an outdated copy", &command).await?;
        Ok(())
    }
}

pub(super) fn sha1(bytes: &[u8]) -> String {
    sha1_smol::Sha1::from(bytes).digest().to_string()
}
