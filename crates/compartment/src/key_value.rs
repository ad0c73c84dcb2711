//! Keys and values: the store behind [`Database::key_value`](crate::Database::key_value).

pub use compartment_core::{
    Condition, KeyStream, KeyValueStore, KeyValueStoreExt, SetOptions, Ttl, escape_glob,
};
