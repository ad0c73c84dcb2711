//! The store traits: for each store a small trait to implement, and an `…Ext` trait of shorthand methods.
//!
//! Every trait is used as `Arc<dyn …>`.

mod backoff;
mod batch;
mod batch_event;
mod batch_facts;
mod batch_plan;
mod batch_settlement;
mod batch_upkeep;
mod channel;
mod counter;
mod hash;
mod key_value;
mod lock;
#[cfg(feature = "tokio")]
mod lock_guard;
mod ordinals;
mod queue;
mod rate_limit;
mod task;
mod task_claim;
mod usage;

pub use backoff::{Backoff, Pauses};
#[cfg(feature = "mock")]
pub use batch::MockBatchStore;
pub use batch::{
    BatchClaim, BatchFailure, BatchProgress, BatchStatus, BatchStore, BatchStoreExt, ClaimRequest,
    ClaimedDocument, FailureStream, Settled, StageProgress,
};
#[cfg(feature = "mock")]
pub use batch_event::MockBatchEventStore;
pub use batch_event::{BatchEvent, BatchEventKind, BatchEventStore};
pub use batch_facts::BatchFacts;
pub use batch_plan::{
    BatchPlan, BatchRefusal, BatchStage, MAX_AT_ONCE, MAX_ATTEMPTS, MAX_BATCH_NAME, MAX_ENTRY,
    MAX_STAGES,
};
pub use batch_settlement::{Outcome, Settlement};
#[cfg(feature = "mock")]
pub use batch_upkeep::MockBatchUpkeepStore;
pub use batch_upkeep::{
    BatchAudit, BatchUpkeepStore, CounterDrift, OutboxEntry, OutboxFact, RestoredFact,
};
#[cfg(feature = "mock")]
pub use channel::MockChannelStore;
pub use channel::{ChannelEvent, ChannelStore, Subscription};
#[cfg(feature = "mock")]
pub use counter::MockCounterStore;
pub use counter::{CounterStore, CounterStoreExt};
#[cfg(feature = "mock")]
pub use hash::MockHashStore;
pub use hash::{HashStore, HashStoreExt};
#[cfg(feature = "mock")]
pub use key_value::MockKeyValueStore;
pub use key_value::{Condition, KeyStream, KeyValueStore, KeyValueStoreExt, SetOptions, Ttl};
#[cfg(feature = "mock")]
pub use lock::MockLockStore;
pub use lock::{FENCE_RETENTION, FencingToken, Holder, LockAttempt, LockStore};
#[cfg(feature = "tokio")]
pub use lock_guard::{LockGuard, LockOptions, LockStoreExt};
pub use ordinals::{ordinals_from_text, ordinals_to_text};
#[cfg(feature = "mock")]
pub use queue::MockQueueStore;
pub use queue::{QueueStore, QueueStoreExt};
#[cfg(feature = "mock")]
pub use rate_limit::MockRateLimitStore;
pub use rate_limit::{RateDecision, RateLimit, RateLimitStore, RateLimitStoreExt};
pub use task::{
    AfterFailure, LEASES_ENDED_ERROR, MAX_CLAIM, MAX_QUEUE_NAME, NewTask, QueueCounts, Submitted,
    TaskClass, TaskId, check_queue, shorten_task_error,
};
pub use task_claim::{Claim, ClaimOptions, ClaimedTask, DeadTask, TaskEnds, TaskRecord};
#[cfg(feature = "mock")]
pub use usage::MockUsageStore;
pub use usage::{Usage, UsageStore};
