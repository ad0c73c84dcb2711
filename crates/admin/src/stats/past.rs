//! What is kept of a look for the next: counters, the estimate of bytes, the big keys that were met.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use compartment_core::backend::random;
use serde::{Deserialize, Serialize};

use super::node::Counters;
use super::report::{BytesEstimate, ContentStats, EstimateCost, Probe, UnnamedStats};
use crate::{AdminError, Result};

/// The form of [`Past`]; another one is not read.
pub(super) const VERSION: u32 = 1;

/// What is kept of a look. It names keys, and is for those who may see them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Past {
    pub(super) version: u32,
    /// When, in milliseconds since 1970.
    pub(super) made_ms: i64,
    /// Counters by location and run of the node.
    pub(super) counters: BTreeMap<String, Counters>,
    /// Databases by name and place.
    pub(super) databases: BTreeMap<String, PastDatabase>,
    /// Estimates by instance.
    pub(super) estimates: BTreeMap<String, PastEstimate>,
}

impl Past {
    /// Reads the file that [`Past::write`] wrote; `None` where there is none, and for one of another version
    /// or program.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        Self::from_json(&std::fs::read(path).ok()?)
    }

    /// Writes a file for the next look, for its owner alone. Whoever reads it meanwhile has the old one or the
    /// new one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let new = path.with_extension(format!("{:016x}.new", random()));
        let write = || {
            compartment_files::create_new(&new)?.write_all(&self.to_json())?;
            std::fs::rename(&new, path)
        };
        write().map_err(|error| {
            let _ = std::fs::remove_file(&new);
            AdminError::file("write", path)(error)
        })
    }

    fn from_json(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok().filter(|past: &Self| past.version == VERSION)
    }

    fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A database at the last look.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct PastDatabase {
    pub(super) keys: u64,
    pub(super) bytes: Option<BytesEstimate>,
}

/// The estimate of an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct PastEstimate {
    /// The runs of the nodes that it is of.
    pub(super) runs: String,
    /// When it was begun, in milliseconds since 1970.
    pub(super) made_ms: i64,
    pub(super) cost: EstimateCost,
    /// The databases of the map, by name.
    pub(super) contents: BTreeMap<String, ContentStats>,
    pub(super) unnamed: Vec<UnnamedStats>,
    pub(super) probes: Vec<Probe>,
    /// Big keys that were met, by index, as [`crate::escape`] writes them.
    pub(super) big: BTreeMap<u32, Vec<String>>,
    /// Where walks over keys go on, by index and node.
    pub(super) cursors: BTreeMap<u32, Vec<u64>>,
    pub(super) missing: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_version_or_program_wrote_is_not_read() {
        let past = Past { version: VERSION, made_ms: 7, ..Past::default() };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stats.json");
        assert!(Past::read(&path).is_none());
        past.write(&path).unwrap();
        past.write(&path).unwrap();
        assert_eq!(Past::read(&path).unwrap().made_ms, 7);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let newer = Past { version: VERSION + 1, ..Past::default() };
        assert!(Past::from_json(&newer.to_json()).is_none());
        assert!(Past::from_json(b"[]").is_none() && Past::from_json(b"").is_none());
    }
}
