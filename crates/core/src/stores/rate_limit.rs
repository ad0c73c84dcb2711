//! Rate limits: a sliding window of permits.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Clock, Result};

/// At most so many permits within any window of so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateLimit {
    /// Permits within a window.
    pub permits: u32,
    /// The window's length; milliseconds count.
    pub window: Duration,
}

impl RateLimit {
    /// `permits` in any `window`.
    #[must_use]
    pub const fn new(permits: u32, window: Duration) -> Self {
        Self { permits, window }
    }
}

/// The answer of a limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateDecision {
    /// Whether the permits were given.
    pub allowed: bool,
    /// Permits left in the window after this answer.
    pub remaining: u32,
    /// How long until the same request would be allowed, if nobody else asks; zero if it was.
    pub retry_after: Duration,
}

impl RateDecision {
    /// A decision as a backend made it.
    #[must_use]
    pub const fn new(allowed: bool, remaining: u32, retry_after: Duration) -> Self {
        Self { allowed, remaining, retry_after }
    }
}

/// Sliding-window limits of one database: an exact log of the permits given, not an estimate.
/// Time and memory of one key grow with the permits of its window.
///
/// # Contract
/// - `a_window_never_holds_more_than_its_permits`: at no moment, not even across its edge.
/// - `a_permit_comes_back_when_its_window_has_passed`, to the millisecond.
/// - `a_refused_request_takes_nothing`, and says when the same would be allowed.
/// - `more_permits_than_the_limit_is_an_invalid_argument`: it could never be allowed.
/// - `a_limit_on_another_type_is_wrong_type`.
///
/// # Atomicity
/// - `concurrent_requests_never_exceed_the_limit`.
///
/// # Expiry
/// - `a_window_without_permits_is_gone`: its key lives as long as its youngest permit.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait RateLimitStore: fmt::Debug + Send + Sync + 'static {
    /// Asks for `permits` at once; 0 asks only what is left.
    async fn acquire(&self, key: &str, limit: RateLimit, permits: u32) -> Result<RateDecision>;
}

/// Short forms over any [`RateLimitStore`].
#[async_trait]
pub trait RateLimitStoreExt: RateLimitStore {
    /// Waits on `clock` until `permits` are given, at most `wait`; the last decision.
    ///
    /// # Errors
    /// As [`RateLimitStore::acquire`].
    async fn acquire_within(
        &self,
        key: &str,
        limit: RateLimit,
        permits: u32,
        clock: &dyn Clock,
        wait: Duration,
    ) -> Result<RateDecision> {
        let give_up = clock.now().after(wait);
        loop {
            // The answer is about the moment of the question; time may pass before it is here.
            let asked = clock.now();
            let decision = self.acquire(key, limit, permits).await?;
            let again = asked.after(decision.retry_after);
            if decision.allowed || again > give_up {
                return Ok(decision);
            }
            clock.sleep(again.since(clock.now())).await;
        }
    }
}

impl<S: RateLimitStore + ?Sized> RateLimitStoreExt for S {}
