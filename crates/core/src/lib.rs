//! Store traits and their contracts, the database map, typed keys, errors. No I/O.
//!
//! A **database** has a name, a [placement](Placement) and a [kind](DatabaseKind); its [contract](Contract) is
//! enforced by every write of Compartment. The [`DatabaseMap`] lists the databases, a [`Backend`](backend::Backend)
//! opens them, and [`Databases`] provides them by name.
//!
//! Every store has two traits: a small one that backends implement ([`KeyValueStore`]) and an `…Ext` trait of
//! shorthand methods for users ([`KeyValueStoreExt`]).
//!
//! # Cancellation
//! Any future of a store may be dropped at any moment: in `select!`, by a time-out, with its task. One rule holds
//! everywhere: **a dropped future leaves no resource held that its caller cannot name, and loses nothing that was
//! accepted.** Each store's trait describes the consequences under `# Cancellation`. [`Databases::close`] waits for
//! everything that is handed back or finished in the background.
//!
//! # Time
//! Durations are measured with [`Clock::monotonic`]; the wall clock, [`Clock::now`], is used only for times that are
//! stored or shown.

pub mod backend;
mod clock;
mod codec;
mod compression;
mod contract;
mod database;
mod database_map;
mod databases;
mod decoding;
mod error;
mod glob;
mod key;
mod key_pattern;
mod latencies;
mod merge;
pub mod metrics;
mod names;
mod placement;
mod random;
mod stores;
mod traffic;
mod unfinished;

#[cfg(feature = "tokio")]
pub use clock::SystemClock;
pub use clock::{Clock, ManualClock, MonotonicInstant, Timestamp};
pub use codec::{Codec, Format};
pub use compression::MAX_DECODED_BYTES;
pub use contract::{Contract, DatabaseKind, Expiry, MAX_FIELDS_AT_ONCE, MAX_TTL};
pub use database::Database;
pub use database_map::{
    AlertSettings, Bounds, ByEnvironment, CacheBounds, CacheSettings, DatabaseMap,
    DatabaseMapBuilder, DocumentsSettings, FrontContract, FrontLogin, FrontRoute, FrontSettings,
    FrontTls, FrontUser, HealthSettings, Host, HousekeepingSettings, Instance, InstanceUrl,
    KeyRule, LedgerAddress, LedgerSettings, ModelSettings, OcrServiceSettings, Overridden,
    PolicyRule, Preset, Role, Roles, Scheme, ServiceUrl, TlsFiles, TtlByEnvironment,
    WarmingSettings, Webhook, WorkerSettings,
};
pub use databases::Databases;
pub use decoding::{DecodeLimit, MAX_NESTING};
pub use error::{Error, ErrorKind, Result, Retry, write_causes};
pub use glob::escape_glob;
pub use key::{KeyTemplate, Template, TypedKey};
pub use key_pattern::KeyPattern;
pub use latencies::Latencies;
pub use placement::{Placement, Previous};
pub use stores::{
    AfterFailure, Backoff, BatchAudit, BatchClaim, BatchEvent, BatchEventKind, BatchEventStore,
    BatchFailure, BatchPlan, BatchProgress, BatchStage, BatchStatus, BatchStore, BatchStoreExt,
    BatchUpkeepStore, ChannelEvent, ChannelStore, Claim, ClaimOptions, ClaimRequest,
    ClaimedDocument, ClaimedTask, Condition, CounterDrift, CounterStore, CounterStoreExt, DeadTask,
    FENCE_RETENTION, FailureStream, FencingToken, HashStore, HashStoreExt, Holder, KeyStream,
    KeyValueStore, KeyValueStoreExt, LockAttempt, LockStore, MAX_AT_ONCE, MAX_ATTEMPTS,
    MAX_BATCH_NAME, MAX_CLAIM, MAX_ENTRY, MAX_QUEUE_NAME, MAX_STAGES, NewTask, OutboxEntry,
    OutboxFact, Outcome, Pauses, QueueCounts, QueueStore, QueueStoreExt, RateDecision, RateLimit,
    RateLimitStore, RateLimitStoreExt, RestoredFact, SetOptions, Settled, Settlement,
    StageProgress, Submitted, Subscription, TaskClass, TaskEnds, TaskId, Ttl, Usage, UsageStore,
};
#[cfg(feature = "tokio")]
pub use stores::{LockGuard, LockOptions, LockStoreExt};
#[cfg(feature = "mock")]
pub use stores::{
    MockBatchEventStore, MockBatchStore, MockBatchUpkeepStore, MockChannelStore, MockCounterStore,
    MockHashStore, MockKeyValueStore, MockLockStore, MockQueueStore, MockRateLimitStore,
    MockUsageStore,
};
pub use traffic::TrafficSnapshot;

/// Compiles the README's example, and runs the parts that need no server.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
