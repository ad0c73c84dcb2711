//! The figures of a cache: counted in the process, added up for the fleet.

pub(crate) mod counters;
pub(crate) mod figures;
pub(crate) mod fleet;
pub(crate) mod prometheus;
pub(crate) mod publication;
pub(crate) mod published;
