//! Hashes: the store behind [`Database::hash`](crate::Database::hash).

pub use compartment_core::{HashStore, HashStoreExt, MAX_FIELDS_AT_ONCE};
