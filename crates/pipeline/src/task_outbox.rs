//! Rows of single tasks that are not in the ledger yet: a hash in the batch database.

use bytes::Bytes;
use compartment_core::backend::{is_name, shown_message};
use compartment_core::{
    Claim, Database, Error, ErrorKind, Expiry, FencingToken, Result, TaskId, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::TaskStatus;

/// The hash of all waiting rows, by queue, task and claim.
const KEY: &str = "compartment:task_outbox";

/// The outcome of an attempt at a single task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a row is all of it")]
pub struct SingleTaskRow {
    /// The task's queue.
    pub queue: String,
    /// The task's id.
    pub task: TaskId,
    /// The claim's token.
    pub token: u64,
    /// The name of the document.
    pub document: String,
    /// The worker.
    pub worker: String,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The outcome.
    pub status: TaskStatus,
    /// The error message; empty without an error.
    pub error: String,
    /// When the attempt began.
    pub started: Timestamp,
    /// When the attempt ended.
    pub completed: Timestamp,
}

impl SingleTaskRow {
    /// The claim that the row was written under.
    #[must_use]
    pub fn claim(&self) -> Claim {
        Claim::new(self.task, FencingToken::from_number(self.token))
    }

    /// Whether the row is that of its field, and has valid names. Anybody with access to the batch database may have
    /// written it.
    fn is_sound(&self, field: &str) -> bool {
        self.field() == field && is_name(&self.queue) && is_name(&self.worker)
    }

    /// Each attempt has its own field, so that a removal deletes exactly the row that was read.
    fn field(&self) -> String {
        format!("{}/{}/{}", self.queue, self.task, self.token)
    }
}

/// Rows of single tasks that wait for the ledger.
#[derive(Clone, Debug)]
pub struct TaskOutbox {
    batch: Database,
}

impl TaskOutbox {
    /// The outbox in the database `batch`.
    #[must_use]
    pub fn new(batch: Database) -> Self {
        Self { batch }
    }

    /// Stores a row. It is written before the queue is updated: a worker that dies in between leaves an
    /// extra row, which the next attempt replaces, and never a missing one.
    ///
    /// # Errors
    /// The store's.
    pub async fn keep(&self, row: &SingleTaskRow) -> Result<()> {
        let bytes = serde_json::to_vec(row)
            .map_err(|error| Error::new(ErrorKind::Encode, "keep task row", error.to_string()))?;
        let fields = vec![(row.field(), Bytes::from(bytes))];
        self.batch.hash().set_fields(KEY, fields, Expiry::Never).await.map(drop)
    }

    /// Every waiting row, and the names of fields that are not valid rows.
    ///
    /// # Errors
    /// The store's.
    pub async fn rows(&self) -> Result<(Vec<SingleTaskRow>, Vec<String>)> {
        let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
        for (field, bytes) in self.batch.hash().get_all(KEY).await? {
            match serde_json::from_slice::<SingleTaskRow>(&bytes) {
                Ok(mut row) if row.is_sound(&field) => {
                    row.error.truncate(shown_message(&row.error).len());
                    row.document.truncate(shown_message(&row.document).len());
                    rows.push(row);
                }
                _ => unreadable.push(field),
            }
        }
        Ok((rows, unreadable))
    }

    /// Removes rows that are in the ledger; returns how many there were.
    ///
    /// # Errors
    /// The store's.
    pub async fn clear(&self, rows: &[SingleTaskRow]) -> Result<u64> {
        if rows.is_empty() {
            return Ok(0);
        }
        let fields: Vec<String> = rows.iter().map(SingleTaskRow::field).collect();
        self.batch.hash().delete_fields(KEY, &fields).await
    }
}
