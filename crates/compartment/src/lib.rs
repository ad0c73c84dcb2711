//! Named Redis databases with a contract: typed stores over Redis or memory.
//!
//! Each purpose gets a **database** with a name, a place and a kind; Compartment keeps what the
//! kind promises. The same code runs on a server, or in process on the memory backend.
//!
//! ```
//! use compartment::{DatabaseMap, KeyValueStoreExt, Preset};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> compartment::Result<()> {
//! // "redis://127.0.0.1:6379" for a server, with the feature `redis`.
//! let map = DatabaseMap::preset(Preset::Pipeline, "memory://")?;
//! let databases = compartment::open(map).await?;
//!
//! let cache = databases.get("cache")?;
//! cache.key_value().put("greeting", "good morning").await?;
//!
//! let batch = databases.get("batch")?;
//! assert_eq!(batch.key_value().get("greeting").await?, None);
//! # Ok(())
//! # }
//! ```
//!
//! How calls behave that are given up, shared by several runtimes, or answered late:
//! [docs/locks-and-limits.md](https://github.com/compartment/compartment/blob/main/docs/locks-and-limits.md).
//!
//! # Features
//! - `memory` (default): the backend for `memory://`.
//! - `redis`: the backend for `redis://`, `rediss://`, `redis+sentinel://` and `redis+cluster://`.
//! - `cache`: the module [`cache`], a typed read-through cache.
//! - `pipeline`: the module [`pipeline`].
//! - `ledger`: with it, what became of every document, in SQLite or PostgreSQL.
//! - `zstd`: large values are compressed, and compressed ones read; it compiles C.
//! - `blocking`: the module [`blocking`], the same without async.
//! - `mock`: `mockall` mocks of the store traits.

#[cfg(feature = "blocking")]
pub mod blocking;
mod open;

#[cfg(feature = "cache")]
pub use compartment_cache as cache;
pub use compartment_core::*;
#[cfg(feature = "memory")]
pub use compartment_memory as memory;
#[cfg(feature = "pipeline")]
pub use compartment_pipeline as pipeline;
#[cfg(feature = "redis")]
pub use compartment_redis as redis;
pub use open::{open, open_with_clock};

/// The example of the crate's own README compiles and runs.
#[cfg(all(doctest, feature = "memory"))]
#[doc = include_str!("../README.md")]
struct CrateReadme;
