//! Reads keys in the source and in their targets, by the source's clock.

use compartment_redis::Connection;

use super::{Course, Lane};
use crate::Result;
use crate::expiry::ExpiryBy;
use crate::field_lives::{FieldLives, expires_by_field};
use crate::migrate::{Item, Outcome};
use crate::rdb::Payload;
use crate::snapshot::{Snapshot, server_time, take};

impl Lane {
    /// Reads each key on both sides, at about the same moment.
    pub(crate) async fn both_sides(
        &mut self,
        items: &[Item],
    ) -> Result<(Vec<Option<Snapshot>>, Vec<Option<Snapshot>>)> {
        let (here, there) = tokio::join!(
            in_source(&self.course, &mut self.source, items),
            in_targets(&self.course, &mut self.targets, items)
        );
        let (here, there) = (here?, there?);
        let bytes = here.iter().flatten().map(|snapshot| snapshot.payload.len()).sum();
        self.keys_at_once.learn(items.len(), bytes);
        Ok((here, there))
    }

    /// Reads the keys in the source.
    pub(super) async fn fingerprints_in_source(
        &mut self,
        items: &[Item],
    ) -> Result<Vec<Option<Snapshot>>> {
        in_source(&self.course, &mut self.source, items).await
    }

    /// Reads the keys in their targets, with expiries converted to the source's clock.
    pub(super) async fn fingerprints_in_targets(
        &mut self,
        items: &[Item],
    ) -> Result<Vec<Option<Snapshot>>> {
        in_targets(&self.course, &mut self.targets, items).await
    }

    /// The key's expiry by its target's clock; 0 for never.
    pub(super) fn expiry_there(&self, number: usize, snapshot: &Snapshot) -> u64 {
        snapshot.expires_at.map_or(0, |at| self.course.shift(number).forth(at))
    }

    /// Compares keys that have arrived with their snapshots from before.
    pub(super) async fn compare_arrived(
        &mut self,
        items: &[Item],
        outcomes: &mut [Outcome],
        before: &[Option<Snapshot>],
    ) -> Result<()> {
        let after = self.fingerprints_in_targets(items).await?;
        let slack = self.course.slack_ms();
        for ((outcome, before), after) in outcomes.iter_mut().zip(before).zip(&after) {
            // A key without a snapshot was written between the look and the move.
            let (Outcome::Done, Some(before)) = (&*outcome, before) else { continue };
            match after {
                Some(after) => {
                    if let Some(what) = before.difference(after, slack) {
                        *outcome = Outcome::Damaged(what);
                    }
                }
                None if self.is_over(before).await? => *outcome = Outcome::Gone,
                None => *outcome = Outcome::Damaged("it is not in the target".into()),
            }
        }
        Ok(())
    }

    /// Whether the key has expired by the source's clock.
    async fn is_over(&mut self, snapshot: &Snapshot) -> Result<bool> {
        if snapshot.expires_at.is_none() {
            return Ok(false);
        }
        let now = server_time(&mut self.source).await?;
        Ok(snapshot.is_over(now, self.course.slack_ms()))
    }
}

async fn in_source(
    course: &Course,
    source: &mut Connection,
    items: &[Item],
) -> Result<Vec<Option<Snapshot>>> {
    let expiry = ExpiryBy::of(course.source.server().info());
    let names: Vec<Vec<u8>> = items.iter().map(|item| course.source_name(item)).collect();
    let mut taken = take(source, expiry, &names).await?;
    if course.field_lives == FieldLives::Drop {
        drop_field_lives(course, source, items, &mut taken).await?;
    }
    Ok(taken)
}

/// Marks the hashes whose fields do not expire in their targets. One of which every field has expired is gone, even
/// if its server has not removed it yet.
async fn drop_field_lives(
    course: &Course,
    source: &mut Connection,
    items: &[Item],
    taken: &mut [Option<Snapshot>],
) -> Result<()> {
    let mut now_ms = None;
    for (item, slot) in items.iter().zip(taken) {
        let target = course.routes.target(item.rule);
        let Some(snapshot) = slot else { continue };
        if course.knows_field_lives(target) || !expires_by_field(&snapshot.payload) {
            continue;
        }
        let now = match now_ms {
            Some(now) => now,
            None => *now_ms.insert(server_time(source).await?),
        };
        snapshot.drops_field_lives = Some(now);
        let value = Payload::parse_unchecked(&snapshot.payload).and_then(|one| one.value());
        if value.is_ok_and(|value| value.is_over(now)) {
            *slot = None;
        }
    }
    Ok(())
}

async fn in_targets(
    course: &Course,
    targets: &mut [Connection],
    items: &[Item],
) -> Result<Vec<Option<Snapshot>>> {
    let mut snapshots = vec![None; items.len()];
    for (number, connection) in targets.iter_mut().enumerate() {
        let mut at = Vec::new();
        let mut names = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let (target, name) = course.destination(item);
            if target == number {
                at.push(place);
                names.push(name);
            }
        }
        if names.is_empty() {
            continue;
        }
        let expiry = ExpiryBy::of(course.targets[number].server().info());
        let taken = take(connection, expiry, &names).await?;
        let shift = course.shift(number);
        for (place, mut snapshot) in at.into_iter().zip(taken) {
            if let Some(at) = snapshot.as_mut().and_then(|one| one.expires_at.as_mut()) {
                *at = shift.back(*at);
            }
            snapshots[place] = snapshot;
        }
    }
    Ok(snapshots)
}
