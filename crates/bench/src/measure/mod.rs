//! Shared by the benchmarks: turns in slices, statistics, tables, and facts about the machine.

pub(crate) mod awake;
pub(crate) mod corpus;
pub(crate) mod host;
pub(crate) mod rounds;
pub(crate) mod section;
pub(crate) mod slice;
pub(crate) mod statistics;
pub(crate) mod steady;
pub(crate) mod table;

/// Any failure ends a benchmark, since a failing client must not be measured.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;
