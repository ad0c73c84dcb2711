//! The stores on moka, in process: for tests without a server, and for a cache of one program.
//!
//! [`MemoryBackend`] keeps one keyspace for each numbered database, as a Redis server does, and
//! gives the same answers as the Redis backend: both pass the same suite and are compared
//! operation by operation on random programs.
//!
//! # Expiry
//! Each entry carries the moment it ends by the [clock](MemoryConfig::clock) that was handed in,
//! and every operation looks at it. With the system's clock, moka also drops what has ended by
//! itself, so that keys nobody reads again do not fill the memory.
//!
//! # Budgets
//! A `cache` database with a `memory_budget` stays within it by evicting what was used least
//! recently. Nothing else is ever evicted. A budget belongs to a keyspace of its own: where
//! databases share one (`shared = true`), or where a database joins a keyspace that is open
//! already without a bound, the budget has no effect and opening says so in the log.

mod backend;
mod config;
mod error;
mod steady_time;
mod stores;

pub use backend::MemoryBackend;
pub use config::MemoryConfig;
pub use stores::value::ENTRY_OVERHEAD;

/// The README's example compiles, and runs where it needs no server.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
