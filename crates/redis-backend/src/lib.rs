//! The stores on Redis: standalone, Sentinel, Cluster.
//!
//! Each database has separate connections, so that a flood of requests in one never delays another. Concurrent single
//! reads of one database are merged into `MGET`s; a lone read is sent at once. Reads and idempotent writes are
//! retried with back-off after a transient failure, other writes only if it is certain that they were not executed.

mod allowance;
mod allowed_name;
mod attempt;
mod backend;
mod background;
mod batch;
mod batch_answer;
mod batch_event;
mod batch_script;
mod batch_upkeep;
mod budget;
mod budget_watch;
mod candidates;
mod census;
mod channel;
mod claimant;
mod cluster;
mod cluster_slots;
mod config;
mod connector;
mod counter;
mod diagnosis;
mod error;
mod handshake;
mod hash;
mod identity;
mod isolation;
mod key_value;
mod line;
mod link;
mod lock;
mod login;
mod merge;
mod previous;
mod probe;
mod queue;
mod rate_limit;
mod repeat;
mod request_size;
mod requests;
mod scan;
mod script;
mod server;
mod slots;
mod stream;
mod usage;

#[doc(hidden)]
pub use allowed_name::{allowed_name, mark};
pub use backend::RedisBackend;
pub use config::RedisConfig;
#[doc(hidden)]
pub use error::is_hidden;
pub use identity::check_apart;
pub use probe::{ServerInfo, Topology};
#[doc(hidden)]
pub use server::{Connection, Server, answer_error, read_answer};
#[doc(hidden)]
pub use stream::ServerStream;

/// Compiles the README's example, and runs the parts that need no server.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
