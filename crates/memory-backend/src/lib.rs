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
mod batch;
mod batch_event;
mod batch_state;
mod batch_upkeep;
mod channel;
mod config;
mod counter;
mod error;
mod hash;
mod hub;
mod key_value;
mod keyspace;
mod lock;
mod queue;
mod queue_state;
mod rate_limit;
mod steady_time;
mod usage;
mod value;
mod window;

pub use backend::MemoryBackend;
pub use config::MemoryConfig;
pub use value::ENTRY_OVERHEAD;

/// Compiles the README's example, and runs the parts that need no server.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
