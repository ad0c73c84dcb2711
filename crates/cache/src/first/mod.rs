//! The tier in the process.

mod left;
mod name;
mod queues;
mod shards;
mod slots;
pub(crate) mod tier;
pub(crate) mod written;
