//! The tier in the process.

pub(crate) mod shards;
pub(crate) mod tier;
pub(crate) mod written;
