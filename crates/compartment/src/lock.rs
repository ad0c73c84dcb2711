//! Locks with a lease and a fencing token: the store behind [`Database::lock`](crate::Database::lock).

pub use compartment_core::{
    FENCE_RETENTION, FencingToken, Holder, LockAttempt, LockGuard, LockOptions, LockStore,
    LockStoreExt,
};
