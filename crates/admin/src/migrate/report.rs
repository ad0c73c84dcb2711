//! The report of a migration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Item, Outcome, Way};
use crate::escape;

/// The result of a migration or of its undo.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MigrationReport {
    /// The way in which keys moved.
    pub way: Option<Way>,
    /// The servers in whose formats values were written again, because a target does not read the source's.
    #[serde(default)]
    pub formats: Vec<String>,
    /// Number of keys examined.
    pub seen: u64,
    /// Number of keys that are now in their new place.
    pub moved: u64,
    /// Number of identical keys that were there before.
    pub same: u64,
    /// Number of keys that expired, or were deleted or evicted meanwhile.
    pub gone: u64,
    /// Number of these keys that the source's server may have evicted.
    #[serde(default)]
    pub evicted: u64,
    /// Number of keys that the target had with another value; they were left unchanged.
    pub conflicts: u64,
    /// Number of keys that were changed during the move and are still in the source.
    pub changed: u64,
    /// Number of keys that arrived with a difference; they are still in the source, unless they
    /// moved by `MOVE`.
    pub damaged: u64,
    /// Number of keys of search indexes, which stay.
    #[serde(default)]
    pub of_indexes: u64,
    /// Number of hashes with expiring fields that stay by choice, because their target knows no such fields.
    #[serde(default)]
    pub field_lives: u64,
    /// Number of keys of modules, by type.
    #[serde(default)]
    pub modules: BTreeMap<String, u64>,
    /// Some of the keys that did not simply move: escaped name and reason.
    pub examples: Vec<(String, String)>,
    /// The counts by group.
    pub groups: Vec<GroupReport>,
    /// Number of passes over the keys.
    pub passes: u32,
    /// Duration in seconds.
    pub seconds: f64,
}

/// The result for one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GroupReport {
    /// Its name.
    pub group: String,
    /// The target's database.
    pub database: String,
    /// Keys now in the target, including identical ones that were there before.
    pub moved: u64,
    /// Number of keys that did not move.
    pub left: u64,
}

/// Maximum number of examples.
const EXAMPLES: usize = 20;

impl MigrationReport {
    pub(crate) fn count(&mut self, items: &[Item], outcomes: &[Outcome]) {
        for (item, outcome) in items.iter().zip(outcomes) {
            let of_index;
            let (counter, why) = match outcome {
                // It was counted when it arrived, or does not belong to this migration.
                Outcome::There => continue,
                Outcome::OfIndex(kind) => {
                    of_index = format!(
                        "it belongs to a search index ({kind}), which sees one database of its server \
                         only"
                    );
                    (&mut self.of_indexes, Some(of_index.as_str()))
                }
                Outcome::Stays => (
                    &mut self.field_lives,
                    Some("its fields expire, and the target knows no such fields"),
                ),
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
            self.seen += 1;
            if let Some(group) = self.groups.get_mut(item.rule) {
                match outcome {
                    Outcome::Done | Outcome::Same => group.moved += 1,
                    Outcome::Gone | Outcome::There => {}
                    Outcome::Conflict
                    | Outcome::Changed
                    | Outcome::Damaged(_)
                    | Outcome::Stays
                    | Outcome::OfIndex(_) => group.left += 1,
                }
            }
            if let Some(why) = why
                && self.examples.len() < EXAMPLES
            {
                self.examples.push((escape(&item.name), why.to_owned()));
            }
        }
    }

    /// Counts a key that was deleted in the new place and written in the old one since; it stays
    /// there.
    pub(crate) fn count_written_since(&mut self, item: &Item) {
        (self.seen, self.conflicts) = (self.seen + 1, self.conflicts + 1);
        if let Some(group) = self.groups.get_mut(item.rule) {
            group.left += 1;
        }
        if self.examples.len() < EXAMPLES {
            let why =
                "it was deleted in the new place and written in the old one since, and stays there";
            self.examples.push((escape(&item.name), why.to_owned()));
        }
    }

    pub(crate) fn count_modules(&mut self, met: BTreeMap<String, u64>) {
        for (kind, keys) in met {
            *self.modules.entry(kind).or_default() += keys;
        }
    }

    /// Whether every key is where it belongs. Hashes that stay by choice count as such.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.conflicts + self.changed + self.damaged + self.of_indexes == 0
    }
}
