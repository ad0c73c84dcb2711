//! Moves keys between databases while others use the server: journaled, resumable, reversible.

mod blocked;
mod bring;
mod copies;
mod engine;
mod expected;
mod feed;
mod in_target;
mod journal;
mod key_positions;
mod lanes;
mod live;
mod mark;
mod patience;
mod preview;
mod queues;
mod readiness;
mod rename;
mod report;
mod resume;
mod route;
mod under_way;
mod undo;
mod way;

use std::path::PathBuf;

pub use crate::field_lives::FieldLives;
pub use blocked::Blocked;
pub use engine::migrate;
pub use feed::follow;
pub use journal::{Header, JournalPlace};
pub use live::{LiveOptions, LiveReport, Straggler, migrate_live};
pub use preview::{GroupPreview, Preview, preview, preview_names};
pub use queues::check_queues;
pub use rename::Rename;
pub use report::{GroupReport, MigrationReport};
pub use route::Routes;
pub use undo::{UndoOptions, can_go_on, header_of, undo};
pub use way::Way;
pub(crate) use way::{Course, Lane};

use crate::{Limits, Place, Result};

/// A migration: source, targets, routes and options.
#[derive(Clone, Debug)]
pub struct Migration {
    /// The place that the keys leave.
    pub source: Place,
    /// The places that they go to.
    pub targets: Vec<Place>,
    /// The target of each key.
    pub routes: Routes,
    /// How keys are moved.
    pub options: MigrateOptions,
}

impl Migration {
    /// Excludes keys that are in a target already: if a target is a part of the source, by a prefix
    /// in the same index, its keys are not moved into it again.
    ///
    /// # Errors
    /// The servers', and when it cannot be found out whether they are one server.
    pub async fn without_keys_of_targets(mut self) -> Result<Self> {
        for target in &self.targets {
            self.routes.spare_shared(&self.source, target).await?;
        }
        Ok(self)
    }
}

/// Options of a migration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MigrateOptions {
    /// The way of moving keys; `None` for the fastest that works.
    pub way: Option<Way>,
    /// Whether keys also stay in their old place.
    pub keep: bool,
    /// Whether to compare each value and expiry in the new place with the old one.
    pub verify: bool,
    /// What becomes of hashes with expiring fields, if a target knows no such fields.
    pub field_lives: FieldLives,
    /// Whether to continue although a target may evict moved keys.
    pub accept_eviction: bool,
    /// Whether to read from a replica without a link to its master.
    pub stale_replica: bool,
    /// Limits of the load on the servers.
    pub limits: Limits,
    /// Path of the journal. An existing journal of the same migration is resumed.
    pub journal: PathBuf,
    /// Further steps for the operator, and the way back; written into the journal.
    pub instructions: Vec<String>,
}

impl MigrateOptions {
    /// Uses the fastest way, with a journal in `journal`.
    #[must_use]
    pub fn new(journal: impl Into<PathBuf>) -> Self {
        Self {
            way: None,
            keep: false,
            verify: false,
            field_lives: FieldLives::Stop,
            accept_eviction: false,
            stale_replica: false,
            limits: Limits::default(),
            journal: journal.into(),
            instructions: Vec::new(),
        }
    }
}

/// A key to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its name in the source, without the place's prefix.
    pub(crate) name: Vec<u8>,
    /// The index of its rule.
    pub(crate) rule: usize,
}

/// The outcome of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is in the target, and in the source only if it was to be kept.
    Done,
    /// It was in the target already, with equal value and expiry.
    Same,
    /// It is in neither place: it expired, or was deleted or evicted meanwhile.
    Gone,
    /// It is in the target already, where it came before its turn.
    There,
    /// It stays, because it belongs to a search index, which covers one database only. Has the
    /// key's type.
    OfIndex(String),
    /// It stays by the operator's choice, because its fields expire and the target knows no such fields.
    Stays,
    /// The target has another value under this name; both are unchanged.
    Conflict,
    /// It was changed during the move; the source still has it for the next pass.
    Changed,
    /// It arrived with another value or expiry. Has a description of the difference.
    Damaged(String),
}

impl Outcome {
    /// The word in the journal; `None` for the usual outcome.
    fn word(&self) -> Option<&'static str> {
        match self {
            Self::Done => None,
            Self::Same => Some("same"),
            Self::Gone => Some("gone"),
            Self::There => Some("there"),
            Self::OfIndex(_) => Some("index"),
            Self::Stays => Some("stays"),
            Self::Conflict => Some("conflict"),
            Self::Changed => Some("changed"),
            Self::Damaged(_) => Some("damaged"),
        }
    }
}
