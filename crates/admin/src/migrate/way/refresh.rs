//! Makes keys in the targets what they are in the source now, whatever they were.

use compartment_redis::answer_error;
use redis::Value;

use super::{Lane, key_error, unexpected};
use crate::Result;
use crate::migrate::Item;

impl Lane {
    /// Copies the keys over those of the targets, and removes there what the source has no more.
    pub(crate) async fn refresh(&mut self, items: &[Item]) -> Result<()> {
        for some in items.chunks(self.keys_at_once.keys()) {
            self.refresh_some(some).await?;
        }
        Ok(())
    }

    async fn refresh_some(&mut self, items: &[Item]) -> Result<()> {
        let snapshots = self.fingerprints_in_source(items).await?;
        let mut commands = Vec::with_capacity(items.len());
        let mut ends = Vec::with_capacity(items.len());
        for (item, snapshot) in items.iter().zip(&snapshots) {
            let (number, name) = self.course.destination(item);
            let mut command = redis::cmd(if snapshot.is_some() { "RESTORE" } else { "UNLINK" });
            command.arg(&name);
            if let Some(snapshot) = snapshot {
                command.arg(snapshot.expires_at.unwrap_or(0)).arg(&snapshot.payload);
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
        Ok(())
    }

    /// Removes from the targets the keys that the source does not have: after it was emptied.
    pub(crate) async fn remove_gone(&mut self, items: &[Item]) -> Result<()> {
        for some in items.chunks(1_000) {
            let there = self.in_source(&some.iter().collect::<Vec<_>>()).await?;
            let pairs = some.iter().zip(there);
            let gone: Vec<Item> =
                pairs.filter(|(_, there)| !there).map(|(item, _)| item.clone()).collect();
            self.refresh(&gone).await?;
        }
        Ok(())
    }
}
