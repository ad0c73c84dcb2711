//! Notes that workers write when they settle documents; the source of the ledger's rows.

use bytes::Bytes;
use compartment_core::backend::{is_name, shown_message};
use compartment_core::{Error, ErrorKind, MAX_AT_ONCE, Result, Timestamp};
use serde::{Deserialize, Serialize};

/// The outcome of a stage for a document, as the ledger records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TaskStatus {
    /// Done.
    Done,
    /// Failed, and tried again.
    Failed,
    /// Failed permanently.
    Dead,
}

impl TaskStatus {
    /// The status's name in the ledger.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Dead => "dead",
        }
    }
}

/// One document of a [`TaskNote`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a row is all of it")]
pub struct TaskRow {
    /// The document's number in the batch.
    pub ordinal: u32,
    /// The outcome.
    pub status: TaskStatus,
    /// The number of the attempt, from 1.
    pub attempt: u8,
    /// When the attempt began, in milliseconds after the note's [`TaskNote::since`].
    pub started: u32,
    /// How long the attempt took, in milliseconds.
    pub took: u32,
    /// The error message; empty without an error.
    pub error: String,
}

/// The outcomes of one claim's documents, written by one worker. The encoding is compact, because a note is written
/// with every settlement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "the engine fills in all of it")]
pub struct TaskNote {
    /// The worker's id.
    pub worker: String,
    /// The time that the times of `rows` are relative to.
    pub since: Timestamp,
    /// The documents.
    pub rows: Vec<TaskRow>,
}

impl TaskNote {
    /// Encodes the note as MessagePack without field names.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`]; the fields of a note cannot cause it.
    pub fn to_bytes(&self) -> Result<Bytes> {
        rmp_serde::to_vec(self)
            .map(Bytes::from)
            .map_err(|error| Error::new(ErrorKind::Encode, "pack task note", error.to_string()))
    }

    /// Decodes a note, which anybody with access to the batch database may have written.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] for bytes that are not a note.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let wrong = |what: String| Error::new(ErrorKind::Decode, "read task note", what);
        let mut note: Self =
            rmp_serde::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        if !is_name(&note.worker) || note.rows.len() > MAX_AT_ONCE {
            return Err(wrong("its worker has no valid name, or it has too many rows".to_owned()));
        }
        for row in &mut note.rows {
            row.error.truncate(shown_message(&row.error).len());
        }
        Ok(note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_reads_back_and_is_small() {
        let row = |ordinal| TaskRow {
            ordinal,
            status: TaskStatus::Done,
            attempt: 1,
            started: 3,
            took: 12,
            error: String::new(),
        };
        let note = TaskNote {
            worker: "host-1".into(),
            since: Timestamp::from_millis(1_790_000_000_000),
            rows: (0..100).map(row).collect(),
        };
        let bytes = note.to_bytes().unwrap();
        assert!(bytes.len() < 1_700, "{} bytes for a hundred documents", bytes.len());
        assert_eq!(TaskNote::from_bytes(&bytes).unwrap(), note);
        let mut odd = TaskNote { worker: "host\n1".into(), ..note };
        assert!(TaskNote::from_bytes(&odd.to_bytes().unwrap()).is_err());
        odd.worker = "host-1".into();
        odd.rows[0].error = "\u{e9}".repeat(100_000);
        let read = TaskNote::from_bytes(&odd.to_bytes().unwrap()).unwrap();
        assert_eq!(read.rows[0].error.len(), 64 * 1024);
        odd.rows = (0..=MAX_AT_ONCE as u32).map(row).collect();
        assert!(TaskNote::from_bytes(&odd.to_bytes().unwrap()).is_err());
        assert_eq!(TaskNote::from_bytes(b"no").unwrap_err().kind(), ErrorKind::Decode);
    }
}
