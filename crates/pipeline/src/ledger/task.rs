//! A row of the ledger: one stage of one document, or one task of a queue.

use std::fmt;
use std::str::FromStr;

use compartment_core::{Error, ErrorKind, FencingToken, Result, TaskId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::TaskStatus;

/// The status of a task in the ledger. A task without an outcome has no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LedgerStatus {
    /// Done. This is final.
    Done,
    /// The last attempt failed, and the task will be retried.
    Failed,
    /// It failed permanently.
    Dead,
    /// It was dead, and is being retried.
    Retried,
}

impl LedgerStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Done, Self::Failed, Self::Dead, Self::Retried];

    /// The status's name in the ledger.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Dead => "dead",
            Self::Retried => "retried",
        }
    }
}

impl From<TaskStatus> for LedgerStatus {
    fn from(status: TaskStatus) -> Self {
        match status {
            TaskStatus::Done => Self::Done,
            TaskStatus::Failed => Self::Failed,
            TaskStatus::Dead => Self::Dead,
        }
    }
}

impl fmt::Display for LedgerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for LedgerStatus {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            let what = format!("unknown status {name:?}; known: {known}");
            Error::new(ErrorKind::InvalidArgument, "read task status", what)
        })
    }
}

/// A row of `processing_tasks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LedgerTask {
    /// The batch; empty for a task of a queue.
    pub batch: String,
    /// The stage, or the queue.
    pub task_type: String,
    /// The document's number in its batch, or the id of a queue's task.
    pub ordinal: u64,
    /// The submitted entry, if it is text.
    pub document: Option<String>,
    /// The task's status.
    pub status: LedgerStatus,
    /// The last worker.
    pub worker: String,
    /// The token of the claim that wrote the row; 0 for a row without a claim.
    pub claim_token: u64,
    /// Attempts before this one.
    pub retry_count: u32,
    /// The error message.
    pub error: Option<String>,
    /// When the attempt began, in milliseconds since 1970 UTC.
    pub started_ms: Option<u64>,
    /// When the attempt ended, with any outcome.
    pub completed_ms: Option<u64>,
}

impl LedgerTask {
    /// A queue's task whose claim with this token has ended.
    #[must_use]
    pub fn of_queue(
        queue: impl Into<String>,
        task: TaskId,
        status: LedgerStatus,
        token: FencingToken,
    ) -> Self {
        Self {
            batch: String::new(),
            task_type: queue.into(),
            ordinal: task.number(),
            document: None,
            status,
            worker: String::new(),
            claim_token: token.number(),
            retry_count: 0,
            error: None,
            started_ms: None,
            completed_ms: None,
        }
    }

    /// Sets the worker and the number of the attempt, from 1.
    #[must_use]
    pub fn by(mut self, worker: impl Into<String>, attempt: u32) -> Self {
        self.worker = worker.into();
        self.retry_count = attempt.saturating_sub(1);
        self
    }

    /// Sets the document.
    #[must_use]
    pub fn document(mut self, document: impl Into<String>) -> Self {
        self.document = Some(document.into());
        self
    }

    /// Sets the error message.
    #[must_use]
    pub fn error(mut self, error: impl Into<String>) -> Self {
        self.error = Some(error.into());
        self
    }

    /// Sets when the attempt began and ended.
    #[must_use]
    pub fn between(mut self, started: Timestamp, completed: Timestamp) -> Self {
        self.started_ms = Some(started.as_millis());
        self.completed_ms = Some(completed.as_millis());
        self
    }

    /// The duration of the attempt, in milliseconds.
    #[must_use]
    pub fn took_ms(&self) -> Option<u64> {
        Some(self.completed_ms?.saturating_sub(self.started_ms?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_reads_back_by_its_name() {
        for status in LedgerStatus::ALL {
            assert_eq!(status.name().parse::<LedgerStatus>().unwrap(), status);
        }
        let error = "finished".parse::<LedgerStatus>().unwrap_err();
        assert!(error.to_string().contains("done, failed, dead, retried"), "{error}");
    }
}
