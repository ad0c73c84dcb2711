//! Tasks of queues: submitted, claimed, failed and dead.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::names::beginning;
use crate::{Contract, DatabaseKind, ErrorKind, Result};

/// The longest name of a queue, group or deduplication key, in bytes.
pub const MAX_QUEUE_NAME: usize = 255;
/// The maximum number of tasks in one claim.
pub const MAX_CLAIM: u32 = 1_000;
/// The error of a task that died because its leases expired; for backends.
pub const LEASES_ENDED_ERROR: &str = "its worker did not renew its lease";
/// The maximum size of an error stored with a task, in bytes.
const MAX_OF_AN_ERROR: usize = 1_024;

/// The id of a task in its queue. Later tasks have greater ids, even across a flush of the database.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct TaskId(u64);

impl TaskId {
    /// The id with this number.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The number; it stays below 2^53.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The priority class of a task: its deadline is its submission plus the slack of its class.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum TaskClass {
    /// A person or program waits for it.
    High,
    /// The default.
    #[default]
    Normal,
    /// It can wait.
    Low,
}

impl TaskClass {
    /// Every class, most urgent first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// How long such a task lets younger tasks of a more urgent class go first.
    #[must_use]
    pub const fn slack(self) -> Duration {
        match self {
            Self::High => Duration::ZERO,
            Self::Normal => Duration::from_secs(60),
            Self::Low => Duration::from_secs(600),
        }
    }

    /// The index in [`TaskClass::ALL`]; for backends.
    #[must_use]
    pub const fn place(self) -> usize {
        match self {
            Self::High => 0,
            Self::Normal => 1,
            Self::Low => 2,
        }
    }
}

/// A task to submit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewTask {
    /// The data for the worker.
    pub payload: Bytes,
    /// The priority class.
    pub class: TaskClass,
    /// The delay before it may be claimed; it counts as submitted after the delay.
    pub delay: Duration,
    /// The group of the task, for example a batch. Groups take turns; `""` is a group too.
    pub group: String,
    /// While a task with this key waits or is claimed, another one with the key is not accepted.
    pub deduplication_key: Option<String>,
}

impl NewTask {
    /// A task of the class normal in the group `""`.
    #[must_use]
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Self {
            payload: payload.into(),
            class: TaskClass::default(),
            delay: Duration::ZERO,
            group: String::new(),
            deduplication_key: None,
        }
    }

    /// Sets the priority class.
    #[must_use]
    pub fn class(mut self, class: TaskClass) -> Self {
        self.class = class;
        self
    }

    /// Sets the delay, with a precision of a millisecond.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets the group.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = group.into();
        self
    }

    /// Sets the deduplication key: the task is not accepted while another with the key waits or is claimed.
    #[must_use]
    pub fn deduplication_key(mut self, deduplication_key: impl Into<String>) -> Self {
        self.deduplication_key = Some(deduplication_key.into());
        self
    }

    /// Checks all tasks and returns their delays in milliseconds; for backends.
    ///
    /// # Errors
    /// As [`NewTask::check`], with the index of the task, from 0.
    pub fn check_all(tasks: &[Self], contract: &Contract, queue: &str) -> Result<Vec<u64>> {
        let place = |(place, task): (usize, &Self)| {
            task.check(contract, queue).map_err(|error| {
                let what = format!("task {place} of {}: {}", tasks.len(), error.message());
                contract.error(error.kind(), "submit task", queue, what)
            })
        };
        tasks.iter().enumerate().map(place).collect()
    }

    /// Checks the task and returns its delay in milliseconds; for backends.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for names that are too long, an empty deduplication key, and a delay above
    /// [`crate::MAX_TTL`].
    pub fn check(&self, contract: &Contract, queue: &str) -> Result<u64> {
        let wrong = |what: String| {
            Err(contract.error(ErrorKind::InvalidArgument, "submit task", queue, what))
        };
        if self.group.len() > MAX_QUEUE_NAME {
            return wrong(format!("the name of a group must have at most {MAX_QUEUE_NAME} bytes"));
        }
        if self.deduplication_key.as_ref().is_some_and(|k| k.is_empty() || k.len() > MAX_QUEUE_NAME)
        {
            return wrong(format!("a deduplication key must have 1 to {MAX_QUEUE_NAME} bytes"));
        }
        if self.delay.is_zero() {
            return Ok(0);
        }
        contract.millis("submit task", queue, self.delay)
    }
}

/// The result of submitting a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Submitted {
    /// Its id, or that of the task that has its deduplication key.
    pub id: TaskId,
    /// Whether it was accepted; `false` if another task has its deduplication key.
    pub is_new: bool,
}

impl Submitted {
    /// The result of submitting; for backends.
    #[must_use]
    pub const fn new(id: TaskId, is_new: bool) -> Self {
        Self { id, is_new }
    }
}

/// What to do with a failed task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// Retry it after this time; zero means at once.
    Retry(Duration),
    /// It is dead.
    Bury,
}

/// The numbers of tasks of a queue by state. Due tasks and expired leases are moved by the next claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueCounts {
    /// Tasks that can be claimed.
    pub waiting: u64,
    /// Submitted or failed tasks that can be claimed later.
    pub delayed: u64,
    /// Claimed tasks, including those with an expired lease that have not been claimed since.
    pub claimed: u64,
    /// Dead tasks.
    pub dead: u64,
    /// Whether claims return nothing.
    pub is_paused: bool,
}

impl QueueCounts {
    /// Counts of a queue; for backends.
    #[must_use]
    pub const fn new(waiting: u64, delayed: u64, claimed: u64, dead: u64, is_paused: bool) -> Self {
        Self { waiting, delayed, claimed, dead, is_paused }
    }
}

/// Checks whether a database may hold the queue; for backends.
///
/// # Errors
/// [`ErrorKind::Contract`] in a database that is not durable; [`ErrorKind::InvalidArgument`] for an
/// empty name or one of more than [`MAX_QUEUE_NAME`] bytes.
pub fn check_queue(contract: &Contract, operation: &'static str, queue: &str) -> Result<()> {
    if contract.kind != DatabaseKind::Durable {
        let what = format!(
            "a queue needs a durable database: a {} database may evict or expire its keys",
            contract.kind
        );
        return Err(contract.error(ErrorKind::Contract, operation, queue, what));
    }
    if queue.is_empty() || queue.len() > MAX_QUEUE_NAME {
        let what = format!("the name of a queue must have 1 to {MAX_QUEUE_NAME} bytes");
        return Err(contract.error(ErrorKind::InvalidArgument, operation, queue, what));
    }
    Ok(())
}

/// The part of an error that is stored with a task: its first kilobyte, cut between characters.
#[must_use]
pub fn shorten_task_error(error: &str) -> &str {
    beginning(error, MAX_OF_AN_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_cut_between_characters() {
        let long = format!("a{}", "é".repeat(1_000));
        assert_eq!(shorten_task_error(&long).len(), 1_023);
        assert_eq!(shorten_task_error("short"), "short");
    }
}
