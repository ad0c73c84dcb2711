//! Writes many rows in one statement, with the rule by which a row is replaced.

use std::collections::HashSet;
use std::sync::Arc;

use compartment_core::Result;

use super::many::Dialect;
use super::session::{Parameters, Session, Statement};
use super::{Ledger, LedgerStatus, LedgerTask, many};

const COLUMNS: usize = 10;
/// Parameters that rows which are alike share, and those that each has.
const SHARED: usize = 5;
const OWN: usize = 4;
/// The number of rows from which on those that are alike get a statement of their own.
const WORTH_A_STATEMENT: usize = 32;
const LISTED: &str = "task_type, ordinal, document, status, worker, claim_token, retry_count, error, \
                      started, completed";

/// The token of rows without a claim: those of the store itself and of an audit.
pub(super) const NO_TOKEN: i64 = 0;

/// The rule for an existing row. Done stays done. Otherwise a lower token than the row's is refused, because its
/// writer has lost its claim since. Two exceptions: a success in a batch always counts, as its bit does, and so do
/// rows without a claim, which the batch's store wrote.
const RULE: &str = "
ON CONFLICT (batch_id, task_type, ordinal) DO UPDATE SET
    document = COALESCE(excluded.document, processing_tasks.document),
    status = excluded.status,
    worker = excluded.worker,
    claim_token = CASE WHEN excluded.claim_token > processing_tasks.claim_token
        THEN excluded.claim_token ELSE processing_tasks.claim_token END,
    retry_count = CASE WHEN excluded.claim_token = 0
        THEN processing_tasks.retry_count ELSE excluded.retry_count END,
    error = excluded.error,
    started = COALESCE(excluded.started, processing_tasks.started),
    completed = excluded.completed
WHERE processing_tasks.status <> 'done'
    AND (excluded.claim_token >= processing_tasks.claim_token
        OR excluded.claim_token = 0
        OR (excluded.status = 'done' AND excluded.batch_id <> 0))";

/// A row to write.
#[derive(Clone, Debug)]
pub(super) struct TaskWrite {
    pub(super) task_type: Arc<String>,
    pub(super) ordinal: i64,
    pub(super) document: Option<String>,
    pub(super) status: LedgerStatus,
    pub(super) worker: Arc<String>,
    pub(super) token: i64,
    pub(super) retry_count: i64,
    pub(super) error: Option<String>,
    pub(super) started: Option<i64>,
    pub(super) completed: Option<i64>,
}

impl From<&LedgerTask> for TaskWrite {
    fn from(task: &LedgerTask) -> Self {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        Self {
            task_type: clean(&task.task_type).into(),
            ordinal: number(task.ordinal),
            document: task.document.as_deref().map(clean),
            status: task.status,
            worker: clean(&task.worker).into(),
            token: number(task.claim_token),
            retry_count: task.retry_count.into(),
            error: task.error.as_deref().map(clean),
            started: task.started_ms.map(number),
            completed: task.completed_ms.map(number),
        }
    }
}

impl TaskWrite {
    /// Whether the rows differ only in their ordinals, attempts and times, as those of one note do that have no errors.
    /// A row with an error is not even like itself.
    fn is_like(&self, other: &Self) -> bool {
        let has_parts = |task: &Self| {
            task.document.is_some()
                || task.error.is_some()
                || task.started.is_none()
                || task.completed.is_none()
        };
        !has_parts(self)
            && !has_parts(other)
            && (self.token, self.status) == (other.token, other.status)
            && self.task_type == other.task_type
            && self.worker == other.worker
    }
}

/// Text that every SQL database accepts: PostgreSQL rejects a zero character.
pub(super) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Collects rows of one batch, and makes statements of them, which are to be executed in order.
pub(super) struct Writer {
    dialect: Dialect,
    batch_id: i64,
    waiting: Vec<TaskWrite>,
    keys: HashSet<(Arc<String>, i64)>,
    made: Vec<Statement>,
}

impl Writer {
    pub(super) fn new(dialect: Dialect, batch_id: i64) -> Self {
        let (waiting, keys) = (Vec::with_capacity(many::MOST), HashSet::with_capacity(many::MOST));
        Self { dialect, batch_id, waiting, keys, made: Vec::new() }
    }

    /// Takes the statements made so far.
    pub(super) fn take(&mut self) -> Vec<Statement> {
        std::mem::take(&mut self.made)
    }

    pub(super) fn task(&mut self, task: TaskWrite) {
        // A statement cannot change a row twice.
        let is_new = self.keys.insert((Arc::clone(&task.task_type), task.ordinal));
        // Rows that are alike are written with fewer parameters, but a few of them are not worth a statement.
        let ends_run = self.waiting.len() >= WORTH_A_STATEMENT
            && self.waiting.first().is_some_and(|first| !first.is_like(&task));
        if !is_new || ends_run || self.waiting.len() == many::MOST {
            self.flush();
            self.keys.insert((Arc::clone(&task.task_type), task.ordinal));
        }
        self.waiting.push(task);
    }

    /// Records that dead documents will be retried.
    pub(super) fn retried(&mut self, task_type: &Arc<String>, ordinals: &[u32]) {
        self.flush();
        for some in ordinals.chunks(many::MOST) {
            let size = many::size_for(some.len());
            let mut parameters = Parameters::none().with(self.batch_id).with(Arc::clone(task_type));
            for at in 0..size {
                parameters.push(some.get(at).map_or(many::FILLING, |ordinal| i64::from(*ordinal)));
            }
            self.made.push(Statement { sql: retry_of(self.dialect, size), parameters });
        }
    }

    /// Takes the last statements.
    pub(super) fn finish(mut self) -> Vec<Statement> {
        self.flush();
        self.made
    }

    fn flush(&mut self) {
        self.keys.clear();
        if self.waiting.is_empty() {
            return;
        }
        let (dialect, size) = (self.dialect, many::size_for(self.waiting.len()));
        let missing = size - self.waiting.len();
        let parameters = Parameters::none().with(self.batch_id);
        let is_alike = |first: &TaskWrite| self.waiting.iter().all(|task| first.is_like(task));
        let (sql, parameters) = match self.waiting.first() {
            Some(first) if is_alike(first) => {
                (upsert_alike_of(dialect, size), alike(first, &self.waiting, missing, parameters))
            }
            _ => (upsert_of(dialect, size), unlike(&mut self.waiting, missing, parameters)),
        };
        self.waiting.clear();
        self.made.push(Statement { sql, parameters });
    }
}

/// The parameters of rows that are alike, and of fillers.
fn alike(
    first: &TaskWrite,
    tasks: &[TaskWrite],
    missing: usize,
    parameters: Parameters,
) -> Parameters {
    let mut parameters = parameters
        .with(Arc::clone(&first.task_type))
        .with(first.status.name())
        .with(Arc::clone(&first.worker))
        .with(first.token);
    for task in tasks {
        parameters.push(task.ordinal);
        parameters.push(task.retry_count);
        parameters.push(task.started);
        parameters.push(task.completed);
    }
    for _ in 0..missing {
        parameters = parameters.with(many::FILLING).with(0_i64).with(None::<i64>).with(None::<i64>);
    }
    parameters
}

/// The parameters of any rows, and of fillers.
fn unlike(tasks: &mut Vec<TaskWrite>, missing: usize, mut parameters: Parameters) -> Parameters {
    for task in tasks.drain(..) {
        parameters.push(task.task_type);
        parameters.push(task.ordinal);
        parameters.push(task.document);
        parameters.push(task.status.name());
        parameters.push(task.worker);
        parameters.push(task.token);
        parameters.push(task.retry_count);
        parameters.push(task.error);
        parameters.push(task.started);
        parameters.push(task.completed);
    }
    for _ in 0..missing {
        parameters = parameters.with("").with(many::FILLING).with(None::<String>).with("").with("");
        parameters = parameters.with(0_i64).with(0_i64).with(None::<String>);
        parameters = parameters.with(None::<i64>).with(None::<i64>);
    }
    parameters
}

fn upsert_alike_of(dialect: Dialect, size: usize) -> Arc<str> {
    static TEXTS: many::Texts = many::no_texts();
    many::text_of(&TEXTS, dialect, size, || {
        format!(
            "WITH c (id, task_type, status, worker, claim_token) AS (VALUES {}),
v (ordinal, retry_count, started, completed) AS (VALUES {})
INSERT INTO processing_tasks (batch_id, {LISTED})
SELECT c.id, c.task_type, v.ordinal, d.document, c.status, c.worker, c.claim_token, v.retry_count,
    NULL, v.started, v.completed
FROM c CROSS JOIN v LEFT JOIN batch_documents d ON d.batch_id = c.id AND d.ordinal = v.ordinal
WHERE v.ordinal >= 0{RULE}",
            many::rows_of(dialect, 1, SHARED, 1),
            many::rows_of(dialect, size, OWN, 1 + SHARED)
        )
    })
}

fn upsert_of(dialect: Dialect, size: usize) -> Arc<str> {
    static TEXTS: many::Texts = many::no_texts();
    many::text_of(&TEXTS, dialect, size, || {
        let rows = many::rows_of(dialect, size, COLUMNS, 2);
        format!(
            "WITH b (id) AS (VALUES ({})), v ({LISTED}) AS (VALUES {rows})
INSERT INTO processing_tasks (batch_id, {LISTED})
SELECT b.id, v.task_type, v.ordinal, COALESCE(v.document, d.document), v.status, v.worker,
    v.claim_token, v.retry_count, v.error, v.started, v.completed
FROM b CROSS JOIN v LEFT JOIN batch_documents d ON d.batch_id = b.id AND d.ordinal = v.ordinal
WHERE v.ordinal >= 0{RULE}",
            dialect.parameter(1)
        )
    })
}

fn retry_of(dialect: Dialect, size: usize) -> Arc<str> {
    static TEXTS: many::Texts = many::no_texts();
    many::text_of(&TEXTS, dialect, size, || {
        let parameters: Vec<String> = (0..size).map(|at| dialect.parameter(at + 3)).collect();
        format!(
            "UPDATE processing_tasks SET status = 'retried' WHERE batch_id = {} AND task_type = {} \
             AND status = 'dead' AND ordinal IN ({})",
            dialect.parameter(1),
            dialect.parameter(2),
            parameters.join(", ")
        )
    })
}

impl Session<'_> {
    /// Writes some rows of a batch in the open transaction; returns how many were created or changed.
    pub(super) async fn write(
        &mut self,
        batch_id: i64,
        tasks: impl Iterator<Item = TaskWrite> + Send,
    ) -> Result<u64> {
        let mut writer = Writer::new(self.dialect(), batch_id);
        let mut changed = 0;
        for task in tasks {
            writer.task(task);
            changed += self.run(writer.take()).await?;
        }
        Ok(changed + self.run(writer.finish()).await?)
    }
}

impl Ledger {
    /// Writes rows of queues' tasks, ignoring their batch names; returns how many were created or changed. A row with
    /// a lower token than the existing one is refused: its writer has lost the task.
    ///
    /// # Errors
    /// The ledger's; in that case nothing is written.
    pub async fn record_tasks(&self, tasks: &[LedgerTask]) -> Result<u64> {
        let mut session = self.session("record tasks in ledger").await?;
        session.begin().await?;
        let changed = session.write(QUEUES, tasks.iter().map(TaskWrite::from)).await?;
        session.commit().await?;
        Ok(changed)
    }
}

/// The batch id of all queues' tasks.
const QUEUES: i64 = 0;
