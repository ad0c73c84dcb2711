//! Cleaning up one database: removing its old keys and its orphans, and shortening the TTL of its keys.

mod age;
mod expire;
mod journal;
mod orphans;
mod refusals;
mod remove;
mod script;

pub use age::AgeBy;
pub use expire::{ExpireOptions, ExpireReport, expire};
pub use orphans::{
    KnownDocuments, LedgerDocuments, OrphanGroup, OrphanKind, OrphanOptions, OrphanReport, orphans,
};
pub use remove::{CleanupOptions, CleanupReport, cleanup};
