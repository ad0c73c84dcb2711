//! The placement of a database, and its previous one.

use std::fmt;

use crate::glob::glob_matches;

/// The placement of a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Placement {
    /// A separate numbered database on the instance.
    Index {
        /// The instance's name in the map.
        instance: String,
        /// The number of the database.
        index: u32,
    },
    /// A prefix of every key, if there is only one numbered database.
    Prefix {
        /// The instance's name in the map.
        instance: String,
        /// The number of the database; 0 on a cluster.
        index: u32,
        /// The prefix of every key, including the separator.
        prefix: String,
    },
}

impl Placement {
    /// The instance's name in the map.
    #[must_use]
    pub fn instance(&self) -> &str {
        match self {
            Self::Index { instance, .. } | Self::Prefix { instance, .. } => instance,
        }
    }

    /// The number of the database.
    #[must_use]
    pub fn index(&self) -> u32 {
        match self {
            Self::Index { index, .. } | Self::Prefix { index, .. } => *index,
        }
    }

    /// The prefix of every key; empty for a separate index.
    #[must_use]
    pub fn prefix(&self) -> &str {
        match self {
            Self::Index { .. } => "",
            Self::Prefix { prefix, .. } => prefix,
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index { instance, index } => write!(f, "{instance}/{index}"),
            Self::Prefix { instance, index, prefix } => write!(f, "{instance}/{index} {prefix}*"),
        }
    }
}

/// The place that a database is moving from. A key that is still there is moved to the new place by the first request
/// about it, atomically with the request. So a fleet can change over process by process, and back again, without
/// missing a key.
///
/// On Redis both places must be on one server. The memory backend has no earlier data, and ignores it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Previous {
    /// The previous placement.
    pub placement: Placement,
    /// Globs for this database's keys in a previous place that it shared with others; empty for all keys.
    pub patterns: Vec<String>,
}

impl Previous {
    /// All keys of `placement`.
    #[must_use]
    pub fn all(placement: Placement) -> Self {
        Self { placement, patterns: Vec::new() }
    }

    /// Restricts it to keys that match one of `patterns`.
    #[must_use]
    pub fn matching(mut self, patterns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.patterns = patterns.into_iter().map(Into::into).collect();
        self
    }

    /// Whether `key` may be in the previous place.
    #[must_use]
    pub fn concerns(&self, key: &str) -> bool {
        let matches = |pattern: &String| glob_matches(pattern.as_bytes(), key.as_bytes());
        self.patterns.is_empty() || self.patterns.iter().any(matches)
    }
}
