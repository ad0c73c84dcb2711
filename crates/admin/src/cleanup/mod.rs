//! Cleaning up one database: removing its old keys, and shortening the TTL of its keys.

mod age;
mod expire;
mod journal;
mod refusals;
mod remove;
mod script;

pub use age::AgeBy;
pub use expire::{ExpireOptions, ExpireReport, expire};
pub use remove::{CleanupOptions, CleanupReport, cleanup};
