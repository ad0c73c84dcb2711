//! The stores in process, on moka: for tests without a server, and for a cache of one program.
//!
//! [`MemoryBackend`] has one keyspace for each numbered database, as a Redis server does, and gives the same answers
//! as the Redis backend: both pass the same suite and are compared operation by operation on random programs.
//!
//! # Expiry
//! Each entry has the moment of its expiry by the injected [clock](MemoryConfig::clock), and every operation checks
//! it. With the system's clock, moka also drops expired entries, so that keys that are never read again do not fill
//! the memory.
//!
//! # Budgets
//! A `cache` database with a `memory_budget` stays within it by evicting the least recently used entries. No other
//! database evicts. A budget applies to a separate keyspace: if databases share one (`shared = true`), or if a
//! database joins a keyspace that is already open without a limit, the budget has no effect, which is logged on
//! opening.

mod backend;
mod config;
mod error;
mod steady_time;
mod stores;

pub use backend::MemoryBackend;
pub use config::MemoryConfig;
pub use stores::value::ENTRY_OVERHEAD;

/// Compiles the README's example, and runs the parts that need no server.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
