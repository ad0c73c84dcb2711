//! The ledger's row of a batch: its plan, its record, its state, and how much was copied.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use compartment_core::{
    BatchPlan, BatchProgress, BatchStatus, Error, ErrorKind, Result, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::Ledger;
use super::session::{LedgerRow, Parameters, Session};
use crate::{BatchRecord, RemovalWitness};

/// The state of a batch when the ledger last read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum BatchState {
    /// Documents can be added.
    Open,
    /// No more documents can be added.
    Sealed,
    /// Every document is done or dead.
    Completed,
    /// It was cancelled: nothing of it is processed any more.
    Cancelled,
}

impl BatchState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Open, Self::Sealed, Self::Completed, Self::Cancelled];

    /// The state's name in the ledger.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Sealed => "sealed",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl From<BatchStatus> for BatchState {
    fn from(status: BatchStatus) -> Self {
        match status {
            BatchStatus::Sealed => Self::Sealed,
            BatchStatus::Completed => Self::Completed,
            BatchStatus::Cancelled => Self::Cancelled,
            // An unknown status is treated as open, which promises least.
            _ => Self::Open,
        }
    }
}

impl fmt::Display for BatchState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BatchState {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name).ok_or_else(|| {
            let what = format!(
                "the ledger has a batch of unknown kind {name:?}: a newer version wrote it"
            );
            Error::new(ErrorKind::Decode, "read ledger", what)
        })
    }
}

/// A batch in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LedgerBatch {
    /// The batch's number in the ledger.
    #[serde(skip)]
    pub(super) id: i64,
    /// The batch's record in the list of batches.
    pub record: BatchRecord,
    /// The plan of the batch.
    pub plan: BatchPlan,
    /// The batch's state.
    pub state: BatchState,
    /// Whether it was removed on purpose: a rebuild of all batches leaves it out.
    pub removed: bool,
    /// Whether it was paused.
    pub paused: bool,
    /// Documents submitted when its state was last written.
    pub total: u64,
    /// Documents copied to the ledger: all below this ordinal.
    pub documents: u64,
    /// Incremented by every write from its outbox.
    #[serde(skip)]
    pub(super) step: i64,
    /// Entries of its outbox that could not be read.
    pub unreadable: u64,
    /// Whether a rebuild from the ledger has begun and not ended.
    pub rebuilding: bool,
    /// When its state was last written, in milliseconds since 1970 UTC.
    pub seen_ms: u64,
}

const COLUMNS: &str = "id, record, plan, state, paused, total, documents, step, unreadable, \
                       rebuilding, seen, removed";

impl LedgerBatch {
    /// Whether this is a run in one process ([`super::LedgerRun`]). Its plan has no stages; the plan of a batch in a
    /// database has at least one.
    pub(super) fn is_run(&self) -> bool {
        self.plan.stages.is_empty()
    }

    fn read(row: &LedgerRow) -> Result<Self> {
        let json = |what: &str, error: serde_json::Error| {
            let what = format!("the {what} of a batch in the ledger is not valid: {error}");
            Error::new(ErrorKind::Decode, "read ledger", what)
        };
        Ok(Self {
            id: row.get(0)?,
            record: serde_json::from_str(&row.text(1)?).map_err(|error| json("record", error))?,
            plan: serde_json::from_str(&row.text(2)?).map_err(|error| json("plan", error))?,
            state: row.text(3)?.parse()?,
            paused: row.get::<i64>(4)? != 0,
            total: row.number(5)?,
            documents: row.number(6)?,
            step: row.get(7)?,
            unreadable: row.number(8)?,
            rebuilding: row.get::<i64>(9)? != 0,
            seen_ms: row.number(10)?,
            removed: row.get::<i64>(11)? != 0,
        })
    }
}

impl Ledger {
    /// The newest batch of each name, sorted by creation time.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn batches(&self) -> Result<Vec<LedgerBatch>> {
        let mut session = self.session("list batches in ledger").await?;
        let sql = format!(
            "SELECT {COLUMNS} FROM batches b WHERE id <> 0 AND created = \
             (SELECT MAX(created) FROM batches o WHERE o.name = b.name) ORDER BY created, name"
        );
        let rows = session.rows(sqlx::AssertSqlSafe(sql), Parameters::none()).await?;
        rows.iter().map(LedgerBatch::read).collect()
    }

    /// The newest batch of this name.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn batch(&self, name: &str) -> Result<Option<LedgerBatch>> {
        let mut session = self.session("find batch in ledger").await?;
        newest(&mut session, name).await
    }

    /// The newest batch of this name; an error if there is none.
    pub(super) async fn known(&self, operation: &'static str, name: &str) -> Result<LedgerBatch> {
        self.batch(name).await?.ok_or_else(|| {
            let what = format!(
                "the ledger {} has no batch {name:?}; it has only batches that were submitted with a ledger",
                self.address()
            );
            Error::new(ErrorKind::Unknown, operation, what)
        })
    }

    /// The row of a batch, created if it is missing. A different creation time means a different batch.
    pub(super) async fn note_batch(
        &self,
        record: &BatchRecord,
        plan: &BatchPlan,
    ) -> Result<LedgerBatch> {
        let json = |error: serde_json::Error| {
            Error::new(ErrorKind::Encode, "note batch in ledger", error.to_string())
        };
        let mut session = self.session("note batch in ledger").await?;
        let created = record.created_at.as_millis();
        let parameters = Parameters::none()
            .with(record.name.as_str())
            .number(created)
            .with(record.pipeline.as_str())
            .with(serde_json::to_string(plan).map_err(json)?)
            .with(serde_json::to_string(record).map_err(json)?);
        let sql = "INSERT INTO batches (name, created, pipeline, plan, record) \
                   VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name, created) DO NOTHING";
        session.execute(sql, parameters).await?;
        let sql = format!("SELECT {COLUMNS} FROM batches WHERE name = $1 AND created = $2");
        let parameters = Parameters::none().with(record.name.as_str()).number(created);
        let rows = session.rows(sqlx::AssertSqlSafe(sql), parameters).await?;
        rows.first().map_or_else(
            || {
                let what = format!("the row of batch {:?} has just been removed", record.name);
                Err(Error::new(ErrorKind::NotReady, "note batch in ledger", what))
            },
            LedgerBatch::read,
        )
    }

    /// Records the state of a batch.
    pub(super) async fn note_state(
        &self,
        batch: &mut LedgerBatch,
        progress: &BatchProgress,
        now: Timestamp,
    ) -> Result<()> {
        let state = BatchState::from(progress.status);
        if batch.state == state
            && batch.paused == progress.is_paused
            && batch.total == progress.total
        {
            return Ok(());
        }
        let mut session = self.session("note state in ledger").await?;
        let sql = "UPDATE batches SET state = $2, paused = $3, total = $4, seen = $5 WHERE id = $1";
        let parameters = Parameters::none()
            .with(batch.id)
            .with(state.name())
            .with(i64::from(progress.is_paused))
            .number(progress.total)
            .number(now.as_millis());
        session.execute(sql, parameters).await?;
        (batch.state, batch.paused, batch.total) = (state, progress.is_paused, progress.total);
        Ok(())
    }

    /// Records that a batch was removed on purpose, so that a rebuild of all batches leaves it out. Returns `false`
    /// if the ledger does not have it. Its rows stay.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn note_removed(&self, name: &str) -> Result<bool> {
        let mut session = self.session("note removal in ledger").await?;
        let Some(batch) = newest(&mut session, name).await? else { return Ok(false) };
        let sql = "UPDATE batches SET removed = 1 WHERE id = $1";
        Ok(session.execute(sql, Parameters::none().with(batch.id)).await? > 0)
    }

    /// Records whether exactly this batch was removed.
    pub(super) async fn note_gone(&self, record: &BatchRecord, is_gone: bool) -> Result<()> {
        let mut session = self.session("note removal in ledger").await?;
        let sql = "UPDATE batches SET removed = $3 WHERE name = $1 AND created = $2";
        let parameters = Parameters::none()
            .with(record.name.as_str())
            .number(record.created_at.as_millis())
            .with(i64::from(is_gone));
        session.execute(sql, parameters).await.map(drop)
    }

    /// Records that a rebuild of a batch begins or has ended.
    pub(super) async fn note_rebuilding(
        &self,
        batch: &LedgerBatch,
        rebuilding: bool,
    ) -> Result<()> {
        let mut session = self.session("note rebuilding in ledger").await?;
        let sql = "UPDATE batches SET rebuilding = $2, removed = 0 WHERE id = $1";
        let parameters = Parameters::none().with(batch.id).with(i64::from(rebuilding));
        session.execute(sql, parameters).await.map(drop)
    }
}

#[async_trait]
impl RemovalWitness for Ledger {
    async fn before_removal(&self, batch: &BatchRecord) -> Result<()> {
        self.note_gone(batch, true).await
    }

    async fn not_removed(&self, batch: &BatchRecord) -> Result<()> {
        self.note_gone(batch, false).await
    }
}

async fn newest(session: &mut Session<'_>, name: &str) -> Result<Option<LedgerBatch>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM batches WHERE name = $1 AND id <> 0 ORDER BY created DESC LIMIT 1"
    );
    let rows = session.rows(sqlx::AssertSqlSafe(sql), Parameters::none().with(name)).await?;
    rows.first().map(LedgerBatch::read).transpose()
}
