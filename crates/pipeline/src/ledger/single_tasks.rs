//! Writes rows of single tasks from the batch database to the ledger.

use compartment_core::Result;

use super::{LedgerMirror, LedgerTask, Mirrored};
use crate::{SingleTaskRow, TaskOutbox};

/// Rows that are written together.
const PAGE: usize = 1_000;

impl From<&SingleTaskRow> for LedgerTask {
    fn from(row: &SingleTaskRow) -> Self {
        let task = Self::of_queue(&row.queue, row.task, row.status.into(), row.claim().token)
            .by(&row.worker, row.attempt)
            .between(row.started, row.completed);
        let task = if row.document.is_empty() { task } else { task.document(&row.document) };
        if row.error.is_empty() { task } else { task.error(&row.error) }
    }
}

impl LedgerMirror {
    /// Writes the waiting rows of single tasks, and then removes them from the task outbox.
    ///
    /// # Errors
    /// The store's and the ledger's.
    pub async fn mirror_single_tasks(&self) -> Result<Mirrored> {
        let outbox = TaskOutbox::new(self.batch.clone());
        let (rows, unreadable) = outbox.rows().await?;
        if !unreadable.is_empty() {
            let count = unreadable.len();
            tracing::debug!(count, first = unreadable[0], "rows of single tasks cannot be read");
        }
        let mut mirrored = Mirrored::default();
        for page in rows.chunks(PAGE) {
            let tasks: Vec<LedgerTask> = page.iter().map(LedgerTask::from).collect();
            self.ledger.record_tasks(&tasks).await?;
            mirrored.rows += outbox.clear(page).await?;
        }
        Ok(mirrored)
    }
}
