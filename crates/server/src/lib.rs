//! The page of a deployment, its JSON API, its events and its metrics for Prometheus: `compartment serve`.
//!
//! Who may ask for what is decided in `guard.rs`, before any handler sees a request.

mod agents;
mod api;
mod connections;
mod error;
mod events;
mod guard;
mod openapi;
mod options;
mod page;
mod query;
mod router;
mod security;
mod server;
mod state;
mod timed_stream;

pub use error::ServerError;
pub use options::{ServerOptions, Token};
pub use server::Server;
