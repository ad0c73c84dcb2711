//! The list of batches: one hash in the batch database.

use std::collections::BTreeMap;

use bytes::Bytes;
use compartment_core::backend::{is_name, shown_name};
use compartment_core::{
    BatchProgress, Database, Error, ErrorKind, Expiry, Result, TaskClass, Timestamp,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::TraceContext;

/// The hash of all batches, by name.
const KEY: &str = "compartment:batches";

/// Batches that are asked about at once.
const ASKED_AT_ONCE: usize = 32;

/// A batch's progress; `None` if its documents are gone, an error if its keys are unreadable.
pub type FoundProgress = Result<Option<BatchProgress>>;

/// A batch as it was submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BatchRecord {
    /// The batch's name.
    pub name: String,
    /// The pipeline that processes its documents.
    pub pipeline: String,
    /// The versions of the pipeline's stages in the code that made the batch, by stage.
    pub versions: BTreeMap<String, String>,
    /// The batch's priority class.
    pub class: TaskClass,
    /// When the batch was created.
    pub created_at: Timestamp,
    /// The trace in which the batch was created.
    #[serde(default, skip_serializing_if = "TraceContext::is_empty")]
    pub trace: TraceContext,
}

impl BatchRecord {
    /// A batch of a pipeline, of the class normal.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        pipeline: impl Into<String>,
        created_at: Timestamp,
    ) -> Self {
        Self {
            name: name.into(),
            pipeline: pipeline.into(),
            versions: BTreeMap::new(),
            class: TaskClass::default(),
            created_at,
            trace: TraceContext::current(),
        }
    }
}

/// The batches of a database, by name.
#[derive(Clone, Debug)]
pub struct BatchRegistry {
    batch: Database,
}

impl BatchRegistry {
    /// The registry of the batches in `batch`.
    #[must_use]
    pub fn new(batch: Database) -> Self {
        Self { batch }
    }

    /// Adds a batch. Returns `false` and changes nothing if the name is already listed.
    ///
    /// # Errors
    /// The store's.
    pub async fn add(&self, record: &BatchRecord) -> Result<bool> {
        let text = write(record)?;
        self.batch.hash().set_field_if_absent(KEY, &record.name, text, Expiry::Never).await
    }

    /// Adds a batch, or replaces the listed one of its name.
    pub(crate) async fn replace(&self, record: &BatchRecord) -> Result<()> {
        let fields = vec![(record.name.clone(), write(record)?)];
        self.batch.hash().set_fields(KEY, fields, Expiry::Never).await.map(drop)
    }

    /// The batch of this name.
    ///
    /// # Errors
    /// The store's; [`ErrorKind::Decode`] if its record is not valid.
    pub async fn get(&self, name: &str) -> Result<Option<BatchRecord>> {
        let field = self.batch.hash().get_field(KEY, name).await?;
        field.map(|bytes| read(name, &bytes)).transpose()
    }

    /// All batches, by the time of their submission. An unreadable record, perhaps written by newer code, is left out
    /// and does not hold up other batches.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self) -> Result<Vec<BatchRecord>> {
        let fields = self.batch.hash().get_all(KEY).await?;
        let read = |(name, bytes): (&String, &Bytes)| match read(name, bytes) {
            Ok(record) => Some(record),
            Err(error) => {
                tracing::warn!(%error, "a batch is left out");
                None
            }
        };
        let mut records: Vec<BatchRecord> = fields.iter().filter_map(read).collect();
        records.sort_by(|a, b| (a.created_at, &a.name).cmp(&(b.created_at, &b.name)));
        Ok(records)
    }

    /// All batches as in [`BatchRegistry::list`], each with its progress: `None` if its documents are gone, an error if
    /// its keys are unreadable. Many are asked about at once, so a thousand batches take some thirty milliseconds.
    ///
    /// # Errors
    /// The store's, other than about what one batch has stored.
    pub async fn list_with_progress(&self) -> Result<Vec<(BatchRecord, FoundProgress)>> {
        let asked = self.list().await?.into_iter().map(async |record| {
            match self.batch.batch().progress(&record.name).await {
                Err(error) if !error.is_about_stored_data() => Err(error),
                found => Ok((record, found)),
            }
        });
        stream::iter(asked).buffered(ASKED_AT_ONCE).try_collect().await
    }

    /// Removes a batch from the list; `true` if it was listed. Its documents stay until
    /// [`compartment_core::BatchStore::remove`].
    ///
    /// # Errors
    /// The store's.
    pub async fn remove(&self, name: &str) -> Result<bool> {
        Ok(self.batch.hash().delete_fields(KEY, &[name.to_owned()]).await? > 0)
    }

    /// Removes exactly this batch from the list, and not a later one of its name; `true` if it was listed. If a later
    /// batch is added between the read and the removal, its submission adds it again ([`crate::Submission::seal`]).
    ///
    /// # Errors
    /// The store's.
    pub async fn remove_this(&self, record: &BatchRecord) -> Result<bool> {
        Ok(self.get(&record.name).await?.as_ref() == Some(record)
            && self.remove(&record.name).await?)
    }
}

fn write(record: &BatchRecord) -> Result<Bytes> {
    let text = serde_json::to_vec(record)
        .map_err(|error| Error::new(ErrorKind::Encode, "note batch", error.to_string()))?;
    Ok(Bytes::from(text))
}

/// Bytes of a record that are read: many more than that of a batch with the longest names has.
const MAX_RECORD: usize = 64 * 1024;

/// Reads a record, which anybody with access to the database may have written.
fn read(name: &str, bytes: &[u8]) -> Result<BatchRecord> {
    let invalid = |why: &str| {
        let name = shown_name(name);
        let what = format!("the record of batch {name:?} in hash {KEY:?} is invalid: {why}");
        Error::new(ErrorKind::Decode, "read batch record", what)
    };
    if bytes.len() > MAX_RECORD {
        return Err(invalid("it is too long"));
    }
    let record: BatchRecord =
        serde_json::from_slice(bytes).map_err(|error| invalid(&error.to_string()))?;
    if record.name != name {
        return Err(invalid("it is of a batch of another name"));
    }
    let versions = record.versions.iter().flat_map(|(stage, version)| [stage, version]);
    if ![&record.name, &record.pipeline].into_iter().chain(versions).all(|name| is_name(name)) {
        return Err(invalid("a name in it is empty, too long, or has control characters"));
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_others_is_checked() {
        let at = Timestamp::from_millis(0);
        let record =
            |name: &str, pipeline: &str| write(&BatchRecord::new(name, pipeline, at)).unwrap();
        assert_eq!(read("a", &record("a", "legal")).unwrap().name, "a");
        let long = "n".repeat(256);
        for (field, name, pipeline) in [
            ("a", "b", "legal"),
            ("", "", "legal"),
            ("a\nb", "a\nb", "legal"),
            ("\u{1b}[31m", "\u{1b}[31m", "legal"),
            (&long, &long, "legal"),
            ("a", "a", "le\tgal"),
            ("a", "a", &long),
        ] {
            let error = read(field, &record(name, pipeline)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "{field:?}");
            let text = error.to_string();
            assert!(text.len() < 600 && !text.contains(char::is_control), "{text:?}");
        }
        let mut bad = BatchRecord::new("a", "legal", at);
        bad.versions.insert("stage".into(), "1\n".into());
        assert!(read("a", &write(&bad).unwrap()).is_err());
        let padded = [record("a", "legal").to_vec(), vec![b' '; MAX_RECORD]].concat();
        assert!(read("a", &padded).is_err());
    }
}
