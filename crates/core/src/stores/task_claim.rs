//! Claims of tasks, and the record that a backend stores for them.

use std::time::Duration;

use bytes::Bytes;

use super::batch_plan::MAX_ATTEMPTS;
use super::task::{MAX_CLAIM, TaskClass, TaskId};
use crate::{Contract, ErrorKind, FencingToken, Result, Timestamp};

/// How to claim.
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
    /// `max_tasks` tasks for `lease`, each lost up to fifteen times, as a document of a batch.
    #[must_use]
    pub const fn new(max_tasks: u32, lease: Duration) -> Self {
        Self { max_tasks, lease, max_lost: MAX_ATTEMPTS as u32 }
    }

    /// The lease in milliseconds, once all is found to be allowed: for backends.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for no tasks, more than [`MAX_CLAIM`], no lease to lose, or a lease
    /// of zero or above [`crate::MAX_TTL`].
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
    /// The claim of a task under a token.
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
    /// To be handed back with what became of it.
    pub claim: Claim,
    /// 1 the first time: one more than the attempts that failed.
    pub attempt: u32,
    /// How many leases of it expired before; these claims do not count as attempts.
    pub lost: u32,
    /// Its class.
    pub class: TaskClass,
    /// Its group.
    pub group: String,
    /// When it was submitted, its delay added; the same in every attempt.
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
    /// How often a lease ended over it.
    pub lost: u32,
    /// Its class.
    pub class: TaskClass,
    /// Its group.
    pub group: String,
    /// When it was submitted, its delay added.
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
    /// So many times the lease ended first.
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
    /// The task as it is claimed.
    pub fn claimed(self, claim: Claim, ended: TaskEnds) -> ClaimedTask {
        let Self { class, group, submitted_at, payload } = self;
        let (attempt, lost) = (ended.failed.saturating_add(1), ended.lost);
        ClaimedTask { claim, attempt, lost, class, group, submitted_at, payload }
    }

    /// The task as it is listed once it is dead.
    #[must_use]
    pub fn dead(self, id: TaskId, ended: TaskEnds, died_at: Timestamp, error: String) -> DeadTask {
        let Self { class, group, submitted_at, payload } = self;
        let TaskEnds { failed: attempts, lost } = ended;
        DeadTask { id, attempts, lost, class, group, submitted_at, died_at, error, payload }
    }
}
