//! The changes that can be planned, and the tier that each belongs to.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use compartment::{DatabaseKind, DatabaseMap};
use serde::{Deserialize, Serialize};

use super::ChangeError;

/// The longest name, pattern or text of a change, in bytes.
const MAX_TEXT: usize = 512;
/// The most dead letters that are named one by one.
const MAX_IDS: usize = 1_000;

/// A change of a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Change {
    /// Hands out no documents of a batch until it is resumed.
    PauseBatch {
        /// The batch.
        batch: String,
    },
    /// Hands out the documents of a paused batch again.
    ResumeBatch {
        /// The batch.
        batch: String,
    },
    /// Hands out no documents of a batch any more.
    CancelBatch {
        /// The batch.
        batch: String,
    },
    /// Processes the failed documents of a batch again.
    RetryFailed {
        /// The batch.
        batch: String,
        /// Only those that failed in this stage.
        #[serde(default)]
        stage: Option<String>,
        /// Only those whose error begins with this text.
        #[serde(default)]
        error: Option<String>,
    },
    /// Processes dead letters again.
    ReplayDeadLetters {
        /// Only those of this stage.
        #[serde(default)]
        stage: Option<String>,
        /// Only those whose error begins with this text.
        #[serde(default)]
        error: Option<String>,
        /// Only those with these numbers; any if empty.
        #[serde(default)]
        ids: Vec<u64>,
    },
    /// Removes dead letters for good.
    PurgeDeadLetters {
        /// Only those of this stage.
        #[serde(default)]
        stage: Option<String>,
        /// Only those whose error begins with this text.
        #[serde(default)]
        error: Option<String>,
        /// Only those with these numbers; any if empty.
        #[serde(default)]
        ids: Vec<u64>,
    },
    /// Removes old keys of a database.
    CleanupCache {
        /// The database.
        database: String,
        /// The age from which a key is old, in hours.
        older_than_hours: f64,
        /// Only keys whose names match this glob.
        #[serde(default)]
        pattern: Option<String>,
    },
    /// Sets the memory limit and the eviction policy of a server, until it restarts.
    SetMemoryLimit {
        /// The instance; `primary` or the only one by `None`.
        #[serde(default)]
        instance: Option<String>,
        /// The limit in MiB; 0 for none, which needs `force`.
        max_memory_mb: u64,
        /// The eviction policy.
        policy: String,
        /// Whether the policy may evict keys of durable databases, and the limit may be below the memory in use.
        #[serde(default)]
        force: bool,
    },
    /// Moves keys from one database to another.
    MigrateKeys {
        /// The database that they leave: a name of the map, or an index.
        from: String,
        /// The database that they go to.
        to: String,
        /// Only keys whose names match this glob.
        #[serde(default)]
        pattern: Option<String>,
    },
    /// Writes a database to a new file in the folder for backups.
    BackupDatabase {
        /// The database.
        database: String,
        /// The name of the file, without a folder.
        file: PathBuf,
    },
    /// Removes the keys of a database.
    FlushDatabase {
        /// The database.
        database: String,
        /// Only keys whose names match this glob.
        #[serde(default)]
        pattern: Option<String>,
        /// The database's name again, which a database other than a cache needs.
        #[serde(default)]
        yes_really: Option<String>,
    },
}

/// A group of changes that an operator allows together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Tier {
    /// Batches and dead letters: pause, resume, cancel, retry, replay, purge.
    Batches,
    /// Keys of cache databases, which can be computed again: cleanup, flush.
    Cache,
    /// The memory limit and the eviction policy of servers.
    Limits,
    /// Keys of other databases: cleanup, flush, migration.
    Keys,
    /// Backups to files.
    Backup,
}

impl Tier {
    /// Every tier.
    pub const ALL: [Self; 5] = [Self::Batches, Self::Cache, Self::Limits, Self::Keys, Self::Backup];
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Batches => "batches",
            Self::Cache => "cache",
            Self::Limits => "limits",
            Self::Keys => "keys",
            Self::Backup => "backup",
        })
    }
}

impl FromStr for Tier {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|tier| tier.to_string() == name);
        found.ok_or_else(|| {
            let known: Vec<String> = Self::ALL.iter().map(ToString::to_string).collect();
            format!("there is no tier {name:?}; known: {}", known.join(", "))
        })
    }
}

/// The tiers that an operator allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed(BTreeSet<Tier>);

impl Allowed {
    /// No change at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Every change.
    #[must_use]
    pub fn all() -> Self {
        Self(Tier::ALL.into())
    }

    /// The changes of these tiers.
    #[must_use]
    pub fn of(tiers: impl IntoIterator<Item = Tier>) -> Self {
        Self(tiers.into_iter().collect())
    }

    /// Whether the changes of a tier are allowed.
    #[must_use]
    pub fn has(&self, tier: Tier) -> bool {
        self.0.contains(&tier)
    }

    /// Whether nothing is allowed.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

impl Change {
    /// The tier that it belongs to: for keys, by the kind of their database.
    #[must_use]
    pub fn tier(&self, map: &DatabaseMap) -> Tier {
        match self {
            Self::PauseBatch { .. }
            | Self::ResumeBatch { .. }
            | Self::CancelBatch { .. }
            | Self::RetryFailed { .. }
            | Self::ReplayDeadLetters { .. }
            | Self::PurgeDeadLetters { .. } => Tier::Batches,
            Self::CleanupCache { database, .. } | Self::FlushDatabase { database, .. } => {
                let kind = map.database(database).map(|contract| contract.kind);
                if kind == Some(DatabaseKind::Cache) { Tier::Cache } else { Tier::Keys }
            }
            Self::SetMemoryLimit { .. } => Tier::Limits,
            Self::MigrateKeys { .. } => Tier::Keys,
            Self::BackupDatabase { .. } => Tier::Backup,
        }
    }

    /// Its name, as in its JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PauseBatch { .. } => "pause_batch",
            Self::ResumeBatch { .. } => "resume_batch",
            Self::CancelBatch { .. } => "cancel_batch",
            Self::RetryFailed { .. } => "retry_failed",
            Self::ReplayDeadLetters { .. } => "replay_dead_letters",
            Self::PurgeDeadLetters { .. } => "purge_dead_letters",
            Self::CleanupCache { .. } => "cleanup_cache",
            Self::SetMemoryLimit { .. } => "set_memory_limit",
            Self::MigrateKeys { .. } => "migrate_keys",
            Self::BackupDatabase { .. } => "backup_database",
            Self::FlushDatabase { .. } => "flush_database",
        }
    }

    /// Checks what needs no server.
    pub(super) fn check(&self) -> Result<(), ChangeError> {
        for text in self.texts() {
            if text.len() > MAX_TEXT {
                return Err(ChangeError::Invalid(format!(
                    "a name, pattern or text of a change has at most {MAX_TEXT} bytes; this one has {}",
                    text.len()
                )));
            }
        }
        match self {
            Self::ReplayDeadLetters { ids, .. } | Self::PurgeDeadLetters { ids, .. }
                if ids.len() > MAX_IDS =>
            {
                let what = format!(
                    "at most {MAX_IDS} dead letters can be named by id; choose them by stage or error"
                );
                Err(ChangeError::Invalid(what))
            }
            Self::CleanupCache { older_than_hours, .. }
                if !(*older_than_hours > 0.0 && *older_than_hours <= 1_000_000.0) =>
            {
                let what = "older_than_hours must be above 0 and at most 1,000,000";
                Err(ChangeError::Invalid(what.to_owned()))
            }
            Self::SetMemoryLimit { max_memory_mb: 0, force: false, .. } => {
                let what = "0 would remove the memory limit; force it if that is meant";
                Err(ChangeError::Invalid(what.to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn texts(&self) -> Vec<&str> {
        let mut texts: Vec<Option<&str>> = Vec::new();
        match self {
            Self::PauseBatch { batch }
            | Self::ResumeBatch { batch }
            | Self::CancelBatch { batch } => texts.push(Some(batch)),
            Self::RetryFailed { batch, stage, error } => {
                texts.extend([Some(batch.as_str()), stage.as_deref(), error.as_deref()]);
            }
            Self::ReplayDeadLetters { stage, error, .. }
            | Self::PurgeDeadLetters { stage, error, .. } => {
                texts.extend([stage.as_deref(), error.as_deref()]);
            }
            Self::CleanupCache { database, pattern, .. } => {
                texts.extend([Some(database.as_str()), pattern.as_deref()]);
            }
            Self::SetMemoryLimit { instance, policy, .. } => {
                texts.extend([instance.as_deref(), Some(policy)]);
            }
            Self::MigrateKeys { from, to, pattern } => {
                texts.extend([Some(from.as_str()), Some(to), pattern.as_deref()]);
            }
            Self::BackupDatabase { database, .. } => texts.push(Some(database)),
            Self::FlushDatabase { database, pattern, yes_really } => {
                texts.extend([Some(database.as_str()), pattern.as_deref(), yes_really.as_deref()]);
            }
        }
        texts.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use compartment::Preset;

    use super::*;

    #[test]
    fn the_tier_of_a_flush_is_that_of_its_database() {
        let map = DatabaseMap::preset(Preset::Pipeline, "redis://h").unwrap();
        let flush = |database: &str| Change::FlushDatabase {
            database: database.to_owned(),
            pattern: None,
            yes_really: None,
        };
        assert_eq!(flush("cache").tier(&map), Tier::Cache);
        assert_eq!(flush("broker").tier(&map), Tier::Keys);
        assert_eq!(flush("2").tier(&map), Tier::Keys, "an index has no contract");
    }

    #[test]
    fn a_change_is_read_from_json_and_nothing_beside_it() {
        let text = r#"{"change": "retry_failed", "batch": "smith", "error": "ocr"}"#;
        let change: Change = serde_json::from_str(text).unwrap();
        assert_eq!((change.name(), change.texts()), ("retry_failed", vec!["smith", "ocr"]));
        assert_eq!(serde_json::to_value(&change).unwrap()["change"], change.name());
        let wrong = r#"{"change": "pause_batch", "batch": "smith", "force": true}"#;
        assert!(serde_json::from_str::<Change>(wrong).is_err());
    }

    #[test]
    fn ages_and_texts_have_bounds() {
        let cleanup = |older_than_hours: f64| Change::CleanupCache {
            database: "cache".to_owned(),
            older_than_hours,
            pattern: None,
        };
        for hours in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert!(cleanup(hours).check().is_err(), "{hours}");
        }
        assert!(cleanup(0.5).check().is_ok());
        let long = Change::PauseBatch { batch: "b".repeat(MAX_TEXT + 1) };
        assert!(long.check().is_err());
    }
}
