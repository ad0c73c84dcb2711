//! The stores: one file for each trait, beside the state behind it.

pub(crate) mod batch;
pub(crate) mod batch_event;
pub(crate) mod batch_state;
pub(crate) mod batch_upkeep;
pub(crate) mod channel;
pub(crate) mod counter;
pub(crate) mod hash;
pub(crate) mod hub;
pub(crate) mod key_value;
pub(crate) mod keyspace;
pub(crate) mod lock;
pub(crate) mod queue;
pub(crate) mod queue_state;
pub(crate) mod rate_limit;
pub(crate) mod usage;
pub(crate) mod value;
pub(crate) mod window;
