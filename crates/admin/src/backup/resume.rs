//! The state from which an interrupted backup resumes.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use compartment_core::Result as ServerResult;
use serde::{Deserialize, Serialize};

use super::BackupOptions;
use crate::error::{AdminError, Result};
use crate::field_lives::FieldLives;
use crate::info::Info;
use crate::{Place, escape};
use compartment_redis::is_hidden;

/// The files of one backup.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    /// The final name.
    pub(super) whole: PathBuf,
    pub(super) partial: PathBuf,
    pub(super) state: PathBuf,
    pub(super) held: PathBuf,
}

impl Paths {
    pub(super) fn of(whole: &Path) -> Self {
        let beside = |ending: &str| {
            let mut path = whole.as_os_str().to_owned();
            path.push(ending);
            PathBuf::from(path)
        };
        Self {
            whole: whole.to_owned(),
            partial: beside(".partial"),
            state: beside(".partial.state"),
            held: beside(".partial.held"),
        }
    }
}

/// The source of a backup: a run resumes another's file only if all of this is equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    server: String,
    /// Each server's `run_id`: cursors are invalid after a restart.
    run_ids: Vec<String>,
    index: u32,
    prefix: String,
    pattern: Option<String>,
    zstd: bool,
    /// The format that was asked for, and whether keys that it cannot hold are left out or changed.
    #[serde(default)]
    format: Option<(u16, FieldLives)>,
    #[serde(default)]
    functions: bool,
}

impl Source {
    pub(super) async fn of(
        place: &Place,
        pattern: Option<&[u8]>,
        options: &BackupOptions,
    ) -> ServerResult<Self> {
        let mut run_ids = Vec::new();
        for mut node in place.open_nodes("backup").await? {
            let info = match Info::ask(&mut node, &["server"]).await {
                Err(error) if is_hidden(&error) => Info::default(),
                answer => answer?,
            };
            // A server that hides its id counts as a different one each time.
            run_ids.push(info.get("run_id").map_or_else(no_id, str::to_owned));
        }
        Ok(Self {
            server: place.server().url().to_string(),
            run_ids,
            index: place.index(),
            prefix: escape(place.prefix()),
            pattern: pattern.map(escape),
            zstd: options.zstd,
            format: options.format.map(|format| (format.version(), options.field_lives)),
            functions: options.functions,
        })
    }
}

fn no_id() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("{:?}", now.unwrap_or_default())
}

/// Counts so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) keys: u64,
    pub(super) expiring: u64,
    pub(super) vanished: u64,
    pub(super) repeated: u64,
    /// Number of keys that the file cannot hold.
    #[serde(default)]
    pub(super) unfit: u64,
    /// Number of keys that are left out by choice.
    #[serde(default)]
    pub(super) left_out: u64,
}

/// A consistent position of the file, the walk and the checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) source: Source,
    pub(super) rdb_version: u16,
    /// The node that was being walked, and the cursor of its next page.
    pub(super) node: usize,
    pub(super) cursor: u64,
    /// Length of the file, and of its contents before compression.
    pub(super) file_bytes: u64,
    pub(super) offset: u64,
    pub(super) checksum: u64,
    /// Length of the file of names that were held back.
    pub(super) held_bytes: u64,
    pub(super) counts: Counts,
}

impl Checkpoint {
    /// The checkpoint in the file, if there is one and it has the same source.
    ///
    /// # Errors
    /// For a file that is not this user's: it could make the backup go on at another place.
    pub(super) fn load(path: &Path, source: &Source) -> Result<Option<Self>> {
        let mut text = Vec::new();
        match compartment_files::open_own(path) {
            Ok(mut file) => file.read_to_end(&mut text).map_err(AdminError::file("read", path))?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(AdminError::file("read", path)(error)),
        };
        let checkpoint: Option<Self> = serde_json::from_slice(&text).ok();
        Ok(checkpoint.filter(|checkpoint| checkpoint.source == *source))
    }

    /// Replaces the file atomically.
    pub(super) fn save(&self, path: &Path) -> Result<()> {
        let new = path.with_extension("state.new");
        let text = serde_json::to_vec(self).map_err(|error| AdminError::BadFile {
            path: path.to_owned(),
            problem: error.to_string(),
        })?;
        let write = || {
            let mut file = compartment_files::continue_or_create(&new)?;
            file.set_len(0)?;
            file.write_all(&text)?;
            file.sync_data()?;
            std::fs::rename(&new, path)
        };
        write().map_err(AdminError::file("write", path))
    }
}
