//! Queues: tasks that workers claim for a lease; no task is lost.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::{
    AfterFailure, Claim, ClaimOptions, ClaimedTask, DeadTask, NewTask, QueueCounts, Result,
    Submitted, TaskId,
};

/// Dead tasks read in one request.
const PAGE: u32 = 500;

/// Queues of one durable database.
///
/// A task waits, is claimed for a lease, and is done when its claim is completed. It runs at least once: if a worker
/// dies or exceeds its lease, another worker takes over.
///
/// # Contract
/// - `a_task_is_claimed_by_one_worker` at a time, among any number of callers, and is gone once it is completed.
/// - `a_failed_task_comes_back_after_its_pause`, ordered by its first submission and with the number of its attempt;
///   `a_buried_task_is_listed_with_its_error`.
/// - `a_task_whose_leases_end_is_dead_in_the_end`, so that a task that crashes workers cannot do so
///   forever. Expired leases and failed attempts are counted separately.
/// - `a_task_whose_lease_expired_is_claimed_alone`: it may have ended its worker, and then only it dies of that, and
///   not the tasks that were claimed with it.
/// - `only_the_last_claim_counts`: a worker whose task was claimed by another changes nothing, and the answer says
///   so. Until then a worker can complete, renew and hand back even after its lease expired.
/// - `claims_that_are_handed_back_are_no_attempts`.
/// - `tokens_of_claims_only_grow`, and so do ids, over purges and flushes too.
/// - `a_deduplication_key_is_taken_once` until its task is complete or dead.
/// - `a_delayed_task_waits_for_its_time`, and counts as submitted at that time.
/// - `dead_tasks_are_replayed_or_discarded`, and a replayed task counts as submitted at the replay.
/// - `a_replayed_task_takes_its_deduplication_key_again`, and keeps its class and group. If another task has the key
///   by then, it stays dead.
/// - `a_submission_with_a_bad_task_takes_none`, and the error names the task.
/// - `a_purge_leaves_nothing`; `a_paused_queue_hands_out_nothing`.
/// - `queues_belong_in_durable_databases`: other kinds reject them.
///
/// # Order
/// A task's deadline is its submission plus its class's slack ([`crate::TaskClass::slack`]).
/// - `the_earliest_deadline_goes_first` among classes, by the oldest task of each: after that task's deadline, no
///   younger task of another class is claimed before it.
/// - `groups_take_turns` within a class: a claim is divided evenly, and a group that has had its turn goes behind the
///   waiting ones.
/// - `a_large_group_starves_nobody`: between two turns of a group every other group of its class has one. So a task
///   waits for the earlier tasks of its group, for the same number of tasks of each other group, and for more urgent
///   tasks until its deadline.
/// - `a_group_is_first_in_first_out`.
///
/// # Cancellation
/// Any future of this store may be dropped, and any request may end with an error that leaves open whether it was
/// executed ([`crate::ErrorKind::Timeout`], [`crate::ErrorKind::Interrupted`]).
/// - `a_dropped_claim_of_tasks_holds_none` beyond one round trip after the server answers again: its tasks are handed
///   back as by [`QueueStore::release`].
/// - After a dropped [`QueueStore::submit`] the tasks were accepted or not; of more than 1,000 perhaps some. Tasks
///   with deduplication keys can simply be submitted again.
/// - Any other request may be repeated without harm; the second answer then says that it did not count.
///
/// # Atomicity
/// - Each request is atomic for up to 1,000 tasks; a larger one for each 1,000 of them.
///
/// # Expiry
/// - `a_lease_that_has_ended_is_claimed_by_anybody`, during their claims: no process is needed beside the workers.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use compartment_core::{
///     AfterFailure, ClaimOptions, Database, NewTask, QueueStoreExt, Result,
/// };
///
/// async fn work(database: &Database) -> Result<()> {
///     let queue = database.queue();
///     queue.submit_one("mail", NewTask::new("to anna").deduplication_key("mail:anna")).await?;
///     let options = ClaimOptions::new(10, Duration::from_secs(30));
///     for task in queue.claim("mail", options).await? {
///         if task.payload.starts_with(b"to ") {
///             queue.complete("mail", &[task.claim]).await?;
///         } else {
///             queue.fail("mail", task.claim, "no address", AfterFailure::Bury).await?;
///         }
///     }
///     Ok(())
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait QueueStore: fmt::Debug + Send + Sync + 'static {
    /// Submits tasks; returns the result for each, in order.
    async fn submit(&self, queue: &str, tasks: Vec<NewTask>) -> Result<Vec<Submitted>>;

    /// Claims tasks; returns fewer than requested, or none, if no more are waiting.
    async fn claim(&self, queue: &str, options: ClaimOptions) -> Result<Vec<ClaimedTask>>;

    /// Extends leases to `lease` from now; returns for each claim whether it still counts.
    async fn renew(&self, queue: &str, claims: &[Claim], lease: Duration) -> Result<Vec<bool>>;

    /// Completes tasks; returns for each claim whether it still counted.
    ///
    /// A program that takes one task at a time can complete it together with its next [`claim`](Self::claim), with
    /// `tokio::join!`: the two requests then share a round trip.
    async fn complete(&self, queue: &str, claims: &[Claim]) -> Result<Vec<bool>>;

    /// Reports a failed attempt; returns whether the claim still counted.
    async fn fail(
        &self,
        queue: &str,
        claim: Claim,
        error: &str,
        then: AfterFailure,
    ) -> Result<bool>;

    /// Hands tasks back as if they had not been claimed; returns for each claim whether it still counted.
    async fn release(&self, queue: &str, claims: &[Claim]) -> Result<Vec<bool>>;

    /// Up to `max` dead tasks after the first `skip`, in the order of their deaths.
    async fn dead(&self, queue: &str, skip: u64, max: u32) -> Result<Vec<DeadTask>>;

    /// Makes dead tasks ready again, with their attempts reset. Returns how many were replayed: they were dead, and
    /// their deduplication key, if any, was free.
    async fn replay(&self, queue: &str, tasks: &[TaskId]) -> Result<u64>;

    /// Removes dead tasks; returns how many there were.
    async fn discard(&self, queue: &str, tasks: &[TaskId]) -> Result<u64>;

    /// Removes every task, including claimed and dead ones; returns how many there were.
    async fn purge(&self, queue: &str) -> Result<u64>;

    /// Pauses the queue so that claims return nothing, or resumes it.
    async fn set_paused(&self, queue: &str, is_paused: bool) -> Result<()>;

    /// The numbers of tasks by state.
    async fn counts(&self, queue: &str) -> Result<QueueCounts>;
}

/// Shorthand methods for any [`QueueStore`].
#[async_trait]
pub trait QueueStoreExt: QueueStore {
    /// Submits one task.
    ///
    /// # Errors
    /// As [`QueueStore::submit`].
    async fn submit_one(&self, queue: &str, task: NewTask) -> Result<Submitted> {
        let submitted = self.submit(queue, vec![task]).await?;
        Ok(submitted.first().copied().unwrap_or(Submitted::new(TaskId::default(), false)))
    }

    /// Replays dead tasks with this error, or all; returns how many. Tasks that die meanwhile stay dead.
    ///
    /// # Errors
    /// As [`QueueStore::dead`] and [`QueueStore::replay`]; some may have been replayed.
    async fn replay_dead(&self, queue: &str, error: Option<&str>) -> Result<u64> {
        let (mut replayed, mut skip) = (0, 0);
        let mut left = self.counts(queue).await?.dead;
        while left > 0 {
            let page = self.dead(queue, skip, PAGE).await?;
            if page.is_empty() {
                break;
            }
            left = left.saturating_sub(page.len() as u64);
            let is_wanted = |task: &&DeadTask| error.is_none_or(|error| task.error == error);
            let ids: Vec<TaskId> = page.iter().filter(is_wanted).map(|task| task.id).collect();
            let some = self.replay(queue, &ids).await?;
            // Tasks whose key is taken by now stay in the list.
            skip += (page.len() as u64).saturating_sub(some);
            replayed += some;
        }
        Ok(replayed)
    }
}

impl<S: QueueStore + ?Sized> QueueStoreExt for S {}
