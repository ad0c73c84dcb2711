//! Takes back a completed feed: brings newer values from the new place to the old one.

use super::mark::{Copied, Mark};
use super::undo::Back;
use super::{Item, Outcome};
use crate::condition::Life;
use crate::{Progress, Result};

/// Keys per lookup.
const AT_ONCE: usize = 1_000;

/// Keys of one target, by their names there, with the source's mark of each.
#[derive(Clone, Default)]
struct Keys {
    items: Vec<Item>,
    marks: Vec<Option<Mark>>,
}

impl Back {
    fn by_target(&self, copied: &[Copied]) -> Vec<Keys> {
        let mut by_target = vec![Keys::default(); self.lanes.len()];
        for one in copied {
            let (number, item) = self.there(&one.item);
            if let Some(keys) = by_target.get_mut(number) {
                keys.items.push(item);
                keys.marks.push(one.mark.clone());
            }
        }
        by_target
    }

    /// Removes keys from the source that were deleted in their target, if the source's value is
    /// unchanged and the target's server has lost no keys since `lives`.
    pub(super) async fn delete_gone(
        &mut self,
        copied: &[Copied],
        lives: &[Life],
        progress: &dyn Progress,
    ) -> Result<()> {
        let by_target = self.by_target(copied);
        for (number, keys) in by_target.iter().enumerate() {
            let (mut kept, mut cause) = (0, "");
            for (items, marks) in keys.items.chunks(AT_ONCE).zip(keys.marks.chunks(AT_ONCE)) {
                let gone = self.lanes[number].gone_from_source(items).await?;
                // A key that the source did not have either was not deleted in the target.
                let gone: Vec<usize> = gone.into_iter().filter(|at| marks[*at].is_some()).collect();
                progress.advance(items.len() as u64);
                if gone.is_empty() {
                    continue;
                }
                if let Some(why) = self.may_have_lost(number, lives).await? {
                    (kept, cause) = (kept + gone.len(), why);
                    continue;
                }
                let items: Vec<Item> = gone.iter().map(|at| items[*at].clone()).collect();
                let marks: Vec<Option<Mark>> = gone.iter().map(|at| marks[*at].clone()).collect();
                let outcomes = self.lanes[number].remove_deleted(&items, &marks).await?;
                self.count_deleted(&items, &outcomes);
            }
            if kept > 0 {
                progress.note(&format!(
                    "note: the server of {} {cause}: {kept} keys that it does not have stay in {} as they \
                     are there",
                    self.forward.targets[number],
                    self.forward.source.label()
                ));
            }
        }
        Ok(())
    }

    /// Why a key missing from a target may have been lost there. Asked after the lookup, so that
    /// earlier losses are known.
    async fn may_have_lost(&self, number: usize, lives: &[Life]) -> Result<Option<&'static str>> {
        let now = Life::of(&self.forward.targets[number]).await?;
        Ok(match lives.get(number) {
            Some(then) => now.may_have_lost_since(then),
            None => Some("was not watched"),
        })
    }

    fn count_deleted(&mut self, items: &[Item], outcomes: &[Outcome]) {
        for (item, outcome) in items.iter().zip(outcomes) {
            match outcome {
                Outcome::Done => self.report.gone += 1,
                Outcome::There | Outcome::Conflict => self.report.count_written_since(item),
                _ => {}
            }
        }
    }

    /// Brings back the targets' keys, unless the source has a newer value.
    pub(super) async fn bring_all(
        &mut self,
        copied: &[Copied],
        progress: &dyn Progress,
    ) -> Result<()> {
        let by_target = self.by_target(copied);
        for (lane, keys) in self.lanes.iter_mut().zip(by_target) {
            let mut at = 0;
            while at < keys.items.len() {
                let portion = lane.capacity().min(self.pace.batch());
                self.pace.admit(portion * lane.commands_per_key()).await?;
                let some = at..keys.items.len().min(at + portion);
                at = some.end;
                let (items, marks) = (&keys.items[some.clone()], &keys.marks[some]);
                let outcomes = lane.bring(items, marks).await?;
                self.report.count(items, &outcomes);
                progress.advance(items.len() as u64);
            }
        }
        Ok(())
    }
}
