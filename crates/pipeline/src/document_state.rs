//! The state of a document: a hash in the batch database.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use compartment_core::backend::{is_name, shown_message, shown_name};
use compartment_core::{Clock, Database, Expiry, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Patience, StageError};

/// The outcome of a stage for a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StageStatus {
    /// The stage produced its result, in this version of the stage.
    Done {
        /// The stage's version.
        version: String,
    },
    /// The stage failed.
    Failed {
        /// The stable name of the reason.
        code: String,
        /// The reason in words.
        message: String,
    },
}

impl StageStatus {
    /// The failure with this error.
    #[must_use]
    pub fn of(error: &StageError) -> Self {
        Self::Failed { code: error.code.to_owned(), message: error.message.clone() }
    }
}

/// The state of one document: its name, and the outcome of each stage. It is one hash with a field for each stage,
/// written once for each document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentState {
    name: String,
    file: Option<PathBuf>,
    stages: BTreeMap<String, StageStatus>,
}

/// The longest path of a file that is read, in bytes; systems take shorter ones.
const MAX_FILE: usize = 64 * 1024;

const NAME: &str = "name";
const FILE: &str = "file";
const UPDATED: &str = "updated_ms";

impl DocumentState {
    /// The state of a document of this name that no stage has processed.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), file: None, stages: BTreeMap::new() }
    }

    /// Sets the file that the document was read from.
    #[must_use]
    pub fn from_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Sets the outcomes of these stages.
    #[must_use]
    pub fn with_stages(mut self, stages: impl IntoIterator<Item = (String, StageStatus)>) -> Self {
        self.stages.extend(stages);
        self
    }

    /// The path of the document's file, on the machine that read it.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The document's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The outcome of each stage.
    #[must_use]
    pub fn stages(&self) -> &BTreeMap<String, StageStatus> {
        &self.stages
    }

    /// Records that a stage produced its result.
    pub fn done(&mut self, stage: &str, version: &str) {
        let version = version.to_owned();
        self.stages.insert(stage.to_owned(), StageStatus::Done { version });
    }

    /// Records that a stage failed.
    pub fn failed(&mut self, stage: &str, error: &StageError) {
        self.stages.insert(stage.to_owned(), StageStatus::of(error));
    }

    /// Writes the state; waits for an unavailable server.
    ///
    /// # Errors
    /// The store's, once `patience` has run out.
    pub async fn save(
        &self,
        batch: &Database,
        key: &str,
        clock: &dyn Clock,
        patience: &Patience,
    ) -> Result<()> {
        let mut fields: Vec<(String, Bytes)> = vec![
            (NAME.to_owned(), Bytes::from(self.name.clone())),
            (UPDATED.to_owned(), Bytes::from(clock.now().as_millis().to_string())),
        ];
        if let Some(file) = &self.file {
            fields.push((FILE.to_owned(), file.display().to_string().into()));
        }
        for (stage, status) in &self.stages {
            let text = match status {
                StageStatus::Done { version } => format!("done {version}"),
                StageStatus::Failed { code, message } => format!("failed {code} {message}"),
            };
            fields.push((format!("stage:{stage}"), text.into()));
        }
        patience
            .outlast(|| batch.hash().set_fields(key, fields.clone(), Expiry::DatabaseDefault))
            .await
            .map(drop)
    }

    /// Reads a state; `None` if the document has never been seen. Anybody with access to the database may have written
    /// it: names have at most 255 bytes and no control characters, messages at most 64 KiB.
    ///
    /// # Errors
    /// The store's.
    pub async fn load(batch: &Database, key: &str) -> Result<Option<Self>> {
        let fields = batch.hash().get_all(key).await?;
        if fields.is_empty() {
            return Ok(None);
        }
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let mut state =
            Self::new(fields.get(NAME).map(|name| shown_name(&text(name))).unwrap_or_default());
        let file = fields.get(FILE).filter(|file| file.len() <= MAX_FILE);
        state.file = file.map(|file| text(file).into());
        for (field, value) in &fields {
            let Some(stage) = field.strip_prefix("stage:").filter(|stage| is_name(stage)) else {
                continue;
            };
            let value = text(value);
            let status = match value.split_once(' ') {
                Some(("done", version)) => StageStatus::Done { version: shown_name(version) },
                Some(("failed", rest)) => {
                    let (code, message) = rest.split_once(' ').unwrap_or((rest, ""));
                    let message = shown_message(message).to_owned();
                    StageStatus::Failed { code: shown_name(code), message }
                }
                _ => continue,
            };
            state.stages.insert(stage.to_owned(), status);
        }
        Ok(Some(state))
    }

    /// When the state of a document was last written; `None` if it never was.
    ///
    /// # Errors
    /// The store's.
    pub async fn updated(batch: &Database, key: &str) -> Result<Option<Timestamp>> {
        let field = batch.hash().get_field(key, UPDATED).await?;
        let millis = field.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.parse().ok());
        Ok(millis.map(Timestamp::from_millis))
    }
}
