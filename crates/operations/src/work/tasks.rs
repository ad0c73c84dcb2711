//! Rows of the ledger, and the dead letters beside them.

use compartment::pipeline::ledger::{LedgerStatus, LedgerTask, TaskFilter};
use compartment::{Error, ErrorKind};
use compartment_documents::batch::DocumentEntry;
use serde::{Serialize, Serializer};

use super::dead_letters::{DeadLetter, DeadLetterQuery};
use super::queues::queues;
use crate::{Operations, OperationsError, Result};

/// Which tasks.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TaskQuery {
    /// Only those of this batch.
    pub batch: Option<String>,
    /// Only those of this stage.
    pub stage: Option<String>,
    /// Only those with this status.
    pub status: Option<LedgerStatus>,
    /// Only those whose last worker was this one.
    pub worker: Option<String>,
    /// Only those whose error contains this text, ignoring case.
    pub error: Option<String>,
    /// Only dead letters of queues.
    pub dead_letters_only: bool,
    /// At most so many of the ledger, and so many dead letters.
    pub limit: u64,
    /// How many rows of the ledger are skipped.
    pub offset: u64,
}

/// The tasks that a query selects.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TaskList {
    /// Dead letters of queues.
    pub dead_letters: Vec<DeadLetter>,
    /// Rows of the ledger.
    #[serde(serialize_with = "with_times")]
    pub tasks: Vec<LedgerTask>,
    /// Whether the ledger could be read: `false` where it is off, or its file does not exist.
    #[serde(skip)]
    pub has_ledger: bool,
}

/// A row with the time that it took, and the name of its document.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    task: &'a LedgerTask,
    took_ms: Option<u64>,
    name: Option<String>,
}

pub(super) fn with_times<S: Serializer>(
    tasks: &[LedgerTask],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(tasks.iter().map(|task| Shown {
        task,
        took_ms: task.took_ms(),
        name: document_name(task),
    }))
}

/// The name of a row's document.
#[must_use]
pub fn document_name(task: &LedgerTask) -> Option<String> {
    let document = task.document.as_ref()?;
    let entry: Option<DocumentEntry> = serde_json::from_str(document).ok();
    Some(entry.map_or_else(|| document.clone(), |entry| entry.name))
}

impl Operations {
    /// Rows of the ledger and dead letters. A batch that the ledger does not know has none.
    ///
    /// # Errors
    /// The ledger's and the store's; [`OperationsError::Argument`] for a stage that the pipeline does not have, when
    /// only dead letters are asked for.
    pub async fn tasks(&self, query: &TaskQuery) -> Result<TaskList> {
        let dead_letters = self.letters(query).await?;
        let ledger = self.ledger();
        let has_ledger = ledger.is_some();
        let mut tasks = Vec::new();
        if let Some(ledger) = ledger.filter(|_| !query.dead_letters_only) {
            let mut filter = TaskFilter::default();
            filter.batch.clone_from(&query.batch);
            filter.task_type.clone_from(&query.stage);
            filter.status = query.status;
            filter.worker.clone_from(&query.worker);
            filter.error.clone_from(&query.error);
            (filter.limit, filter.offset) = (query.limit, query.offset);
            tasks = ledger.tasks(&filter).await?;
        }
        Ok(TaskList { dead_letters, tasks, has_ledger })
    }

    /// The outcome of one document of a batch, or of one single task of a stage: its rows in the ledger and its dead
    /// letter. Both are empty if it is unknown, or has neither succeeded nor failed yet.
    ///
    /// # Errors
    /// The ledger's and the store's.
    pub async fn task(&self, batch_or_stage: &str, number: u64) -> Result<TaskList> {
        let databases = self.databases().await?;
        let queue = queues(&databases, Some(batch_or_stage)).ok().and_then(|mut all| all.pop());
        let mut dead_letters = Vec::new();
        if queue.is_some() {
            let stage = Some(batch_or_stage.to_owned());
            let query =
                DeadLetterQuery { stage, ids: vec![number], limit: 1, ..Default::default() };
            dead_letters = self.dead_letters(&query).await?;
        }
        let (ledger, mut tasks) = (self.ledger(), Vec::new());
        if let Some(ledger) = &ledger {
            tasks = match ledger.task(batch_or_stage, number).await {
                Err(error) if error.kind() == ErrorKind::Unknown => Vec::new(),
                tasks => tasks?,
            };
            if let Some((_, queue)) = queue {
                let mut filter = TaskFilter::of_batch("");
                (filter.task_type, filter.ordinal) = (Some(queue), Some(number));
                tasks.extend(ledger.tasks(&filter).await?);
            }
        }
        Ok(TaskList { dead_letters, tasks, has_ledger: ledger.is_some() })
    }

    /// Matching dead letters; none if a batch, a worker or another status is asked for.
    async fn letters(&self, query: &TaskQuery) -> Result<Vec<DeadLetter>> {
        let is_dead = query.status.is_none_or(|status| status == LedgerStatus::Dead);
        if query.batch.is_some() || query.worker.is_some() || !is_dead {
            return Ok(Vec::new());
        }
        let wanted = DeadLetterQuery {
            stage: query.stage.clone(),
            error: query.error.clone(),
            limit: query.limit,
            ..DeadLetterQuery::default()
        };
        // Stages of other pipelines have no queue here, but may have rows in the ledger.
        match self.dead_letters(&wanted).await {
            Err(OperationsError::Argument(_)) if !query.dead_letters_only => Ok(Vec::new()),
            letters => letters,
        }
    }

    /// The slowest documents of a batch so far, by the ledger; none where it knows none.
    pub(super) async fn slowest(&self, batch: &str, max: u64) -> Result<Vec<LedgerTask>, Error> {
        let Some(ledger) = self.ledger() else { return Ok(Vec::new()) };
        match ledger.slowest(batch, max).await {
            Err(error) if error.kind() == ErrorKind::Unknown => Ok(Vec::new()),
            slowest => slowest,
        }
    }
}
