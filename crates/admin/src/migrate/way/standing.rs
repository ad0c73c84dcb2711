//! Handles keys that exist in both places: identical ones from an earlier run, or conflicts.

use super::Lane;
use crate::Result;
use crate::migrate::{Item, Outcome};

/// Keys compared in one round trip.
const AT_ONCE: usize = 100;

impl Lane {
    /// Finds out why keys did not move within a server: they are gone from the source, conflict
    /// with another value, or are identical in the target. Identical ones are removed from the
    /// source unless it keeps its keys.
    pub(super) async fn settle_standing(
        &mut self,
        items: &[Item],
        refused: &[usize],
        outcomes: &mut [Outcome],
    ) -> Result<()> {
        let left: Vec<&Item> = refused.iter().map(|at| &items[*at]).collect();
        let there = self.in_source(&left).await?;
        let mut standing = Vec::new();
        for (at, there) in refused.iter().zip(there) {
            outcomes[*at] = Outcome::Gone;
            if there {
                standing.push(*at);
            }
        }
        for some in standing.chunks(AT_ONCE) {
            let chosen: Vec<Item> = some.iter().map(|at| items[*at].clone()).collect();
            for (at, outcome) in some.iter().zip(self.compare_standing(&chosen).await?) {
                outcomes[*at] = match outcome {
                    Outcome::Same => self.equal(&items[*at]),
                    outcome => outcome,
                };
            }
        }
        Ok(())
    }

    /// Compares keys in both places, and removes identical ones from the source unless it keeps its
    /// keys.
    pub(crate) async fn compare_standing(&mut self, items: &[Item]) -> Result<Vec<Outcome>> {
        let mut outcomes = self.compare_and_remove(items).await?;
        if items.len() > 1 {
            // One key that is being written makes the transaction fail for all keys watched with
            // it.
            for (at, outcome) in outcomes.iter_mut().enumerate() {
                if *outcome == Outcome::Changed {
                    let one = &items[at..=at];
                    *outcome = self.compare_and_remove(one).await?.pop().unwrap_or(Outcome::Gone);
                }
            }
        }
        self.tell_gone(items, &mut outcomes).await?;
        self.tell_those_there(items, &mut outcomes).await?;
        Ok(outcomes)
    }

    async fn compare_and_remove(&mut self, items: &[Item]) -> Result<Vec<Outcome>> {
        let guard = !self.course.keep && !self.course.source.server().is_cluster();
        if guard {
            self.watch(items).await?;
        }
        let before = self.fingerprints_in_source(items).await?;
        let after = self.fingerprints_in_targets(items).await?;
        let slack = self.course.slack_ms();
        let mut outcomes: Vec<Outcome> = before
            .iter()
            .zip(&after)
            .map(|(before, after)| match (before, after) {
                (None, _) => Outcome::Gone,
                // The name has become free in the target; the next pass moves the key.
                (Some(_), None) => Outcome::Changed,
                (Some(here), Some(there)) if here.difference(there, slack).is_none() => {
                    Outcome::Same
                }
                (Some(_), Some(_)) => Outcome::Conflict,
            })
            .collect();
        if self.course.keep {
            return Ok(outcomes);
        }
        let same: Vec<usize> =
            (0..items.len()).filter(|at| outcomes[*at] == Outcome::Same).collect();
        let removed = match guard {
            true => self.remove_watched(items, &same).await?,
            false => self.remove_unchanged(items, &same, &before).await?,
        };
        for (at, removed) in same.into_iter().zip(removed) {
            if !removed {
                outcomes[at] = Outcome::Changed;
            }
        }
        Ok(outcomes)
    }
}
