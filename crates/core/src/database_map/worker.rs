//! How workers take documents: `[worker]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::cache::{Bounds, times};
use super::fields::present;
use super::quantity::{Span, span};
use crate::MAX_ATTEMPTS;

/// The settings of workers. `None` means the worker's own default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerSettings {
    /// How often a stage of a document is attempted before the document is dead, 1 to [`MAX_ATTEMPTS`].
    pub max_attempts: Option<u8>,
    /// How long a worker may be silent before others take over its documents.
    pub lease: Option<Duration>,
    /// The folders below which workers read documents, as absolute paths. `None` means that no folders are set: an
    /// entry of a batch can then name any file together with the hash of its content, and no file by its path alone.
    pub documents: Option<Vec<PathBuf>>,
}

/// For a worker's lease. It is renewed every third of it, so a shorter one would keep the server busy.
pub(super) const LEASE: Bounds<Duration> =
    times("lease", Duration::from_millis(100), Duration::from_secs(86_400));

/// Checks a number of attempts.
pub(super) fn check_attempts(attempts: u64) -> Result<u8, String> {
    let fits = u8::try_from(attempts).ok().filter(|n| (1..=MAX_ATTEMPTS).contains(n));
    fits.ok_or_else(|| {
        format!("max_attempts = {attempts} is not allowed: it must be between 1 and {MAX_ATTEMPTS}")
    })
}

/// `[worker]` of a file.
#[derive(Deserialize)]
#[serde(try_from = "WorkerFields")]
pub(super) struct WorkerSection(pub(super) WorkerSettings);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkerFields {
    max_attempts: Option<u64>,
    lease: Option<Span>,
    documents: Option<Vec<PathBuf>>,
}

/// Checks the folders of a file. A relative path would depend on the folder in which a worker is started.
fn check_documents(folders: &[PathBuf]) -> Result<(), String> {
    if folders.is_empty() {
        return Err("documents = [] is not allowed: name the folders that workers read".to_owned());
    }
    match folders.iter().find(|folder| !folder.is_absolute()) {
        None => Ok(()),
        Some(folder) => {
            Err(format!("documents: {} is not an absolute path of a folder", folder.display()))
        }
    }
}

impl TryFrom<WorkerFields> for WorkerSection {
    type Error = String;

    fn try_from(fields: WorkerFields) -> Result<Self, String> {
        let lease = fields.lease.map(|span| span.0);
        lease.map_or(Ok(()), |lease| LEASE.check(lease))?;
        let max_attempts = fields.max_attempts.map(check_attempts).transpose()?;
        let documents = fields.documents;
        documents.as_deref().map_or(Ok(()), check_documents)?;
        Ok(Self(WorkerSettings { max_attempts, lease, documents }))
    }
}

impl WorkerSettings {
    /// The fields that are set, as TOML.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let quoted =
            |folder: &PathBuf| toml::Value::String(folder.display().to_string()).to_string();
        let list = |folders: &Vec<PathBuf>| {
            format!("[{}]", folders.iter().map(quoted).collect::<Vec<_>>().join(", "))
        };
        present([
            ("max_attempts", self.max_attempts.map(|n| n.to_string())),
            ("lease", self.lease.map(span)),
            ("documents", self.documents.as_ref().map(list)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use crate::{DatabaseMap, DatabaseMapBuilder, Result};

    fn read(section: &str) -> Result<DatabaseMap> {
        let text = "preset = \"pipeline\"\n[instances.primary]\nurl = \"memory://\"\n[worker]\n";
        DatabaseMapBuilder::toml(&format!("{text}{section}"))?.build()
    }

    #[test]
    fn the_folders_of_documents_are_absolute_and_read_back() {
        let map = read("documents = [\"/srv/papers\", \"/srv/it's \\\"in\\\"\"]").unwrap();
        let folders = map.worker().documents.as_ref().unwrap();
        assert_eq!(folders[1].to_str(), Some("/srv/it's \"in\""));
        let back = DatabaseMapBuilder::toml(&map.to_toml()).unwrap().build().unwrap();
        assert_eq!(back.worker(), map.worker());
        assert_eq!(read("").unwrap().worker().documents, None);
        for (section, says) in [("documents = []", "[]"), ("documents = [\"in\"]", "absolute")] {
            let error = read(section).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
