//! Queues of tasks: the store behind [`Database::queue`](crate::Database::queue).

pub use compartment_core::{
    AfterFailure, Backoff, Claim, ClaimOptions, ClaimedTask, DeadTask, MAX_CLAIM, MAX_QUEUE_NAME,
    NewTask, Pauses, QueueCounts, QueueStore, QueueStoreExt, Submitted, TaskClass, TaskEnds,
    TaskId,
};
