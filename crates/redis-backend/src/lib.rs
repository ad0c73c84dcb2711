//! The stores on Redis: standalone, Sentinel, Cluster.
//!
//! Each database has separate connections, so that a flood of requests in one never delays another. Requests of
//! many tasks to one database leave together; a lone request is sent at once. Reads and idempotent writes are retried
//! with back-off after a transient failure, other writes only if it is certain that they were not executed.

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
mod secrets;
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
pub use server::served_time::ServedTime;
#[doc(hidden)]
pub use server::{Connection, Server, answer_error, read_answer};
#[doc(hidden)]
pub use wire::cluster_slots::{SlotRange, read_slots};
#[doc(hidden)]
pub use wire::key_slot::{SLOTS, key_slot};
#[doc(hidden)]
pub use wire::redirection::Redirection;
#[doc(hidden)]
pub use wire::stream::ServerStream;

/// Compiles the README's example, and runs the parts that need no server.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
