//! The server's own table of commands, and where a request's keys are.

mod command;
mod flags;
mod keys;
mod kind;
mod older;
mod special;
mod specification;
mod table;

pub use command::Command;
pub use flags::Flags;
pub use keys::{Access, KeyAt, NoKeys};
pub use kind::{Client, Connection, Flush, Keyspace, Kind, Split, Subscribe, Transaction};
pub use special::{copy_database, sort_patterns};
pub use table::{CommandTable, NoTable};

#[cfg(test)]
mod tests;
