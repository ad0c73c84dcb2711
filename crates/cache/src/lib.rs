//! A typed read-through cache over any backend: two tiers, one load for the fleet, staleness.
//!
//! ```
//! use std::time::Duration;
//!
//! use compartment_cache::{Cache, CacheOptions, CachePolicy};
//! use compartment_core::{Backend, Contract, DatabaseKind, KeyTemplate};
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
//!
//! # When the database is away
//! A request takes [`CacheOptions::database_timeout`] at most, and after a few failures in a row
//! none at all for a moment: the breaker is open. Reads go on with what is in the process, then
//! with the loader. Removals that could not be delivered are kept and delivered before anything is
//! read from the database again; beyond [`CacheOptions::pending_removals`] everything in the
//! database is invalidated instead. They are kept in the process: one that ends meanwhile forgets
//! them, and the old value then lives as long as its TTL.
//!
//! # Clocks
//! Times in entries are those of the process that wrote them. Clocks that differ make an entry
//! that much older or younger, and a lease that much shorter or longer, which costs a load and
//! overwrites nothing.

mod breaker;
mod cache;
mod document_limit;
mod drive;
mod envelope;
mod error;
mod figures;
mod first_tier;
mod fleet_metrics;
mod flight;
mod inner;
mod lease;
mod life;
mod load;
mod look;
mod many;
mod message;
mod metrics;
mod options;
mod pending_removals;
mod policy;
mod prometheus;
mod publication;
mod read_through;
mod reads;
mod removal;
mod second_tier;
mod settings;
mod shards;
mod stamps;
mod unique;
mod waits;
mod warm;
mod write;

pub use breaker::BreakerState;
pub use cache::{Cache, Cached, Delivery, Lookup, Stored};
pub use error::{BoxError, LoadError, Shared};
pub use figures::{CacheMetrics, TemplateMetrics};
pub use fleet_metrics::FleetMetrics;
pub use load::Loaded;
pub use options::{CacheOptions, StartUp};
pub use policy::CachePolicy;
pub use publication::ProcessMetrics;
pub use warm::{WarmOptions, WarmReport};
