//! The plan file: which keys go to which database, editable by hand.

use serde::{Deserialize, Serialize};

use crate::patterns::{Selection, Selector};
use crate::{AdminError, Result};

/// A separation, as `compartment plan` proposes it and `compartment migrate` executes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of this format: 1.
    pub version: u32,
    /// What to know about the whole before it is executed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Where the keys are now.
    pub source: PlanSource,
    /// Where the groups' databases are, so that a plan is refused after the map has changed.
    #[serde(default)]
    pub targets: Vec<PlanTarget>,
    /// The groups, tried in order for each key: the first whose patterns match decides. A key that
    /// none matches stays.
    #[serde(default)]
    pub groups: Vec<Group>,
}

/// The database that is separated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanSource {
    /// The server, any password hidden.
    pub server: String,
    /// The number of the database on it.
    pub index: u32,
    /// What the names of its keys begin with, where it has no index to itself; the patterns are
    /// over what is behind that.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// How many keys it had when the plan was made.
    pub keys: u64,
    /// When the plan was made, as in `2026-11-21T11:30:00Z`.
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
    /// Its number there.
    pub index: u32,
    /// What its keys begin with, where it has no index to itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

/// When the keys of a group may change database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// At any time, once readers look in the new place.
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
    /// What people call it.
    pub name: String,
    /// The program that writes it, as far as is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub producer: String,
    /// Whether that is a guess by the form of the names, which others may choose too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub perhaps: bool,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub purpose: String,
    /// The database it goes to; not asked for when it stays.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub database: String,
    /// When it may move.
    pub verdict: Verdict,
    /// Redis globs over names, as [`crate::read_glob`] reads them; a key belongs here when one
    /// matches.
    pub patterns: Vec<String>,
    /// Keys that match these do not, whatever `patterns` say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// Groups of one set move in one run or not at all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub together: String,
    /// How many keys it had when the plan was made.
    #[serde(default)]
    pub keys: u64,
    /// About how many bytes of the server's memory they took.
    #[serde(default)]
    pub bytes: u64,
    /// How many of its names stood in the target already.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub collisions: u64,
    /// The longest that the server would answer nobody else while one of these keys moves, in
    /// milliseconds: by the way that the plan would take.
    #[serde(default)]
    pub longest_block_ms: f64,
    /// What to know and to do before it moves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Group {
    /// A group of the keys that match `patterns`, about which nothing else is known.
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
    /// [`AdminError::Invalid`] with the line and the problem.
    pub fn parse(text: &str) -> Result<Self> {
        let plan: Self = toml::from_str(text).map_err(|error| {
            // Its own text goes over several lines and quotes the file.
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

    /// Which group a key belongs to: the number of the first, as `migrate` decides it.
    #[must_use]
    pub fn selector(&self) -> Selector {
        let globs = |texts: &[String]| texts.iter().map(|text| crate::read_glob(text)).collect();
        let selections: Vec<Selection> = self
            .groups
            .iter()
            .map(|group| Selection { globs: globs(&group.patterns), except: globs(&group.except) })
            .collect();
        Selector::new(&selections)
    }
}
