//! The report of a migration, in figures.

use std::collections::BTreeMap;

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
    /// Keys that expired, were deleted or evicted meanwhile.
    pub gone: u64,
    /// How many of these the server of the source may have evicted.
    #[serde(default)]
    pub evicted: u64,
    /// Keys whose name the target had already with another value: left as they were.
    pub conflicts: u64,
    /// Keys that were changed on their way and are in the source still.
    pub changed: u64,
    /// Keys that did not arrive as they were; they are in the source still, unless they went by
    /// `MOVE`.
    pub damaged: u64,
    /// Keys of search indexes, which stay.
    #[serde(default)]
    pub of_indexes: u64,
    /// How many of the keys have a type of a module, by type.
    #[serde(default)]
    pub modules: BTreeMap<String, u64>,
    /// Some of the keys that did not simply move: escaped name, and why.
    pub examples: Vec<(String, String)>,
    /// The counts by group.
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
    /// Keys now in the target, including identical ones that were there before.
    pub moved: u64,
    /// Keys that were left.
    pub left: u64,
}

/// So many examples are kept.
const EXAMPLES: usize = 20;

impl MigrationReport {
    pub(crate) fn count(&mut self, items: &[Item], outcomes: &[Outcome]) {
        for (item, outcome) in items.iter().zip(outcomes) {
            let of_index;
            let (counter, why) = match outcome {
                // It was counted when it came there, or is none of this migration's.
                Outcome::There => continue,
                Outcome::OfIndex(kind) => {
                    of_index = format!(
                        "it belongs to a search index ({kind}), which sees one database of its server \
                         only"
                    );
                    (&mut self.of_indexes, Some(of_index.as_str()))
                }
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

    /// A key that was deleted in the new place and written in the old one since: it stays there.
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

    /// Whether every key that was looked at is where it belongs.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.conflicts + self.changed + self.damaged + self.of_indexes == 0
    }
}
