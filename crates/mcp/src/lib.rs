//! An MCP server for a Redis deployment: figures, findings and documentation to read, and changes by plan.
//!
//! Nothing is changed without the id of a plan that a dry run returned (`compartment_operations::changes`). Names and
//! texts from servers are data: they are in structured fields only, with everything invisible escaped.

mod answer;
mod caller;
mod catalog;
mod http_service;
mod prompts;
mod reports;
mod resources;
mod rights;
mod secrets;
mod server;
mod serving;
mod stdio;
mod tools;

pub use caller::Caller;
pub use http_service::{HttpOptions, HttpService, http_service};
pub use server::McpServer;
pub use stdio::{StdioError, serve_stdio};
