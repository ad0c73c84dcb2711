//! Checks the target for conflicts before a restore, and for differences after it.

use std::collections::HashMap;

use compartment_redis::{Connection, read_answer};
use futures_util::StreamExt;
use redis::Pipeline;

use super::keys::{Batch, Keys, now};
use super::{OnConflict, RestoreReport, Work};
use crate::backup::{Sizes, fetch};
use crate::error::{AdminError, Result};
use crate::expiry::ExpiryBy;
use crate::rdb::{Key, Payload};
use crate::{Walk, escape};

/// Round trips in flight.
const IN_FLIGHT: usize = 3;
/// Maximum number of names in an error.
const SHOWN: usize = 5;

/// The state in the target of a key from the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Missing,
    Same,
    Other,
}

impl Work<'_> {
    /// Whether the target has any keys.
    pub(super) async fn holds_keys(&self) -> Result<bool> {
        let keys = self.place.index_keys().await?;
        if keys == 0 || self.place.prefix().is_empty() {
            return Ok(keys > 0);
        }
        let mut walk = Walk::start(self.place, None).await?;
        while let Some(page) = walk.next_page().await? {
            if !page.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The state of each key in the target.
    pub(super) async fn standing(
        &self,
        connection: &mut Connection,
        keys: &[Key],
    ) -> Result<Vec<Standing>> {
        let names = keys.iter().map(|key| key.name.clone()).collect();
        let by = ExpiryBy::of(self.place.server().info());
        let page = fetch(connection, self.place, by, &Sizes::new(), names).await?;
        let there: HashMap<&[u8], _> =
            page.entries.iter().map(|entry| (entry.name.as_slice(), entry)).collect();
        let compare = |key: &Key| {
            let Some(entry) = there.get(key.name.as_slice()) else { return Standing::Missing };
            let dump = key.dump(self.rdb_version);
            let (Ok(ours), Ok(theirs)) = (Payload::parse(&dump), Payload::parse(&entry.dump))
            else {
                return Standing::Other;
            };
            let expiry = by.is_same(key.expires_at_ms, entry.expires_at_ms);
            let same = ours.same_value(&theirs)
                || self
                    .drops_field_lives
                    .is_some_and(|now| ours.same_without_field_lives(&theirs, now));
            if expiry && same { Standing::Same } else { Standing::Other }
        };
        Ok(keys.iter().map(compare).collect())
    }

    /// Counts conflicting keys; with [`OnConflict::Fail`] they are an error.
    pub(super) async fn find_conflicts(
        &self,
        keys: &Keys,
        connection: &Connection,
        report: &mut RestoreReport,
    ) -> Result<()> {
        let checked = keys.batches().map(|batch| {
            let mut connection = connection.clone();
            async move {
                let batch = batch?;
                let there = self.existing(&mut connection, &batch).await?;
                let standing = self.standing(&mut connection, &there).await?;
                Ok::<_, AdminError>((batch.keys.len() as u64, batch.expired, there, standing))
            }
        });
        let mut checked = std::pin::pin!(checked.buffered(IN_FLIGHT));
        let mut shown = Vec::new();
        while let Some(batch) = checked.next().await {
            let (count, expired, there, standing) = batch?;
            report.expired += expired;
            for (key, standing) in there.iter().zip(standing) {
                match standing {
                    Standing::Missing => {}
                    Standing::Same => report.already_there += 1,
                    Standing::Other => {
                        report.standing += 1;
                        if shown.len() < SHOWN {
                            shown.push(escape(&key.name));
                        }
                    }
                }
            }
            self.progress.advance(count + expired);
        }
        if report.standing == 0 || self.options.on_conflict != OnConflict::Fail {
            return Ok(());
        }
        let more = if report.standing > shown.len() as u64 { ", …" } else { "" };
        Err(AdminError::Conflict(format!(
            "{} keys of {} exist in {} with other values: {}{more}; nothing was restored. \
             --on-conflict skip keeps them, --on-conflict replace overwrites them",
            report.standing,
            self.name_of(keys),
            self.place,
            shown.join(", "),
        )))
    }

    pub(super) fn name_of(&self, keys: &Keys) -> String {
        keys.file.display().to_string()
    }

    /// The keys that exist in the target.
    async fn existing(&self, connection: &mut Connection, batch: &Batch) -> Result<Vec<Key>> {
        let mut pipeline = Pipeline::with_capacity(batch.keys.len());
        for key in &batch.keys {
            pipeline.cmd("EXISTS").arg(&*self.place.on_server(&key.name));
        }
        let answers = connection.ask_each("look for", &pipeline).await;
        let answers = answers.map_err(|error| error.in_database(self.place.label()))?;
        let mut there = Vec::new();
        for (key, answer) in batch.keys.iter().zip(answers) {
            let exists: bool = read_answer("look for", answer)
                .map_err(|error| error.at_key(escape(&key.name)).in_database(self.place.label()))?;
            if exists {
                there.push(key.clone());
            }
        }
        Ok(there)
    }

    /// Reads each key back; differences from the file are an error, except for existing keys that
    /// were kept.
    pub(super) async fn verify(
        &self,
        keys: &Keys,
        connection: &Connection,
        report: &mut RestoreReport,
    ) -> Result<()> {
        let read = keys.batches().map(|batch| {
            let mut connection = connection.clone();
            async move {
                let batch = batch?;
                let standing = self.standing(&mut connection, &batch.keys).await?;
                Ok::<_, AdminError>((batch, standing))
            }
        });
        let mut read = std::pin::pin!(read.buffered(IN_FLIGHT));
        let mut clock = connection.clone();
        let (mut verified, mut different, mut shown) = (0, 0, Vec::new());
        while let Some(batch) = read.next().await {
            let (batch, standing) = batch?;
            for (key, standing) in batch.keys.iter().zip(standing) {
                let over = match key.expires_at_ms {
                    Some(at) if standing == Standing::Missing => at <= now(&mut clock).await,
                    _ => false,
                };
                match standing {
                    Standing::Same => verified += 1,
                    // The key has expired since.
                    Standing::Missing if over => verified += 1,
                    Standing::Missing | Standing::Other => {
                        different += 1;
                        if shown.len() < SHOWN {
                            shown.push(escape(&key.name));
                        }
                    }
                }
            }
            self.progress.advance(batch.keys.len() as u64 + batch.expired);
        }
        report.verified = Some(verified);
        if different == 0 {
            return Ok(());
        }
        let more = if different > shown.len() { ", …" } else { "" };
        let what = format!(
            "{different} keys in {} differ from {}: {}{more}",
            self.place,
            self.name_of(keys),
            shown.join(", ")
        );
        if self.options.on_conflict == OnConflict::Skip {
            self.progress.note(&format!("{what}; existing keys were kept"));
            return Ok(());
        }
        Err(AdminError::Different(format!("{what}; they may have changed since")))
    }
}
