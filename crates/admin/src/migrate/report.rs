//! What a migration did, in figures.

use serde::{Deserialize, Serialize};

use super::{Item, Outcome, Way};
use crate::escape;

/// What a migration, or taking one back, did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MigrationReport {
    /// How the keys went.
    pub way: Option<Way>,
    /// Keys that were looked at.
    pub seen: u64,
    /// Keys that are in their new place now.
    pub moved: u64,
    /// Keys that were there already, the same.
    pub same: u64,
    /// Keys that expired or were deleted meanwhile.
    pub gone: u64,
    /// Keys whose name the target had already with another value: left as they were.
    pub conflicts: u64,
    /// Keys that were changed on their way and are in the source still.
    pub changed: u64,
    /// Keys that arrived with another value or expiry.
    pub damaged: u64,
    /// Some of the keys that did not simply move: escaped name, and why.
    pub examples: Vec<(String, String)>,
    /// The same by group.
    pub groups: Vec<GroupReport>,
    /// How often the keys were gone over.
    pub passes: u32,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// What became of one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GroupReport {
    /// Its name.
    pub group: String,
    /// The target's.
    pub database: String,
    /// Keys that are there now, those included that were there already, the same.
    pub moved: u64,
    /// Keys that were left.
    pub left: u64,
}

/// So many examples are kept.
const EXAMPLES: usize = 20;

impl MigrationReport {
    pub(crate) fn count(&mut self, items: &[Item], outcomes: &[Outcome]) {
        for (item, outcome) in items.iter().zip(outcomes) {
            self.seen += 1;
            let (counter, why) = match outcome {
                Outcome::Done => (&mut self.moved, None),
                Outcome::Same => (&mut self.same, None),
                Outcome::Gone => (&mut self.gone, None),
                Outcome::Conflict => {
                    (&mut self.conflicts, Some("the target has another value of that name"))
                }
                Outcome::Changed => (&mut self.changed, Some("it is being written to")),
                Outcome::Damaged(why) => (&mut self.damaged, Some(why.as_str())),
            };
            *counter += 1;
            if let Some(group) = self.groups.get_mut(item.rule) {
                match outcome {
                    Outcome::Done | Outcome::Same => group.moved += 1,
                    Outcome::Gone => {}
                    Outcome::Conflict | Outcome::Changed | Outcome::Damaged(_) => group.left += 1,
                }
            }
            if let Some(why) = why
                && self.examples.len() < EXAMPLES
            {
                self.examples.push((escape(&item.name), why.to_owned()));
            }
        }
    }

    /// Whether every key that was looked at is where it belongs.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.conflicts == 0 && self.changed == 0 && self.damaged == 0
    }
}
