//! What every benchmark goes by: turns in slices, statistics, tables, and where it was measured.

pub(crate) mod awake;
pub(crate) mod corpus;
pub(crate) mod host;
pub(crate) mod rounds;
pub(crate) mod section;
pub(crate) mod slice;
pub(crate) mod statistics;
pub(crate) mod steady;
pub(crate) mod table;

/// Any failure of a benchmark ends it: nothing is measured on a client that fails.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;
