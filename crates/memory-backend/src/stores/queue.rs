//! Queues in memory, stored beside the keys of their index and not as keys.

use std::time::Duration;

use async_trait::async_trait;
use compartment_core::backend::{check_queue, shorten_task_error};
use compartment_core::{
    AfterFailure, Claim, ClaimOptions, ClaimedTask, DeadTask, NewTask, QueueCounts, QueueStore,
    Result, Submitted, TaskId, Timestamp,
};

use crate::backend::MemoryStores;
use crate::stores::queue_state::Queue;

impl MemoryStores {
    /// Lets `change` use the queue exclusively, after checking that the database may have queues.
    fn in_queue<T>(
        &self,
        operation: &'static str,
        queue: &str,
        change: impl FnOnce(&mut Queue, Timestamp) -> T,
    ) -> Result<T> {
        check_queue(&self.contract, operation, queue)?;
        Ok(self.keyspace.in_queue(&self.name(queue), change))
    }

    fn each(
        &self,
        operation: &'static str,
        queue: &str,
        claims: &[Claim],
        mut change: impl FnMut(&mut Queue, &Claim, Timestamp) -> bool,
    ) -> Result<Vec<bool>> {
        self.in_queue(operation, queue, |queue, now| {
            claims.iter().map(|claim| change(queue, claim, now)).collect()
        })
    }

    fn count_each(
        &self,
        operation: &'static str,
        queue: &str,
        tasks: &[TaskId],
        change: impl Fn(&mut Queue, TaskId, Timestamp) -> bool,
    ) -> Result<u64> {
        self.in_queue(operation, queue, |queue, now| {
            tasks.iter().filter(|id| change(queue, **id, now)).count() as u64
        })
    }
}

#[async_trait]
impl QueueStore for MemoryStores {
    async fn submit(&self, queue: &str, tasks: Vec<NewTask>) -> Result<Vec<Submitted>> {
        check_queue(&self.contract, "submit task", queue)?;
        let delays = NewTask::check_all(&tasks, &self.contract, queue)?;
        self.traffic.wrote(tasks.len() as u64);
        self.in_queue("submit task", queue, |queue, now| {
            tasks
                .into_iter()
                .zip(delays)
                .map(|(task, delay)| queue.submit(task, delay, now))
                .collect()
        })
    }

    async fn claim(&self, queue: &str, options: ClaimOptions) -> Result<Vec<ClaimedTask>> {
        check_queue(&self.contract, "claim tasks", queue)?;
        let lease = options.check(&self.contract, queue)?;
        self.in_queue("claim tasks", queue, |queue, now| {
            queue.claim(options.max_tasks as usize, lease, options.max_lost, now)
        })
    }

    async fn renew(&self, queue: &str, claims: &[Claim], lease: Duration) -> Result<Vec<bool>> {
        check_queue(&self.contract, "renew claims", queue)?;
        let lease = self.contract.millis("renew claims", queue, lease)?;
        self.each("renew claims", queue, claims, |queue, claim, now| queue.renew(claim, lease, now))
    }

    async fn complete(&self, queue: &str, claims: &[Claim]) -> Result<Vec<bool>> {
        self.each("complete tasks", queue, claims, |queue, claim, _| queue.complete(claim))
    }

    async fn fail(
        &self,
        queue: &str,
        claim: Claim,
        error: &str,
        then: AfterFailure,
    ) -> Result<bool> {
        let pause = match then {
            AfterFailure::Bury => None,
            AfterFailure::Retry(pause) if pause.is_zero() => Some(0),
            AfterFailure::Retry(pause) => Some(self.contract.millis("fail task", queue, pause)?),
        };
        let error = shorten_task_error(error);
        self.in_queue("fail task", queue, |queue, now| queue.fail(&claim, error, pause, now))
    }

    async fn release(&self, queue: &str, claims: &[Claim]) -> Result<Vec<bool>> {
        self.each("release tasks", queue, claims, |queue, claim, _| queue.release(claim))
    }

    async fn dead(&self, queue: &str, skip: u64, max: u32) -> Result<Vec<DeadTask>> {
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        self.in_queue("list dead tasks", queue, |queue, _| queue.dead(skip, max as usize))
    }

    async fn replay(&self, queue: &str, tasks: &[TaskId]) -> Result<u64> {
        self.count_each("replay tasks", queue, tasks, |queue, id, now| queue.replay(id, now))
    }

    async fn discard(&self, queue: &str, tasks: &[TaskId]) -> Result<u64> {
        self.count_each("discard tasks", queue, tasks, |queue, id, _| queue.discard(id))
    }

    async fn purge(&self, queue: &str) -> Result<u64> {
        self.in_queue("purge queue", queue, |queue, _| queue.purge())
    }

    async fn set_paused(&self, queue: &str, is_paused: bool) -> Result<()> {
        self.in_queue("pause queue", queue, |queue, _| queue.set_paused(is_paused))
    }

    async fn counts(&self, queue: &str) -> Result<QueueCounts> {
        self.in_queue("count tasks", queue, |queue, _| queue.count())
    }
}
