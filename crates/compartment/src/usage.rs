//! The keys and bytes of a database, and the requests of this process: [`Database::usage`](crate::Database::usage) and
//! [`Database::traffic`](crate::Database::traffic).

pub use compartment_core::{TrafficSnapshot, Usage, UsageStore};
