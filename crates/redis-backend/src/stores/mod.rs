//! The stores: one file for each trait, beside the parts that several share.

pub(crate) mod batch;
pub(crate) mod batch_answer;
pub(crate) mod batch_audit;
pub(crate) mod batch_event;
pub(crate) mod batch_script;
pub(crate) mod batch_upkeep;
pub(crate) mod channel;
pub(crate) mod claimant;
pub(crate) mod counter;
pub(crate) mod hash;
pub(crate) mod key_value;
pub(crate) mod lock;
mod mailbox;
pub(crate) mod queue;
mod queue_answer;
pub(crate) mod rate_limit;
pub(crate) mod scan;
mod strings;
pub(crate) mod usage;
