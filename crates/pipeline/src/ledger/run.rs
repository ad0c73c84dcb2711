//! Writes the rows of a run in one process to the ledger, a page at a time.

use std::sync::Arc;

use async_trait::async_trait;
use compartment_core::{BatchPlan, Result};
use tokio::sync::Mutex;

use super::session::Parameters;
use super::write::{NO_TOKEN, TaskWrite, clean};
use super::{BatchState, Ledger, LedgerBatch, LedgerStatus};
use crate::{BatchRecord, Document, Patience, Pipeline, RunRecorder, StageOutcome, StageStatus};

/// Documents whose rows are written together.
const PAGE: usize = 256;

/// Records the outcomes of a [`crate::LocalRun`] in the ledger, as a separate batch. A rebuild of all batches leaves
/// it out, because it was never in a database.
///
/// Rows wait in memory until a page of 256 documents is full or the run has ended. Waiting rows of a killed run are
/// lost; a later run of its documents writes all of its own rows.
#[derive(Debug)]
pub struct LedgerRun {
    ledger: Ledger,
    batch: LedgerBatch,
    worker: Arc<String>,
    patience: Patience,
    waiting: Mutex<Waiting>,
}

/// Rows that are not written yet.
#[derive(Debug, Default)]
struct Waiting {
    documents: Vec<Vec<TaskWrite>>,
    total: u64,
}

impl LedgerRun {
    /// Begins a run with this name, which earlier runs may have had; `worker` is stored in its rows. Waits for an
    /// unavailable ledger with `patience`.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn begin(
        ledger: Ledger,
        name: &str,
        pipeline: &Pipeline,
        worker: impl Into<String>,
        patience: Patience,
    ) -> Result<Self> {
        let mut record = BatchRecord::new(clean(name), pipeline.name(), patience.clock().now());
        record.versions = pipeline.versions();
        // The plan has no stages, because nothing is claimed from it.
        let plan = BatchPlan::new();
        let noted = patience.outlast(|| ledger.note_batch(&record, &plan)).await;
        let batch = noted?;
        // A rebuild of all batches leaves it out.
        patience.outlast(|| ledger.note_gone(&record, true)).await?;
        let worker = Arc::new(clean(&worker.into()));
        Ok(Self { ledger, batch, worker, patience, waiting: Mutex::default() })
    }

    /// Writes the waiting documents. They keep waiting if it fails.
    async fn write(&self, waiting: &mut Waiting) -> Result<()> {
        if waiting.documents.is_empty() {
            return Ok(());
        }
        let written = || async {
            let mut session = self.ledger.session("record run in ledger").await?;
            session.begin().await?;
            session.write(self.batch.id, waiting.documents.iter().flatten().cloned()).await?;
            session.commit().await
        };
        self.patience.outlast(written).await?;
        waiting.documents.clear();
        Ok(())
    }

    /// Records the state of the run.
    async fn note(&self, total: u64, state: BatchState) -> Result<()> {
        let noted = || async {
            let mut session = self.ledger.session("note run in ledger").await?;
            let sql = "UPDATE batches SET state = $2, total = $3, seen = $4 WHERE id = $1";
            let parameters = Parameters::none()
                .with(self.batch.id)
                .with(state.name())
                .number(total)
                .number(self.patience.clock().now().as_millis());
            session.execute(sql, parameters).await.map(drop)
        };
        self.patience.outlast(noted).await
    }

    fn row(&self, document: &Document, entry: Option<&str>, stage: &StageOutcome) -> TaskWrite {
        let (status, error) = match &stage.status {
            StageStatus::Done { .. } => (LedgerStatus::Done, None),
            StageStatus::Failed { message, .. } if stage.may_succeed_later => {
                (LedgerStatus::Failed, Some(clean(message)))
            }
            StageStatus::Failed { message, .. } => (LedgerStatus::Dead, Some(clean(message))),
        };
        let millis = |time: compartment_core::Timestamp| i64::try_from(time.as_millis()).ok();
        TaskWrite {
            task_type: Arc::new(stage.stage.to_owned()),
            ordinal: document.ordinal().into(),
            document: entry.map(clean),
            status,
            worker: Arc::clone(&self.worker),
            token: NO_TOKEN,
            retry_count: 0,
            error,
            started: millis(stage.started),
            completed: millis(stage.completed),
        }
    }
}

#[async_trait]
impl RunRecorder for LedgerRun {
    async fn record(&self, document: &Document, stages: &[StageOutcome]) -> Result<()> {
        let entry = std::str::from_utf8(document.entry()).ok();
        let rows = stages.iter().map(|stage| self.row(document, entry, stage)).collect();
        let mut waiting = self.waiting.lock().await;
        waiting.documents.push(rows);
        waiting.total += 1;
        if waiting.documents.len() < PAGE {
            return Ok(());
        }
        self.write(&mut waiting).await
    }

    async fn finish(&self, is_complete: bool) -> Result<()> {
        let mut waiting = self.waiting.lock().await;
        self.write(&mut waiting).await?;
        let state = if is_complete { BatchState::Completed } else { BatchState::Open };
        self.note(waiting.total, state).await
    }
}
