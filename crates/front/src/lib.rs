//! A server that speaks Redis's protocol: programs keep their one URL, and each key lives in its named database.
//!
//! Routing and the table of commands are pure functions; sessions and connections to servers use them.

pub mod commands;
pub mod resp;
pub mod route;
