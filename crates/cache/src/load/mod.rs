//! Loads: one for each key in the process, under a lease in the fleet.

pub(crate) mod drive;
pub(crate) mod finish;
pub(crate) mod flight;
pub(crate) mod item;
pub(crate) mod lease;
pub(crate) mod steps;
pub(crate) mod waits;
