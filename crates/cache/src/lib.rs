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
//! // The document has changed: whatever was derived from it is gone, in every process.
//! let _ = cache.invalidate_document("7f3a").await;
//! assert!(cache.get(&key).await?.is_none());
//! # Ok(())
//! # }
//! ```
//!
//! # Two tiers
//! Values are decoded once and kept in the process as `Arc`s, bounded by bytes; behind them is the
//! database. Every write and invalidation is told to the other processes over a channel.
//!
//! # How old a value may be
//! What [`Cache::remove`], [`Cache::set`] or an invalidation returned [`Delivery::Delivered`] for
//! is gone at once for reads of this process and for reads that go to the database. The first
//! tier of another process serves the old value until the message has arrived: as long as the
//! network takes. When its connection is lost, it distrusts its first tier as soon as it notices:
//! on Redis at once when the connection breaks, and within the heartbeat (1 s) and the response
//! time-out when it goes silent. From then until it listens again it asks the database, and serves
//! what it loaded without asking for [`CacheOptions::blind_ttl`] at most. What was in the first
//! tier before is not trusted again.
//!
//! # One load
//! Of all callers in a process one loads, as a task of its own; of all processes the one with the
//! lease. The lease stands in the key's own place, and the result replaces exactly that: a loader
//! that died, or that came too late because somebody wrote, removed or invalidated the key, has no
//! place to write to. Waiters in other processes are woken by the channel, else by the lease's end.
//! A loader keeps its lease although one renewal had no answer. When the database does not answer
//! as a lease is taken or as its result is stored, the key is removed as soon as that can be done:
//! nobody waits for the rest of the lease, and the old value beside it goes too.
//!
//! A loader may read other keys through the cache. One that would wait for its own, directly or by
//! way of other loads of the process, is told so ([`LoadError::WaitsForItself`]). Waits that are not
//! known here, in tasks that a loader spawns or across processes, end by
//! [`CachePolicy::hard_timeout`].
//!
//! # When the database is away
//! A request takes [`CacheOptions::database_timeout`] at most, and after a few failures in a row
//! none at all for a moment: the breaker is open. Reads go on with what is in the process, then
//! with the loader. Removals that could not be delivered are kept, and delivered in the background
//! as soon as they can be, and before anything is read from the database again; beyond
//! [`CacheOptions::pending_removals`] everything in the database is invalidated instead. They are
//! kept in the process: `Databases::close` waits for them, and a process that ends without forgets
//! them, and the old value then lives as long as its TTL.
//!
//! # Cancellation
//! Any future of a cache may be dropped at any moment. A removal, an invalidation or a set that was
//! begun is noted in the process before its first request: dropped half-way it is delivered in the
//! background, and a key that was to be set is removed. A reader that is dropped ends no load. A
//! load is a task; should its runtime end, its lease is given back, and callers in other runtimes
//! that waited for it load anew. All of this counts as unfinished work of the database, and outlives
//! the runtime it began in: `Databases::close` takes it up in its own.
//!
//! # Several runtimes
//! A cache may be shared by any number of runtimes that come and go. Reads that wait for each other
//! are driven by whoever waits; where the runtime ends that listened to the other processes, the
//! first tier is distrusted until another listens, which the next read begins. A runtime that stands
//! still, neither running nor ended, holds others up for half a request's time, or for a lease
//! where it was loading. The news that it should hear it hears late.
//!
//! # Clocks
//! Lives in the process, time-outs, pauses and leases go by the monotonic clock. Times in entries
//! are those of the process that wrote them. They tell how old an entry is, and it is kept in the
//! first tier for no longer than this process's own policy says from when it was read; for an entry
//! from the future the database is asked how long it still has to live. So clocks that differ cost
//! loads, and make no value live longer than its TTL. A lease of another clock is waited for no
//! longer than a lease.

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

/// The README's example compiles, and runs where it needs no server.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
