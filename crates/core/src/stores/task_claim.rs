//! Claims of tasks, and the record that a backend stores for them.

use std::time::Duration;

use bytes::Bytes;

use super::batch_plan::MAX_ATTEMPTS;
use super::task::{MAX_CLAIM, TaskClass, TaskId};
use crate::{Contract, ErrorKind, FencingToken, Result, Timestamp};

/// Options of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimOptions {
    /// The maximum number of tasks, 1 to [`MAX_CLAIM`].
    pub max_tasks: u32,
    /// The lease: after this time without renewal others can claim the tasks.
    pub lease: Duration,
    /// A task is dead after this many expired leases. After a failure that the
    /// worker reports, the worker decides; the two are counted separately.
    pub max_lost: u32,
}

impl ClaimOptions {
    /// Claims up to `max_tasks` tasks for `lease`; a task is dead after fifteen expired leases, as a document of a batch.
    #[must_use]
    pub const fn new(max_tasks: u32, lease: Duration) -> Self {
        Self { max_tasks, lease, max_lost: MAX_ATTEMPTS as u32 }
    }

    /// Checks the options and returns the lease in milliseconds; for backends.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if `max_tasks` is zero or above [`MAX_CLAIM`], if `max_lost` is zero, or if the
    /// lease is zero or above [`crate::MAX_TTL`].
    pub fn check(&self, contract: &Contract, queue: &str) -> Result<u64> {
        if self.max_tasks == 0 || self.max_tasks > MAX_CLAIM || self.max_lost == 0 {
            let what =
                format!("a claim must ask for 1 to {MAX_CLAIM} tasks, with max_lost of at least 1");
            return Err(contract.error(ErrorKind::InvalidArgument, "claim tasks", queue, what));
        }
        contract.millis("claim tasks", queue, self.lease)
    }
}

/// The right to settle a task: its id and the token of one claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The task.
    pub id: TaskId,
    /// Grows with every claim in the queue. Store it with the task's writes, so that writes of a later
    /// owner can be distinguished from those of an earlier one.
    pub token: FencingToken,
}

impl Claim {
    /// A claim on a task with a token.
    #[must_use]
    pub const fn new(id: TaskId, token: FencingToken) -> Self {
        Self { id, token }
    }
}

/// A task that belongs to the caller until its lease expires and another worker claims it.
#[must_use = "a task that is neither completed, failed nor released waits for the end of its lease"]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimedTask {
    /// The claim; pass it to [`crate::QueueStore`] to report the outcome.
    pub claim: Claim,
    /// The number of this attempt, from 1: one more than the failed attempts.
    pub attempt: u32,
    /// How many leases of the task expired before; these claims do not count as attempts.
    pub lost: u32,
    /// Its class.
    pub class: TaskClass,
    /// Its group.
    pub group: String,
    /// When it was submitted, including its delay; equal in every attempt.
    pub submitted_at: Timestamp,
    /// The data of the task.
    pub payload: Bytes,
}

/// A task that will not be claimed again unless it is replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadTask {
    /// Its id.
    pub id: TaskId,
    /// Attempts that failed.
    pub attempts: u32,
    /// How many leases of the task expired.
    pub lost: u32,
    /// Its class.
    pub class: TaskClass,
    /// Its group.
    pub group: String,
    /// When it was submitted, including its delay.
    pub submitted_at: Timestamp,
    /// When it died.
    pub died_at: Timestamp,
    /// The first kilobyte of its error.
    pub error: String,
    /// The data of the task.
    pub payload: Bytes,
}

/// How the claims of a task ended so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a backend has to fill in all of it")]
pub struct TaskEnds {
    /// How often its workers reported a failure.
    pub failed: u32,
    /// How often the lease expired first.
    pub lost: u32,
}

/// The record that a backend stores for a task, without its id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a backend has to fill in all of it")]
pub struct TaskRecord {
    /// Its class.
    pub class: TaskClass,
    /// Its group.
    pub group: String,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// The data of the task.
    pub payload: Bytes,
}

impl TaskRecord {
    /// The task when it is claimed.
    pub fn claimed(self, claim: Claim, ended: TaskEnds) -> ClaimedTask {
        let Self { class, group, submitted_at, payload } = self;
        let (attempt, lost) = (ended.failed.saturating_add(1), ended.lost);
        ClaimedTask { claim, attempt, lost, class, group, submitted_at, payload }
    }

    /// The task when it is listed as dead.
    #[must_use]
    pub fn dead(self, id: TaskId, ended: TaskEnds, died_at: Timestamp, error: String) -> DeadTask {
        let Self { class, group, submitted_at, payload } = self;
        let TaskEnds { failed: attempts, lost } = ended;
        DeadTask { id, attempts, lost, class, group, submitted_at, died_at, error, payload }
    }
}
