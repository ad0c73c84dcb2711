//! The stores on Redis: standalone, Sentinel, Cluster.
//!
//! Each database has connections of its own, so that a flood in one never queues in front of
//! another. Concurrent single reads of one database are merged into `MGET`s; a lone read goes
//! straight out. Reads and idempotent writes are sent again with back-off after a passing
//! failure, other writes only when it is certain that they were not executed.

mod attempt;
mod backend;
mod background;
mod budget;
mod config;
mod error;
mod link;
mod previous;
mod repeat;
mod request_size;
mod requests;
mod script;
mod server;
mod stores;
mod wire;

pub use backend::RedisBackend;
pub use config::RedisConfig;
#[doc(hidden)]
pub use error::is_hidden;
#[doc(hidden)]
pub use server::allowed_name::{allowed_name, mark};
pub use server::identity::check_apart;
pub use server::probe::{ServerInfo, Topology};
#[doc(hidden)]
pub use server::{Connection, Server, answer_error, read_answer};
#[doc(hidden)]
pub use wire::stream::ServerStream;

/// The README's example compiles, and runs where it needs no server.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
