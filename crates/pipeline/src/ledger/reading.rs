//! Queries of the ledger: tasks, counts, failures by error, the slowest documents.

use std::collections::HashSet;

use compartment_core::Result;
use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::session::{LedgerRow, Parameters};
use super::{Ledger, LedgerStatus, LedgerTask};

/// Selects tasks. A task must meet every given condition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskFilter {
    /// Only the newest batch of this name; `""` for tasks of queues.
    pub batch: Option<String>,
    /// Only tasks of this stage, or queue.
    pub task_type: Option<String>,
    /// Only the document with this number in the batch.
    pub ordinal: Option<u64>,
    /// Only tasks with this status.
    pub status: Option<LedgerStatus>,
    /// Only tasks whose last worker was this one.
    pub worker: Option<String>,
    /// Only tasks that are not done and whose error contains this text, ignoring case.
    pub error: Option<String>,
    /// The maximum number of tasks.
    pub limit: u64,
    /// The number of matching tasks to skip.
    pub offset: u64,
}

impl Default for TaskFilter {
    fn default() -> Self {
        Self {
            batch: None,
            task_type: None,
            ordinal: None,
            status: None,
            worker: None,
            error: None,
            limit: 100,
            offset: 0,
        }
    }
}

impl TaskFilter {
    /// Every task of a batch.
    #[must_use]
    pub fn of_batch(batch: impl Into<String>) -> Self {
        Self { batch: Some(batch.into()), ..Self::default() }
    }
}

/// The number of tasks of a stage with one status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TaskCount {
    /// The stage, or the queue.
    pub task_type: String,
    /// Their status.
    pub status: LedgerStatus,
    /// The number of tasks.
    pub tasks: u64,
}

/// Tasks of a stage that failed with the same error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FailureGroup {
    /// The stage, or the queue.
    pub task_type: String,
    /// Whether they are dead or will be retried.
    pub status: LedgerStatus,
    /// The error message.
    pub error: String,
    /// The number of tasks.
    pub tasks: u64,
    /// The lowest document number among them.
    pub first: u64,
}

const COLUMNS: &str = "b.name, t.task_type, t.ordinal, t.document, t.status, t.worker, \
                       t.claim_token, t.retry_count, t.error, t.started, t.completed";

/// Tasks of a stage among which the slowest of less than a second are looked for.
const LOOKED_AT: u64 = 20_000;

impl Ledger {
    /// The selected tasks, by batch, stage and document.
    ///
    /// # Errors
    /// The ledger's; [`compartment_core::ErrorKind::Unknown`] for an unknown batch.
    pub async fn tasks(&self, filter: &TaskFilter) -> Result<Vec<LedgerTask>> {
        let mut conditions = Conditions::default();
        let batch = match filter.batch.as_deref() {
            Some(name) => Some(self.id_of("list tasks", name).await?),
            None => None,
        };
        if let Some(id) = batch {
            conditions.number("t.batch_id =", id);
        }
        if let Some(task_type) = &filter.task_type {
            conditions.text("t.task_type =", task_type, "");
        }
        if let Some(ordinal) = filter.ordinal {
            conditions.number("t.ordinal =", i64::try_from(ordinal).unwrap_or(i64::MAX));
            if let (Some(id), None) = (batch, &filter.task_type) {
                conditions.text.push_str(&format!(" AND t.task_type IN ({})", stages_of(id)));
            }
        }
        if let Some(status) = filter.status {
            conditions.text("t.status =", status.name(), "");
        }
        if let Some(worker) = &filter.worker {
            conditions.text("t.worker =", worker, "");
        }
        if let Some(error) = &filter.error {
            let error = error.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            let error = format!("%{}%", error.to_lowercase());
            conditions.text("LOWER(t.error) LIKE", &error, " ESCAPE '\\'");
        }
        // Tasks that are not done are few, and have an index of their own, which SQLite does not choose by itself.
        let is_troubled = filter.error.is_some()
            || filter.status.is_some_and(|status| status != LedgerStatus::Done);
        let mut index = "";
        if is_troubled {
            conditions.text.push_str(" AND t.status <> 'done'");
        }
        if is_troubled && filter.ordinal.is_none() && self.is_sqlite() {
            index = " INDEXED BY processing_tasks_troubled";
        }
        let (limit, offset) = (conditions.parameter(1), conditions.parameter(2));
        let sql = format!(
            "SELECT {COLUMNS} FROM processing_tasks t{index} JOIN batches b ON b.id = t.batch_id{} \
             ORDER BY t.batch_id, t.task_type, t.ordinal LIMIT ${limit} OFFSET ${offset}",
            conditions.text,
        );
        let parameters = conditions.parameters.number(filter.limit).number(filter.offset);
        let mut session = self.session("list tasks").await?;
        let rows = session.rows(AssertSqlSafe(sql), parameters).await?;
        rows.iter().map(read_task).collect()
    }

    /// The outcome of one document, stage by stage in the order of their names.
    ///
    /// # Errors
    /// As [`Ledger::tasks`].
    pub async fn task(&self, batch: &str, ordinal: u64) -> Result<Vec<LedgerTask>> {
        let filter = TaskFilter { ordinal: Some(ordinal), ..TaskFilter::of_batch(batch) };
        self.tasks(&filter).await
    }

    /// The numbers of tasks of a batch, by stage and status.
    ///
    /// # Errors
    /// As [`Ledger::tasks`].
    pub async fn counts(&self, batch: &str) -> Result<Vec<TaskCount>> {
        let id = self.id_of("count tasks", batch).await?;
        let sql = "SELECT task_type, status, COUNT(*) FROM processing_tasks WHERE batch_id = $1 \
                   GROUP BY task_type, status ORDER BY task_type, status";
        let mut session = self.session("count tasks").await?;
        let rows = session.rows(sql, Parameters::none().with(id)).await?;
        let read = |row: &LedgerRow| {
            let (task_type, status) = (row.text(0)?, row.text(1)?.parse()?);
            Ok(TaskCount { task_type, status, tasks: row.number(2)? })
        };
        rows.iter().map(read).collect()
    }

    /// The errors of a batch, most frequent first, at most `max` of them.
    ///
    /// # Errors
    /// As [`Ledger::tasks`].
    pub async fn failures(&self, batch: &str, max: u64) -> Result<Vec<FailureGroup>> {
        let id = self.id_of("group failures", batch).await?;
        let sql = "SELECT task_type, status, COALESCE(error, ''), COUNT(*), MIN(ordinal) \
                   FROM processing_tasks \
                   WHERE batch_id = $1 AND status <> 'done' AND status IN ('dead', 'failed') \
                   GROUP BY task_type, status, error ORDER BY 4 DESC, 1, 3 LIMIT $2";
        let mut session = self.session("group failures").await?;
        let rows = session.rows(sql, Parameters::none().with(id).number(max)).await?;
        let read = |row: &LedgerRow| {
            Ok(FailureGroup {
                task_type: row.text(0)?,
                status: row.text(1)?.parse()?,
                error: row.text(2)?,
                tasks: row.number(3)?,
                first: row.number(4)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// The tasks of a batch that took longest. Those of a second and more are found among all; if they are fewer than
    /// `max`, the others are the longest of the first 20,000 tasks of each stage.
    ///
    /// # Errors
    /// As [`Ledger::tasks`].
    pub async fn slowest(&self, batch: &str, max: u64) -> Result<Vec<LedgerTask>> {
        let id = self.id_of("find slowest tasks", batch).await?;
        let mut session = self.session("find slowest tasks").await?;
        let longest = |tasks: &str, took: &str, left: u64| {
            let sql = format!(
                "SELECT {COLUMNS} FROM ({tasks}) t JOIN batches b ON b.id = t.batch_id \
                 WHERE t.batch_id = $1 AND t.completed - t.started {took} \
                 ORDER BY t.completed - t.started DESC, t.ordinal LIMIT $2"
            );
            (AssertSqlSafe(sql), Parameters::none().with(id).number(left))
        };
        // The index holds tasks of a second and more.
        let (sql, parameters) = longest("SELECT * FROM processing_tasks", ">= 1000", max);
        let rows = session.rows(sql, parameters).await?;
        let mut found = rows.iter().map(read_task).collect::<Result<Vec<_>>>()?;
        let left = max.saturating_sub(found.len() as u64);
        if left == 0 {
            return Ok(found);
        }
        let mut shorter = Vec::new();
        for stage in session.rows(AssertSqlSafe(stages_of(id)), Parameters::none()).await? {
            let first = format!(
                "SELECT * FROM processing_tasks WHERE batch_id = $1 AND task_type = $3 \
                 ORDER BY ordinal LIMIT {LOOKED_AT}"
            );
            let (sql, parameters) = longest(&first, "< 1000", left);
            for row in session.rows(sql, parameters.with(stage.text(0)?)).await? {
                shorter.push(read_task(&row)?);
            }
        }
        // A task may have been written again in between.
        let known = |task: &LedgerTask| (task.task_type.clone(), task.ordinal);
        let longer: HashSet<_> = found.iter().map(known).collect();
        shorter.retain(|task| !longer.contains(&known(task)));
        shorter.sort_by_key(|task| (std::cmp::Reverse(task.took_ms()), task.ordinal));
        found.extend(shorter.into_iter().take(left as usize));
        Ok(found)
    }

    async fn id_of(&self, operation: &'static str, batch: &str) -> Result<i64> {
        if batch.is_empty() {
            return Ok(0);
        }
        Ok(self.known(operation, batch).await?.id)
    }
}

/// `WHERE … AND …`, with the compared values as parameters.
#[derive(Default)]
struct Conditions {
    text: String,
    parameters: Parameters,
    count: usize,
}

impl Conditions {
    /// The number of the parameter `behind` positions after the last one bound.
    fn parameter(&self, behind: usize) -> usize {
        self.count + behind
    }

    fn begin(&mut self, comparison: &str, end: &str) {
        self.count += 1;
        let word = if self.count == 1 { "WHERE" } else { "AND" };
        self.text.push_str(&format!(" {word} {comparison} ${}{end}", self.count));
    }

    fn number(&mut self, comparison: &str, value: i64) {
        self.begin(comparison, "");
        self.parameters.push(value);
    }

    fn text(&mut self, comparison: &str, value: &str, end: &str) {
        self.begin(comparison, end);
        self.parameters.push(value.to_owned());
    }
}

/// A query of a batch's stages that reads one row of each: tasks are found by batch, stage and number.
fn stages_of(batch: i64) -> String {
    let least = |more: &str| {
        format!("SELECT MIN(task_type) FROM processing_tasks WHERE batch_id = {batch}{more}")
    };
    format!(
        "WITH RECURSIVE stages(name) AS ({} UNION ALL \
         SELECT ({}) FROM stages WHERE stages.name IS NOT NULL) \
         SELECT name FROM stages WHERE name IS NOT NULL",
        least(""),
        least(" AND task_type > stages.name")
    )
}

fn read_task(row: &LedgerRow) -> Result<LedgerTask> {
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    Ok(LedgerTask {
        batch: row.text(0)?,
        task_type: row.text(1)?,
        ordinal: row.number(2)?,
        document: row.get(3)?,
        status: row.text(4)?.parse()?,
        worker: row.text(5)?,
        claim_token: row.number(6)?,
        retry_count: u32::try_from(row.get::<i64>(7)?).unwrap_or(0),
        error: row.get(8)?,
        started_ms: row.get::<Option<i64>>(9)?.map(number),
        completed_ms: row.get::<Option<i64>>(10)?.map(number),
    })
}
