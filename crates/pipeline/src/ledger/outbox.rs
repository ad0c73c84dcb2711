//! Converts a page of a batch's outbox to rows, in one transaction.

use std::sync::Arc;

use compartment_core::{BatchPlan, OutboxEntry, OutboxFact, Result, Timestamp};
use tokio::sync::mpsc;

use super::batch_row::LedgerBatch;
use super::error::ended_early;
use super::many::Dialect;
use super::session::{Parameters, Statement};
use super::write::{NO_TOKEN, TaskWrite, Writer, clean};
use super::{Ledger, LedgerStatus};
use crate::{TaskNote, TaskRow, TaskStatus};

/// How many bytes of an unreadable note are kept.
const MAX_OF_A_NOTE: usize = 4_096;

/// Entries whose statements wait for those before them.
const AHEAD: usize = 4;

/// The result of writing a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Applied {
    /// Rows created or changed.
    pub(super) rows: u64,
    /// Unreadable entries that were not recorded before.
    pub(super) unreadable: u64,
}

impl Ledger {
    /// Writes the oldest entries of a batch's outbox. Returns `None`, and writes nothing, if another mirror has
    /// written from it since `batch` was read; so a stale page cannot undo later rows.
    ///
    /// A page may be written twice if a mirror died before it cleared it. The rows do not change: done stays done,
    /// and of several other outcomes of a document the last one is written last again.
    pub(super) async fn apply(
        &self,
        batch: &LedgerBatch,
        entries: Vec<OutboxEntry>,
        now: Timestamp,
    ) -> Result<Option<Applied>> {
        let entries: Arc<[OutboxEntry]> = entries.into();
        let (send, mut made) = mpsc::channel(AHEAD);
        let mut session = self.session("write ledger").await?;
        let reader = Reader::new(session.dialect(), batch, now);
        let read = Arc::clone(&entries);
        // A task, not a thread for blocking work: the transaction must not wait for one of those to become free.
        let reading = tokio::spawn(async move { reader.read(&read, &send).await });
        session.begin().await?;
        let sql = "UPDATE batches SET step = step + 1 WHERE id = $1 AND step = $2";
        let parameters = Parameters::none().with(batch.id).with(batch.step);
        if session.execute(sql, parameters).await? == 0 {
            session.roll_back().await?;
            return Ok(None);
        }
        let mut applied = Applied::default();
        while let Some(statements) = made.recv().await {
            applied.rows += session.run(statements).await?;
        }
        // A page that was not read to its end must not be committed.
        let unreadable = reading.await.map_err(|error| ended_early("write ledger", &error))?;
        for (at, reason) in unreadable {
            let Some(entry) = entries.get(at) else { continue };
            applied.unreadable += keep_unreadable(&mut session, batch, entry, reason).await?;
        }
        if applied.unreadable > 0 {
            let sql = "UPDATE batches SET unreadable = unreadable + $2 WHERE id = $1";
            let parameters = Parameters::none().with(batch.id).number(applied.unreadable);
            session.execute(sql, parameters).await?;
        }
        session.commit().await?;
        Ok(Some(applied))
    }
}

/// Reads the entries of a page in a task of its own, while statements of earlier ones are executed.
struct Reader {
    plan: BatchPlan,
    stages: Vec<Arc<String>>,
    writer: Writer,
    now: Timestamp,
}

impl Reader {
    fn new(dialect: Dialect, batch: &LedgerBatch, now: Timestamp) -> Self {
        let plan = batch.plan.clone();
        let stages = plan.stages.iter().map(|stage| Arc::new(stage.name.clone())).collect();
        Self { plan, stages, writer: Writer::new(dialect, batch.id), now }
    }

    /// Sends the statements that write `entries`, until nobody wants them any more. Returns the places of unreadable
    /// entries, and why they are.
    async fn read(
        mut self,
        entries: &[OutboxEntry],
        send: &mpsc::Sender<Vec<Statement>>,
    ) -> Vec<(usize, String)> {
        let mut unreadable = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            if let Err(reason) = self.fact(&entry.fact) {
                unreadable.push((at, reason));
            }
            let made = self.writer.take();
            if !made.is_empty() && send.send(made).await.is_err() {
                return unreadable;
            }
        }
        // Whoever does not receive them has given up.
        let _ = send.send(self.writer.finish()).await;
        unreadable
    }

    /// Adds the rows of one fact; the error says why it is unreadable.
    fn fact(&mut self, fact: &OutboxFact) -> Result<(), String> {
        let (OutboxFact::Settled { stage, .. }
        | OutboxFact::Lost { stage, .. }
        | OutboxFact::Retried { stage, .. }) = fact
        else {
            return Err("a newer version wrote it in an unknown form".to_owned());
        };
        let Some(task_type) = self.stages.get(*stage) else {
            return Err(format!("the batch's plan has no stage {stage}"));
        };
        match fact {
            OutboxFact::Settled { token, refused, note, .. } => {
                if note.is_empty() {
                    return Err("it was settled without a note".to_owned());
                }
                let note =
                    TaskNote::from_bytes(note).map_err(|error| error.message().to_owned())?;
                let worker = Arc::new(clean(&note.worker));
                let token = i64::try_from(token.number()).unwrap_or(i64::MAX);
                for row in &note.rows {
                    // `refused` is sorted, as backends keep it.
                    if refused.binary_search(&row.ordinal).is_ok() {
                        continue;
                    }
                    let status = status_of(row, &self.plan);
                    self.writer.task(of_row(row, &note, task_type, &worker, status, token));
                }
            }
            OutboxFact::Lost { ordinals, error, .. } => {
                let nobody = Arc::new(String::new());
                for ordinal in ordinals {
                    self.writer.task(TaskWrite {
                        task_type: Arc::clone(task_type),
                        ordinal: i64::from(*ordinal),
                        document: None,
                        status: LedgerStatus::Dead,
                        worker: Arc::clone(&nobody),
                        token: NO_TOKEN,
                        retry_count: i64::from(self.plan.max_attempts.saturating_sub(1)),
                        error: Some(clean(error)),
                        started: None,
                        completed: Some(millis(self.now)),
                    });
                }
            }
            OutboxFact::Retried { ordinals, .. } => self.writer.retried(task_type, ordinals),
            _ => {}
        }
        Ok(())
    }
}

/// The status in the batch: a last failed attempt makes the document dead, even if the worker reported a retry.
fn status_of(row: &TaskRow, plan: &BatchPlan) -> LedgerStatus {
    match row.status {
        TaskStatus::Failed if row.attempt >= plan.max_attempts => LedgerStatus::Dead,
        status => status.into(),
    }
}

fn of_row(
    row: &TaskRow,
    note: &TaskNote,
    task_type: &Arc<String>,
    worker: &Arc<String>,
    status: LedgerStatus,
    token: i64,
) -> TaskWrite {
    let started = millis(note.since) + i64::from(row.started);
    TaskWrite {
        task_type: Arc::clone(task_type),
        ordinal: i64::from(row.ordinal),
        document: None,
        status,
        worker: Arc::clone(worker),
        token,
        retry_count: i64::from(row.attempt.saturating_sub(1)),
        error: (!row.error.is_empty()).then(|| clean(&row.error)),
        started: Some(started),
        completed: Some(started + i64::from(row.took)),
    }
}

/// Keeps an unreadable entry for inspection; returns 1 if it was not kept yet.
async fn keep_unreadable(
    session: &mut super::session::Session<'_>,
    batch: &LedgerBatch,
    entry: &OutboxEntry,
    reason: String,
) -> Result<u64> {
    let name = &batch.record.name;
    tracing::warn!(
        batch = name,
        entry = entry.id,
        reason,
        "an entry of the outbox cannot be read: it is kept in unreadable_entries, and an audit finds the \
         rows that are missing for it"
    );
    let (stage, note) = match &entry.fact {
        OutboxFact::Settled { stage, note, .. } => (*stage, note.as_ref()),
        OutboxFact::Lost { stage, .. } | OutboxFact::Retried { stage, .. } => (*stage, &[][..]),
        _ => (0, &[][..]),
    };
    let sql = "INSERT INTO unreadable_entries (batch_id, entry, stage, note, reason) \
               VALUES ($1, $2, $3, $4, $5) ON CONFLICT (batch_id, entry) DO NOTHING";
    let parameters = Parameters::none()
        .with(batch.id)
        .with(entry.id.as_str())
        .number(stage as u64)
        .with(note[..note.len().min(MAX_OF_A_NOTE)].to_vec())
        .with(clean(&reason));
    session.execute(sql, parameters).await
}

/// A time in the ledger's unit, milliseconds since 1970 UTC.
pub(super) fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}
