//! The tier in the database.

pub(crate) mod breaker;
pub(crate) mod document_limit;
pub(crate) mod envelope;
pub(crate) mod pending_removals;
pub(crate) mod reads;
pub(crate) mod removal;
pub(crate) mod tier;
mod time_limit;
