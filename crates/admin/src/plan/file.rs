//! The plan file: which keys go to which database, editable by hand.

use serde::{Deserialize, Serialize};

use crate::patterns::{Selection, Selector};
use crate::{AdminError, Result};

/// A separation of keys, proposed by `compartment plan` and executed by `compartment migrate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of this format: 1.
    pub version: u32,
    /// Remarks on the whole plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The current location of the keys.
    pub source: PlanSource,
    /// The locations of the groups' databases, so that a plan is refused after the map has changed.
    #[serde(default)]
    pub targets: Vec<PlanTarget>,
    /// The groups, tried in order for each key: the first with a matching pattern decides. A key
    /// without a match stays.
    #[serde(default)]
    pub groups: Vec<Group>,
}

/// The database that is separated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanSource {
    /// The server, any password hidden.
    pub server: String,
    /// The index of the database.
    pub index: u32,
    /// Prefix of its keys, if it shares its index; the patterns apply to names without it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Number of its keys when the plan was made.
    pub keys: u64,
    /// When the plan was made, such as `2026-11-21T11:30:00Z`.
    pub made: String,
}

/// A database that keys go to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanTarget {
    /// Its name in the database map.
    pub database: String,
    /// Its server, any password hidden.
    pub server: String,
    /// Its index.
    pub index: u32,
    /// Prefix of its keys, if it shares its index.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

/// When the keys of a group may move to another database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// At any time, once readers use the new place.
    Move,
    /// After their producers and consumers have been stopped.
    Drain,
    /// Never.
    Stay,
}

/// Keys that belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its label.
    pub name: String,
    /// The program that writes the keys, if known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub producer: String,
    /// Whether the producer is a guess from the form of the names, which other programs may use
    /// too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub perhaps: bool,
    /// The purpose of the keys.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub purpose: String,
    /// The database that it moves to; ignored if it stays.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub database: String,
    /// When it may move.
    pub verdict: Verdict,
    /// Redis globs over names, as [`crate::read_glob`] reads them; a key belongs to the group if
    /// one matches.
    pub patterns: Vec<String>,
    /// Keys that match one of these are excluded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// Groups of one set move in one run or not at all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub together: String,
    /// Number of its keys when the plan was made.
    #[serde(default)]
    pub keys: u64,
    /// Estimated memory of its keys in bytes.
    #[serde(default)]
    pub bytes: u64,
    /// Number of its names that existed in the target.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub collisions: u64,
    /// The longest time, in milliseconds, that moving one of these keys would block the server,
    /// with the way that the plan would use.
    #[serde(default)]
    pub longest_block_ms: f64,
    /// Remarks and steps before it moves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Group {
    /// A group of the keys that match `patterns`, without further facts.
    #[must_use]
    pub fn new(name: impl Into<String>, verdict: Verdict, patterns: Vec<String>) -> Self {
        Self {
            name: name.into(),
            producer: String::new(),
            perhaps: false,
            purpose: String::new(),
            database: String::new(),
            verdict,
            patterns,
            except: Vec::new(),
            together: String::new(),
            keys: 0,
            bytes: 0,
            collisions: 0,
            longest_block_ms: 0.0,
            notes: Vec::new(),
        }
    }
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// Describes the problem and its line.
    pub fn parse(text: &str) -> Result<Self> {
        let plan: Self = toml::from_str(text).map_err(|error| {
            // The error's own text has several lines and quotes the file.
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            let problem = error.message().trim_end().replace('\n', ", ");
            AdminError::Invalid(format!("line {line}: {problem}"))
        })?;
        if plan.version != 1 {
            return Err(AdminError::Invalid(format!(
                "the plan has version {}; this program reads version 1: write it again with `compartment plan`",
                plan.version
            )));
        }
        for group in &plan.groups {
            let name = &group.name;
            if group.patterns.is_empty() {
                return Err(AdminError::Invalid(format!("group {name:?} has no patterns")));
            }
            let moves = group.verdict != Verdict::Stay;
            if moves && !plan.targets.iter().any(|target| target.database == group.database) {
                return Err(AdminError::Invalid(format!(
                    "group {name:?} has the target {:?}, which is not listed in [targets]",
                    group.database
                )));
            }
        }
        Ok(plan)
    }

    /// Selects the index of a key's group, as `migrate` does.
    pub(crate) fn selector(&self) -> Selector {
        let globs = |texts: &[String]| texts.iter().map(|text| crate::read_glob(text)).collect();
        let selections: Vec<Selection> = self
            .groups
            .iter()
            .map(|group| Selection { globs: globs(&group.patterns), except: globs(&group.except) })
            .collect();
        Selector::new(&selections)
    }
}
