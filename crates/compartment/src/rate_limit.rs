//! Rate limits over a sliding window: the store behind [`Database::rate_limit`](crate::Database::rate_limit).

pub use compartment_core::{RateDecision, RateLimit, RateLimitStore, RateLimitStoreExt};
