//! Named Redis databases with a contract: typed stores over Redis or memory.
//!
//! Each purpose gets a **database** with a name, a placement and a kind, and Compartment enforces the rules of that
//! kind. Code for a server also runs in process, on the memory backend.
//!
//! ```
//! use compartment::key_value::KeyValueStoreExt;
//! use compartment::{DatabaseMap, Preset};
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
//! Calls that are given up, shared by several runtimes, or answered late:
//! [docs/locks-and-limits.md](https://github.com/compartment/compartment/blob/main/docs/locks-and-limits.md).
//!
//! # Modules
//! Names that every program needs are in the root. Each store has a module with its trait and its types:
//! [`key_value`], [`hash`], [`counter`], [`lock`], [`rate_limit`], [`queue`], [`batch`], [`channel`], [`usage`].
//! [`key`], [`clock`] and [`database_map`] have further names for users, and [`backend`] is for authors of backends.
//!
//! # Features
//! - `memory` (default): the backend for `memory://`, and the module `memory_backend`.
//! - `redis`: the backend for `redis://`, `rediss://`, `redis+sentinel://` and `redis+cluster://`, and
//!   the module `redis_backend`.
//! - `cache`: the module `cache`, a typed read-through cache.
//! - `pipeline`: the module `pipeline`; it includes `cache`.
//! - `ledger`: the module `pipeline::ledger`, which keeps every document's outcome in SQLite or PostgreSQL.
//! - `trace`: a span of `tracing` around every store operation and stage, for OpenTelemetry; a task carries its trace.
//! - `zstd`: compresses large values, and reads compressed ones; it compiles C code.
//! - `blocking`: the module `blocking`, the databases without async.
//! - `mock`: the module `mock`, `mockall` mocks of the store traits.

pub mod backend;
pub mod batch;
#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(feature = "cache")]
pub mod cache;
pub mod channel;
pub mod clock;
pub mod counter;
pub mod database_map;
pub mod hash;
pub mod key;
pub mod key_value;
pub mod lock;
#[cfg(feature = "memory")]
pub mod memory_backend;
pub mod metrics;
#[cfg(feature = "mock")]
pub mod mock;
mod open;
#[cfg(feature = "pipeline")]
pub mod pipeline;
pub mod queue;
pub mod rate_limit;
#[cfg(feature = "redis")]
pub mod redis_backend;
pub mod usage;

pub use compartment_core::{
    Contract, Database, DatabaseKind, DatabaseMap, DatabaseMapBuilder, Databases, Error, ErrorKind,
    Expiry, KeyTemplate, Placement, Preset, Result, Retry, TypedKey,
};
pub use open::{open, open_with_clock};

/// Compiles and runs the example of the crate's own README.
#[cfg(all(doctest, feature = "memory"))]
#[doc = include_str!("../README.md")]
struct CrateReadme;
