//! Moves keys between databases while others use the server: journaled, resumable, reversible.

mod bring;
mod copies;
mod engine;
mod expected;
mod feed;
mod journal;
mod key_positions;
mod live;
mod mark;
mod preview;
mod queues;
mod readiness;
mod rename;
mod report;
mod resume;
mod route;
mod undo;
mod way;

use std::path::PathBuf;

pub use engine::migrate;
pub use feed::follow;
pub use journal::{Header, JournalPlace};
pub use live::{LiveOptions, LiveReport, Straggler, migrate_live};
pub use preview::{GroupPreview, Preview, preview};
pub use queues::check_queues;
pub use rename::Rename;
pub use report::{GroupReport, MigrationReport};
pub use route::Routes;
pub use undo::{UndoOptions, can_go_on, header_of, undo};
pub use way::Way;
pub(crate) use way::{Course, Lane};

use crate::{Limits, Place, Result};

/// What moves where.
#[derive(Clone, Debug)]
pub struct Migration {
    /// Where the keys are.
    pub source: Place,
    /// Where they go.
    pub targets: Vec<Place>,
    /// Which key goes where.
    pub routes: Routes,
    /// How.
    pub options: MigrateOptions,
}

impl Migration {
    /// The migration, without the keys that are in a target already: where a target is a part of the
    /// source, by a prefix in the same index, its keys are not moved into it again.
    ///
    /// # Errors
    /// The servers', where they let nobody tell whether they are one.
    pub async fn without_keys_of_targets(mut self) -> Result<Self> {
        for target in &self.targets {
            self.routes.spare_shared(&self.source, target).await?;
        }
        Ok(self)
    }
}

/// How keys are moved.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MigrateOptions {
    /// The way that keys go; the best that works where it is `None`.
    pub way: Option<Way>,
    /// Leave them in their old place as well.
    pub keep: bool,
    /// Compare each value and expiry in the new place with what it was in the old.
    pub verify: bool,
    /// Go on although a target may evict what it was given.
    pub accept_eviction: bool,
    /// Read from a replica although it has no link to its master.
    pub stale_replica: bool,
    /// What the work may ask of the servers.
    pub limits: Limits,
    /// Where the journal is kept. A file that is there is gone on with, when it is of the same
    /// migration.
    pub journal: PathBuf,
    /// What people have to do besides, and the way back: written into the journal.
    pub instructions: Vec<String>,
}

impl MigrateOptions {
    /// By the best way, keeping a journal in `journal`.
    #[must_use]
    pub fn new(journal: impl Into<PathBuf>) -> Self {
        Self {
            way: None,
            keep: false,
            verify: false,
            accept_eviction: false,
            stale_replica: false,
            limits: Limits::default(),
            journal: journal.into(),
            instructions: Vec::new(),
        }
    }
}

/// A key on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its name in the source, without the place's prefix.
    pub(crate) name: Vec<u8>,
    /// The number of the rule that it goes by.
    pub(crate) rule: usize,
}

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is in the target, and in the source only if it was to be kept.
    Done,
    /// It was in the target already, the same in value and expiry.
    Same,
    /// It is in neither: it expired, was deleted or evicted meanwhile.
    Gone,
    /// It is in the target, and was brought there before its turn came.
    There,
    /// It belongs to a search index, which sees one database only, and stays: its type.
    OfIndex(String),
    /// The target has another value of that name; both are as they were.
    Conflict,
    /// It was changed while it was on its way; the source has it still, for the next pass.
    Changed,
    /// It arrived with another value or expiry: what differs.
    Damaged(String),
}

impl Outcome {
    /// The word in the journal; none for what is usual.
    fn word(&self) -> Option<&'static str> {
        match self {
            Self::Done => None,
            Self::Same => Some("same"),
            Self::Gone => Some("gone"),
            Self::There => Some("there"),
            Self::OfIndex(_) => Some("index"),
            Self::Conflict => Some("conflict"),
            Self::Changed => Some("changed"),
            Self::Damaged(_) => Some("damaged"),
        }
    }
}
