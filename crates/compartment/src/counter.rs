//! Counters that many callers add to: the store behind [`Database::counter`](crate::Database::counter).

pub use compartment_core::{CounterStore, CounterStoreExt};
