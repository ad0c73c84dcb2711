//! Batches of documents and their progress: the stores behind [`Database::batch`](crate::Database::batch),
//! [`Database::batch_upkeep`](crate::Database::batch_upkeep) and
//! [`Database::batch_events`](crate::Database::batch_events).

pub use compartment_core::{
    BatchAudit, BatchClaim, BatchEvent, BatchEventKind, BatchEventStore, BatchFailure, BatchPlan,
    BatchProgress, BatchStage, BatchStatus, BatchStore, BatchStoreExt, BatchUpkeepStore,
    ClaimRequest, ClaimedDocument, CounterDrift, FailureStream, MAX_AT_ONCE, MAX_ATTEMPTS,
    MAX_BATCH_NAME, MAX_ENTRY, MAX_STAGES, OutboxEntry, OutboxFact, Outcome, RestoredFact, Settled,
    Settlement, StageProgress,
};
