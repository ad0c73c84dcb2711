//! The keys of widely used programs: names, types, purposes, rules for moving, and settings.

mod bindings;
mod bull;
mod caches;
mod clients;
mod evidence;
mod forms;
mod found;
mod key_patterns;
mod llm;
mod queues_node;
mod queues_python;
mod queues_ruby_go_php;
mod sessions;
mod values;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::KeyType;
use crate::plan::Verdict;

pub(crate) use bindings::is_binding_table;
pub(crate) use caches::clears_by_flush;
pub(crate) use clients::may_be_of;
pub(crate) use evidence::Evidence;
pub(crate) use found::{Found, Signature};
pub(crate) use key_patterns::key_pattern;
pub use key_patterns::{program_names, program_patterns};
pub(crate) use values::{ValueSign, behind_version, confirms, sign_of_bytes, sign_of_fields};

/// The purpose of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Purpose {
    /// Queues from producers to workers, with their bookkeeping.
    Broker,
    /// Results of tasks.
    Results,
    /// Values that can be recomputed.
    Cache,
    /// Sessions of logged-in users.
    Sessions,
    /// Request counters per time window.
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
    /// Short-lived messages between processes.
    Bus,
    /// Unknown.
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

/// A program, or a family of programs with the same key names.
#[derive(Debug)]
pub(crate) struct Framework {
    /// Its name, which groups carry as their producer.
    pub(crate) name: &'static str,
    /// Its groups, in the order in which they are tried for a key.
    pub(crate) groups: &'static [KeyGroup],
    /// Number of its rows that must be found if none of them is telling.
    pub(crate) needs: usize,
    /// Rows, named by their first globs, that together make it a guess.
    pub(crate) pair: &'static [&'static str],
    /// Whether it is found by its queues instead of rows.
    pub(crate) by_queue: bool,
    /// Text that occurs only in this program's names. If it is found after other text, that text is
    /// a prefix chosen by the installation.
    pub(crate) anchors: &'static [&'static str],
    /// Whether its scripts name keys that they do not declare: then all its keys have to be in one database.
    pub(crate) scripts: bool,
    /// The settings that name its database.
    pub(crate) settings: &'static [Setting],
}

/// Keys that serve one purpose.
#[derive(Debug)]
pub(crate) struct KeyGroup {
    pub(crate) name: &'static str,
    pub(crate) purpose: Purpose,
    pub(crate) verdict: Verdict,
    pub(crate) rows: &'static [Row],
    /// Groups with equal words move in one run.
    pub(crate) together: &'static str,
    pub(crate) note: &'static str,
}

/// A set of names and their types.
#[derive(Debug)]
pub(crate) struct Row {
    /// Redis globs.
    pub(crate) globs: &'static [&'static str],
    /// The types of keys with these names; empty for any.
    pub(crate) types: &'static [KeyType],
    /// Whether one such key identifies the program.
    pub(crate) telling: bool,
    /// Whether such a key is only a hint.
    pub(crate) hints: bool,
    /// Whether its keys always have a TTL.
    pub(crate) expires: bool,
    /// Whether every sampled key has to match, because other programs use such names too.
    pub(crate) strict: bool,
    /// Whether another row of its group covers its names, so that it only identifies the program.
    pub(crate) is_covered: bool,
}

/// A setting of a program that names the database.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The purpose whose database it names.
    pub(crate) purpose: Purpose,
    /// The file that usually contains it.
    pub(crate) file: &'static str,
    /// The line, with the placeholders `{url}`, `{host}`, `{port}` and `{index}`.
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

    /// Names that other programs use too: one such key makes this program a guess.
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

    /// Names that other programs might use too.
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

    /// Marks names that another row of the group covers.
    pub(crate) const fn covered(mut self) -> Self {
        self.is_covered = true;
        self
    }

    /// Requires every sampled key to match.
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
            scripts: false,
            settings: &[],
        }
    }

    /// Makes the program a guess if only these of its rows are found.
    pub(crate) const fn or_perhaps_by(mut self, pair: &'static [&'static str]) -> Self {
        self.pair = pair;
        self
    }

    /// Marks a program that is found by its queues.
    pub(crate) const fn by_queue(mut self) -> Self {
        self.by_queue = true;
        self
    }

    /// Also recognises the program by `needs` of its rows together.
    pub(crate) const fn or_several(mut self, needs: usize) -> Self {
        self.needs = needs;
        self
    }

    /// Marks a program whose scripts name keys that they do not declare.
    pub(crate) const fn by_scripts(mut self) -> Self {
        self.scripts = true;
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

/// All frameworks, in the order in which their groups are tried for a key: the most specific names
/// first.
pub(crate) fn all() -> impl Iterator<Item = &'static Framework> {
    [
        queues_python::ALL,
        queues_node::ALL,
        queues_ruby_go_php::ALL,
        sessions::ALL,
        llm::ALL,
        caches::ALL,
    ]
    .into_iter()
    .flatten()
}

/// The framework that writes for `producer`.
pub(crate) fn by_name(producer: &str) -> Option<&'static Framework> {
    all().find(|framework| framework.name == producer)
}

/// Whether a program's groups with this word include its queues.
pub(crate) fn has_broker(producer: &str, together: &str) -> bool {
    // With a prefix, the word contains `@` and the prefix.
    let word = together.split('@').next().unwrap_or_default();
    let groups = by_name(producer).into_iter().flat_map(|framework| framework.groups);
    let is_queue = |group: &KeyGroup| group.together == word && group.purpose == Purpose::Broker;
    !word.is_empty() && groups.into_iter().any(is_queue)
}

/// Whether the keys of a program have to be in one database because its scripts name keys that they do not declare.
pub(crate) fn has_scripts(producer: &str) -> bool {
    by_name(producer).is_some_and(|framework| framework.scripts)
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
