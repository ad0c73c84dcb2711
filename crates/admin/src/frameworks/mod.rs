//! What widely used programs keep in Redis: their names, types and purposes, whether the keys may
//! change database while the program runs, and the settings that name the database.

mod bindings;
mod bull;
mod caches;
mod clients;
mod evidence;
mod forms;
mod found;
mod intelligence;
mod queues;
mod queues_more;
mod queues_node;
mod sessions;
mod values;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::KeyType;
use crate::plan::Verdict;

pub(crate) use bindings::is_binding_table;
pub(crate) use clients::may_be_of;
pub(crate) use evidence::Evidence;
pub(crate) use found::{Found, Signature};
pub(crate) use values::{ValueSign, behind_version, confirms, sign_of_bytes, sign_of_fields};

/// What keys are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Purpose {
    /// Messages on their way from producers to workers, and what belongs to them.
    Broker,
    /// Results of tasks.
    Results,
    /// What can be made again.
    Cache,
    /// Who is logged in.
    Sessions,
    /// Counters of requests in a time.
    RateLimit,
    /// Locks.
    Locks,
    /// State of batches.
    Batch,
    /// Counters and statistics.
    Metrics,
    /// Documents and their indexes.
    Knowledge,
    /// Conversations.
    Conversations,
    /// Messages between processes that live for seconds.
    Bus,
    /// Not known.
    Unknown,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Broker => "broker",
            Self::Results => "results",
            Self::Cache => "cache",
            Self::Sessions => "sessions",
            Self::RateLimit => "rate limit",
            Self::Locks => "locks",
            Self::Batch => "batch",
            Self::Metrics => "metrics",
            Self::Knowledge => "knowledge",
            Self::Conversations => "conversations",
            Self::Bus => "bus",
            Self::Unknown => "",
        })
    }
}

/// A program, or a family of programs that name their keys alike.
#[derive(Debug)]
pub(crate) struct Framework {
    /// Its name, which groups carry as their producer.
    pub(crate) name: &'static str,
    /// Its groups, in the order in which a key is held against them.
    pub(crate) groups: &'static [KeyGroup],
    /// How many of its rows have to be there when none is telling by itself.
    pub(crate) needs: usize,
    /// Rows, by their first globs, that together hint at it where there are no more.
    pub(crate) pair: &'static [&'static str],
    /// Whether it is found by its queues rather than by rows.
    pub(crate) by_queue: bool,
    /// What stands in each name of it and in no other program's: where it is found behind other
    /// text, that text is a prefix which the installation chose.
    pub(crate) anchors: &'static [&'static str],
    /// The settings that say which database it uses.
    pub(crate) settings: &'static [Setting],
}

/// Keys that serve one purpose.
#[derive(Debug)]
pub(crate) struct KeyGroup {
    pub(crate) name: &'static str,
    pub(crate) purpose: Purpose,
    pub(crate) verdict: Verdict,
    pub(crate) rows: &'static [Row],
    /// Groups of the same word move in one run.
    pub(crate) together: &'static str,
    pub(crate) note: &'static str,
}

/// Names and the types that they have.
#[derive(Debug)]
pub(crate) struct Row {
    /// Redis globs.
    pub(crate) globs: &'static [&'static str],
    /// The types that keys of these names have; empty for any.
    pub(crate) types: &'static [KeyType],
    /// Whether one such key is enough to know the program.
    pub(crate) telling: bool,
    /// Whether such a key is no more than a hint.
    pub(crate) hints: bool,
    /// Whether its keys always have a TTL.
    pub(crate) expires: bool,
    /// Whether all keys that are looked at have to be of it: names that others use as well.
    pub(crate) strict: bool,
    /// Whether another row of its group takes its names: it only tells the program.
    pub(crate) is_covered: bool,
}

/// A setting of a program that names the database.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Whose purpose's database it names.
    pub(crate) purpose: Purpose,
    /// The file it usually stands in.
    pub(crate) file: &'static str,
    /// The line, with `{url}`, `{host}`, `{port}` and `{index}` to be filled in.
    pub(crate) line: &'static str,
}

impl Row {
    /// Names that only this program writes.
    pub(crate) const fn telling(globs: &'static [&'static str], types: &'static [KeyType]) -> Self {
        Self {
            globs,
            types,
            telling: true,
            hints: false,
            expires: false,
            strict: false,
            is_covered: false,
        }
    }

    /// Names that others choose too: one such key is enough to say that it is perhaps this program.
    pub(crate) const fn hinting(globs: &'static [&'static str], types: &'static [KeyType]) -> Self {
        Self {
            globs,
            types,
            telling: true,
            hints: true,
            expires: false,
            strict: false,
            is_covered: false,
        }
    }

    /// Names that others might write too.
    pub(crate) const fn weak(globs: &'static [&'static str], types: &'static [KeyType]) -> Self {
        Self {
            globs,
            types,
            telling: false,
            hints: false,
            expires: false,
            strict: false,
            is_covered: false,
        }
    }

    /// Limits the row to keys that always have a TTL.
    pub(crate) const fn expiring(mut self) -> Self {
        self.expires = true;
        self
    }

    /// Marks names that another row of the group takes.
    pub(crate) const fn covered(mut self) -> Self {
        self.is_covered = true;
        self
    }

    /// Requires that every sampled key fits.
    pub(crate) const fn strictly(mut self) -> Self {
        self.strict = true;
        self
    }
}

impl KeyGroup {
    pub(crate) const fn new(
        name: &'static str,
        purpose: Purpose,
        verdict: Verdict,
        rows: &'static [Row],
    ) -> Self {
        Self { name, purpose, verdict, rows, together: "", note: "" }
    }

    pub(crate) const fn together(mut self, word: &'static str) -> Self {
        self.together = word;
        self
    }

    pub(crate) const fn note(mut self, text: &'static str) -> Self {
        self.note = text;
        self
    }
}

impl Framework {
    pub(crate) const fn new(name: &'static str, groups: &'static [KeyGroup]) -> Self {
        Self {
            name,
            groups,
            needs: usize::MAX,
            pair: &[],
            by_queue: false,
            anchors: &[],
            settings: &[],
        }
    }

    /// Perhaps it, where of its rows no more than these are there.
    pub(crate) const fn or_perhaps_by(mut self, pair: &'static [&'static str]) -> Self {
        self.pair = pair;
        self
    }

    /// Found by its queues.
    pub(crate) const fn by_queue(mut self) -> Self {
        self.by_queue = true;
        self
    }

    /// Also known by so many of its rows together.
    pub(crate) const fn or_several(mut self, needs: usize) -> Self {
        self.needs = needs;
        self
    }

    pub(crate) const fn anchors(mut self, anchors: &'static [&'static str]) -> Self {
        self.anchors = anchors;
        self
    }

    pub(crate) const fn settings(mut self, settings: &'static [Setting]) -> Self {
        self.settings = settings;
        self
    }
}

impl Setting {
    pub(crate) const fn new(purpose: Purpose, file: &'static str, line: &'static str) -> Self {
        Self { purpose, file, line }
    }
}

/// All of them, in the order in which a key is held against their groups: the more particular
/// names first.
pub(crate) fn all() -> impl Iterator<Item = &'static Framework> {
    [queues::ALL, queues_node::ALL, queues_more::ALL, sessions::ALL, intelligence::ALL, caches::ALL]
        .into_iter()
        .flatten()
}

/// The framework that writes for `producer`.
pub(crate) fn by_name(producer: &str) -> Option<&'static Framework> {
    all().find(|framework| framework.name == producer)
}

/// Whether a set of groups of a program, by their word, has its queues in it.
pub(crate) fn has_broker(producer: &str, together: &str) -> bool {
    // Behind a prefix the word has that too.
    let word = together.split('@').next().unwrap_or_default();
    let groups = by_name(producer).into_iter().flat_map(|framework| framework.groups);
    let is_queue = |group: &KeyGroup| group.together == word && group.purpose == Purpose::Broker;
    !word.is_empty() && groups.into_iter().any(is_queue)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_is_consistent() {
        let mut groups = BTreeSet::new();
        for framework in all() {
            assert!(!framework.groups.is_empty(), "{}", framework.name);
            for group in framework.groups {
                assert!(groups.insert(group.name), "{} twice", group.name);
                assert!(!group.rows.is_empty(), "{}", group.name);
                for glob in group.rows.iter().flat_map(|row| row.globs) {
                    assert_ne!(*glob, "*", "{} would take every key", group.name);
                }
                if group.verdict != Verdict::Move {
                    assert!(!group.note.is_empty(), "{} says not what to do", group.name);
                }
            }
            let rows = || framework.groups.iter().flat_map(|group| group.rows);
            let known = framework.by_queue
                || rows().any(|row| row.telling)
                || framework.needs <= rows().count();
            let is_row = |glob: &&str| rows().any(|row| row.globs.first() == Some(glob));
            assert!(framework.pair.iter().all(is_row), "{}", framework.name);
            assert!(known, "{} can never be recognised", framework.name);
        }
    }
}
