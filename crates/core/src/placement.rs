//! Where a database is, and where it was before.

use std::fmt;

use crate::glob::glob_matches;

/// Where a database lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Placement {
    /// A numbered database of its own on the instance.
    Index {
        /// The instance's name in the map.
        instance: String,
        /// Redis's number for it.
        index: u32,
    },
    /// A prefix in front of every key, where there is one numbered database only.
    Prefix {
        /// The instance's name in the map.
        instance: String,
        /// Redis's number for it, 0 on a cluster.
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

    /// Redis's number for the database.
    #[must_use]
    pub fn index(&self) -> u32 {
        match self {
            Self::Index { index, .. } | Self::Prefix { index, .. } => *index,
        }
    }

    /// The prefix of every key; empty for an index of its own.
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

/// The place that a database is moving from. A key that is still there is brought to the new place
/// by the first request about it, in the same step as the request; so a fleet may change over
/// process by process, and back again, and no request misses a key.
///
/// On Redis both places have to be on one server. Memory has nothing from before, and ignores it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Previous {
    /// Where the keys were.
    pub placement: Placement,
    /// Globs for this database's keys in an old place that it shared with others; empty for all keys.
    pub patterns: Vec<String>,
}

impl Previous {
    /// All keys of `placement`.
    #[must_use]
    pub fn all(placement: Placement) -> Self {
        Self { placement, patterns: Vec::new() }
    }

    /// The keys only that match one of `patterns`.
    #[must_use]
    pub fn matching(mut self, patterns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.patterns = patterns.into_iter().map(Into::into).collect();
        self
    }

    /// Whether `key` may be in the old place.
    #[must_use]
    pub fn concerns(&self, key: &str) -> bool {
        let matches = |pattern: &String| glob_matches(pattern.as_bytes(), key.as_bytes());
        self.patterns.is_empty() || self.patterns.iter().any(matches)
    }
}
