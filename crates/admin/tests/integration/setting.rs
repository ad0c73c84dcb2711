//! A migration from one place to another, with its journal in a folder of its own.

#![expect(clippy::unwrap_used, reason = "test support: a failure here is a failed test")]

use compartment_admin::migrate::{
    MigrateOptions, Migration, MigrationReport, Routes, UndoOptions, migrate, undo,
};
use compartment_admin::{AdminError, Place};
use tempfile::TempDir;

use crate::data::silent;

pub(crate) struct Setting {
    folder: TempDir,
    source: Place,
    pub(crate) target: Place,
}

impl Setting {
    pub(crate) async fn new(source: Place, target: Place) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), source, target }
    }

    pub(crate) fn journal(&self) -> std::path::PathBuf {
        self.folder.path().join("journal")
    }

    pub(crate) fn migration(&self, change: impl FnOnce(&mut Migration)) -> Migration {
        let mut migration = Migration {
            source: self.source.clone(),
            targets: vec![self.target.clone()],
            routes: Routes::single("all", &[], None),
            options: MigrateOptions::new(self.journal()),
        };
        change(&mut migration);
        migration
    }

    pub(crate) async fn run(
        &self,
        change: impl FnOnce(&mut Migration),
    ) -> Result<MigrationReport, AdminError> {
        migrate(self.migration(change), silent()).await
    }

    pub(crate) async fn undo(&self) -> Result<MigrationReport, AdminError> {
        let places = vec![self.target.clone()];
        undo(&self.journal(), self.source.clone(), places, UndoOptions::default(), silent()).await
    }
}
