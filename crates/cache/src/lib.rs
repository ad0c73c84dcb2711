//! A typed read-through cache over any backend: two tiers, one load for the fleet, staleness.
//!
//! ```
//! use std::time::Duration;
//!
//! use compartment_cache::{Cache, CacheOptions, CachePolicy};
//! use compartment_core::backend::Backend;
//! use compartment_core::{Contract, DatabaseKind, KeyTemplate};
//!
//! const SUMMARY: KeyTemplate<String> =
//!     KeyTemplate::new("summary", "doc:summary:{document_uuid}", "cache");
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let backend = compartment_memory::MemoryBackend::default();
//! let database = backend.open(Contract::new("cache", DatabaseKind::Cache)).await?;
//! let policy = CachePolicy::default()
//!     .ttl(Duration::from_secs(3 * 86_400))
//!     .stale_on_error(Duration::from_secs(86_400));
//! let cache = Cache::open(&database, CacheOptions::default().policy(policy)).await?;
//!
//! let key = SUMMARY.key(&["7f3a"])?;
//! let of_document = cache.of_document("7f3a");
//! let summary = of_document
//!     .get_or_load(&key, || async { Ok::<_, std::io::Error>("what the court held".to_owned()) })
//!     .await?;
//! assert_eq!(*summary, "what the court held");
//!
//! // The document has changed: all values derived from it are gone, in every process.
//! let _ = cache.invalidate_document("7f3a").await;
//! assert!(cache.get(&key).await?.is_none());
//! # Ok(())
//! # }
//! ```
//!
//! # Two tiers
//! Values are decoded once and kept in the process as `Arc`s, bounded by bytes; the second tier is the database.
//! Every write and invalidation is announced to the other processes over a channel.
//!
//! # How old a value may be
//! After [`Cache::remove`], [`Cache::set`] or an invalidation returned [`Delivery::Delivered`], the old value is gone
//! at once for reads of this process and for reads that go to the database. The first tier of another process serves
//! it until the message arrives, that is for the network's delay. When its connection is lost, a process distrusts
//! its first tier as soon as it notices: on Redis at once if the connection breaks, and within the heartbeat (1 s)
//! and the response time-out if the server goes silent. From then until it listens again, it asks the database, and
//! serves values that it loaded without asking for at most [`CacheOptions::blind_ttl`]. Values that were in the first
//! tier before are not trusted again.
//!
//! # One load
//! Among all callers in a process one loads, in a separate task; among all processes, the one with the lease. The
//! lease is stored under the key itself, and the result replaces exactly these bytes. So a loader that died, or that
//! finished after another caller wrote, removed or invalidated the key, cannot store its result. Waiters in other
//! processes are woken by the channel, or else when the lease ends. A loader keeps its lease even if one renewal gets
//! no answer. If the database does not answer while a lease is taken or a result is stored, the key is removed as
//! soon as possible: nobody waits for the rest of the lease, and the old value beside it is removed too.
//!
//! A loader may read other keys through the cache. If it would wait for its own load, directly or through other loads
//! of the process, it gets [`LoadError::WaitsForItself`]. Waits that the process does not know, in tasks that a
//! loader spawns or across processes, end with [`CachePolicy::hard_timeout`].
//!
//! # When the database is unavailable
//! A request takes at most [`CacheOptions::database_timeout`]. After a few failures in a row the breaker opens, and
//! for a moment no requests are made. Reads use the first tier, then the loader. Undelivered removals are kept and
//! delivered in the background as soon as possible, and before anything is read from the database again. If there are
//! more than [`CacheOptions::pending_removals`], everything in the database is invalidated instead. They are kept in
//! the process: `Databases::close` waits for them. If a process ends without closing, they are lost, and the old
//! value lives until its TTL ends.
//!
//! # Cancellation
//! Any future of a cache may be dropped at any moment. A removal, an invalidation or a set is recorded in the process
//! before its first request: if it is dropped half-way, it is delivered in the background, and a key that was being
//! set is removed. Dropping a reader does not end a load. A load is a task; if its runtime ends, its lease is
//! released, and waiting callers in other runtimes load again. All of this counts as unfinished work of the database
//! and outlives the runtime it began in: `Databases::close` finishes it in its own.
//!
//! # Several runtimes
//! A cache may be shared by any number of runtimes that come and go. Reads that wait for each other are driven by any
//! of the waiters. If the runtime that listened to the other processes ends, the first tier is distrusted until
//! another one listens, which the next read starts. A runtime that is blocked, neither running nor ended, delays
//! others by half a request's time, or by a lease if it was loading. It receives messages late.
//!
//! # Clocks
//! Lifetimes in the process, time-outs, pauses and leases use the monotonic clock. Times in entries come from the
//! wall clock of the process that wrote them. They give an entry's age; the first tier keeps the entry no longer than
//! this process's own policy allows, counted from the read. For an entry from the future, the database is asked for
//! its remaining TTL. Different clocks therefore cost loads, and never extend a value's life beyond its TTL. A lease
//! written by another clock is waited for no longer than one lease.

mod cache;
mod error;
mod first;
mod inner;
mod life;
mod listening;
mod load;
mod look;
mod many;
mod message;
mod metrics;
mod options;
mod policy;
mod read_through;
mod second;
mod settings;
mod stamps;
mod unique;
mod warm;
mod write;

pub use cache::{Cache, Cached, Delivery, Lookup, Stored};
pub use error::{BoxError, LoadError, SharedError};
pub use load::item::Loaded;
pub use metrics::figures::{CacheMetrics, TemplateMetrics};
pub use metrics::fleet::FleetMetrics;
pub use metrics::publication::ProcessMetrics;
pub use options::CacheOptions;
pub use policy::CachePolicy;
pub use second::breaker::BreakerState;
pub use warm::{WarmOptions, WarmReport};

/// Compiles the README's example, and runs the parts that need no server.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
