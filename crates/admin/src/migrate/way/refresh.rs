//! Makes keys in the targets what they are in the source now, whatever they were.

use compartment_redis::answer_error;
use redis::Value;

use super::{Lane, Way, as_int, key_error, unexpected};
use crate::Result;
use crate::migrate::{Item, Outcome};
use crate::snapshot::Snapshot;

impl Lane {
    /// Copies the keys over those of the targets, and removes there what the source has no more.
    pub(crate) async fn refresh(&mut self, items: &[Item]) -> Result<()> {
        for some in items.chunks(self.keys_at_once.keys()) {
            let snapshots = self.fingerprints_in_source(some).await?;
            self.put(some, &snapshots).await?;
        }
        Ok(())
    }

    /// Makes the keys in the targets what the snapshots say.
    async fn put(&mut self, items: &[Item], snapshots: &[Option<Snapshot>]) -> Result<()> {
        self.room_for(snapshots)?;
        let mut commands = Vec::with_capacity(items.len());
        let mut ends = Vec::with_capacity(items.len());
        for (item, snapshot) in items.iter().zip(snapshots) {
            let (number, name) = self.course.destination(item);
            let mut command = redis::cmd(if snapshot.is_some() { "RESTORE" } else { "UNLINK" });
            command.arg(&name);
            if let Some(snapshot) = snapshot {
                self.refuse_field_lives(number, &name, snapshot)?;
                if self.way == Way::Typed || self.is_too_large(number, snapshot) {
                    self.explain_size(number, &name, snapshot)?;
                    self.write_one(item, snapshot, true).await?;
                    continue;
                }
                command.arg(self.expiry_there(number, snapshot)).arg(&snapshot.payload);
                command.arg("REPLACE").arg("ABSTTL");
            }
            commands.push((number, command));
            ends.push((number, name));
        }
        let answers = self.ask_targets("copy a change", commands).await?;
        for (answer, (number, name)) in answers.iter().zip(&ends) {
            match answer {
                Value::Okay | Value::SimpleString(_) | Value::Int(_) => {}
                other => {
                    return Err(match answer_error("copy a change", other) {
                        Some(error) => key_error(&self.course, error, *number, name),
                        None => unexpected(&self.course, "copy a change", other),
                    });
                }
            }
        }
        self.look_for_evictions().await
    }

    /// Removes from the targets the keys that the source does not have: after it was emptied.
    pub(crate) async fn remove_gone(&mut self, items: &[Item]) -> Result<()> {
        for some in items.chunks(1_000) {
            let gone = self.gone_from_source(some).await?;
            self.refresh(&gone).await?;
        }
        Ok(())
    }

    /// Those of the keys that the source does not have.
    pub(crate) async fn gone_from_source(&mut self, items: &[Item]) -> Result<Vec<Item>> {
        let there = self.in_source(&items.iter().collect::<Vec<_>>()).await?;
        let pairs = items.iter().zip(there);
        Ok(pairs.filter(|(_, there)| !there).map(|(item, _)| item.clone()).collect())
    }

    /// Removes the keys from the targets; how many there were.
    pub(crate) async fn remove_from_targets(&mut self, items: &[Item]) -> Result<u64> {
        let commands = items.iter().map(|item| {
            let (number, name) = self.course.destination(item);
            let mut command = redis::cmd("UNLINK");
            command.arg(name);
            (number, command)
        });
        let commands = commands.collect();
        let mut removed = 0;
        for answer in self.ask_targets("remove a deleted key", commands).await? {
            removed += u64::from(as_int(&self.course, "remove a deleted key", &answer)? == 1);
        }
        Ok(removed)
    }

    /// Takes the keys to the targets as they are in the source now, whatever is there, and removes
    /// them from the source.
    pub(crate) async fn bring(&mut self, items: &[Item]) -> Result<Vec<Outcome>> {
        let mut outcomes = self.bring_some(items).await?;
        if items.len() > 1 {
            // One that is being written to holds up all that were watched with it.
            for (at, outcome) in outcomes.iter_mut().enumerate() {
                if *outcome == Outcome::Changed {
                    let one = self.bring_some(&items[at..=at]).await?;
                    *outcome = one.into_iter().next().unwrap_or(Outcome::Gone);
                }
            }
        }
        Ok(outcomes)
    }

    async fn bring_some(&mut self, items: &[Item]) -> Result<Vec<Outcome>> {
        let guard = !self.course.source.server().is_cluster();
        if guard {
            self.watch(items).await?;
        }
        let snapshots = self.fingerprints_in_source(items).await?;
        let there: Vec<usize> = (0..items.len()).filter(|at| snapshots[*at].is_some()).collect();
        let (some, of_some): (Vec<Item>, Vec<Option<Snapshot>>) =
            there.iter().map(|at| (items[*at].clone(), snapshots[*at].clone())).unzip();
        let bytes = of_some.iter().flatten().map(|snapshot| snapshot.payload.len()).sum();
        self.keys_at_once.learn(items.len(), bytes);
        self.put(&some, &of_some).await?;
        let removed = match guard {
            true => self.remove_watched(items, &there).await?,
            false => self.remove_unchanged(items, &there, &snapshots).await?,
        };
        // What is not there was brought before, or has ended.
        let mut outcomes = vec![Outcome::There; items.len()];
        for (at, removed) in there.into_iter().zip(removed) {
            outcomes[at] = if removed { Outcome::Done } else { Outcome::Changed };
        }
        Ok(outcomes)
    }
}
