//! Rate limits: a sliding window of permits.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{Either, select};

use crate::{Clock, Error, ErrorKind, Result};

/// A limit of permits within any window of the given length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateLimit {
    /// Permits within a window.
    pub permits: u32,
    /// The window's length, with a precision of a millisecond.
    pub window: Duration,
}

impl RateLimit {
    /// `permits` in any `window`.
    #[must_use]
    pub const fn new(permits: u32, window: Duration) -> Self {
        Self { permits, window }
    }
}

/// The answer of a rate limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "whether the permits were given is in the decision"]
#[non_exhaustive]
pub struct RateDecision {
    /// Whether the permits were granted.
    pub is_allowed: bool,
    /// Permits left in the window after this answer.
    pub remaining: u32,
    /// How long until this request would be allowed if nobody else asks; zero if it was.
    pub retry_after: Duration,
}

impl RateDecision {
    /// A decision; for backends.
    pub const fn new(is_allowed: bool, remaining: u32, retry_after: Duration) -> Self {
        Self { is_allowed, remaining, retry_after }
    }
}

/// Sliding-window limits of one database: an exact log of granted permits, not an estimate.
///
/// Each acquisition is one entry, for any number of permits: about 150 bytes on Redis (by `MEMORY USAGE` of a log of
/// a million), and 24 in memory. The time of an answer grows with the logarithm of the number of entries.
///
/// # Contract
/// - `a_window_never_holds_more_than_its_permits`, at any time, also across the window's edge.
/// - `a_permit_comes_back_when_its_window_has_passed`, to the millisecond.
/// - `a_refused_request_takes_nothing`, and the answer says when it would be allowed.
/// - `more_permits_than_the_limit_is_an_invalid_argument`, because they could never be granted.
/// - `a_limit_on_another_type_is_wrong_type`.
/// - `callers_of_one_key_share_its_log`: each counts all permits within its own window. A caller with another limit
///   or window does not weaken the limit of others.
/// - `no_permit_stays_away_longer_than_its_window`: `retry_after` is at most the window, whatever the server's clock
///   was when the permits were granted. If the clock is set back, the log's time continues from its last value.
///
/// # Atomicity
/// - `concurrent_requests_never_exceed_the_limit`.
///
/// # Cancellation
/// - `a_dropped_request_takes_no_permits`: a request whose future is dropped, or that ends with
///   [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) or [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted),
///   is taken back in the background, one round trip after the server answers again. If there have been more than a
///   thousand acquisitions since, its permits come back with their window.
///
/// # Expiry
/// - `a_window_without_permits_is_gone`: the key lives as long as its youngest permit.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use compartment_core::{Database, RateLimit, RateLimitStoreExt, Result, SystemClock};
///
/// /// At most a hundred calls a minute, over all processes; waits ten seconds for its turn.
/// async fn may_call(limits: &Database) -> Result<bool> {
///     let limit = RateLimit::new(100, Duration::from_secs(60));
///     let (key, wait) = ("rate:openai:embed", Duration::from_secs(10));
///     let decision = limits.rate_limit().acquire_within(key, limit, 1, &SystemClock, wait).await?;
///     Ok(decision.is_allowed)
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait RateLimitStore: fmt::Debug + Send + Sync + 'static {
    /// Requests `permits`; 0 only reads how many are left.
    async fn acquire(&self, key: &str, limit: RateLimit, permits: u32) -> Result<RateDecision>;
}

/// How much longer than the caller's wait the store has for an answer.
const LEAST_PATIENCE: Duration = Duration::from_millis(100);

/// Shorthand methods for any [`RateLimitStore`].
#[async_trait]
pub trait RateLimitStoreExt: RateLimitStore {
    /// Waits on `clock` until `permits` are granted, at most for `wait`; returns the last decision.
    ///
    /// # Errors
    /// As [`RateLimitStore::acquire`]; [`ErrorKind::Timeout`] if `wait` is not zero and the store has not answered
    /// within it plus a tenth of a second.
    async fn acquire_within(
        &self,
        key: &str,
        limit: RateLimit,
        permits: u32,
        clock: &dyn Clock,
        wait: Duration,
    ) -> Result<RateDecision> {
        let give_up = clock.monotonic().after(wait);
        loop {
            // The answer refers to the time of the request; it may arrive later.
            let asked = clock.monotonic();
            let acquire = self.acquire(key, limit, permits);
            let decision = if wait.is_zero() {
                acquire.await?
            } else {
                // Even at the end of the wait the store gets some time to answer.
                let left = give_up.since(asked).saturating_add(LEAST_PATIENCE);
                match select(acquire, clock.sleep(left)).await {
                    Either::Left((decision, _)) => decision?,
                    Either::Right(_) => {
                        let what = format!("no answer within {wait:?}");
                        let error = Error::new(ErrorKind::Timeout, "acquire permits", what);
                        return Err(error.at_key(key));
                    }
                }
            };
            let again = asked.after(decision.retry_after);
            if decision.is_allowed || again > give_up {
                return Ok(decision);
            }
            clock.sleep(again.since(clock.monotonic())).await;
        }
    }
}

impl<S: RateLimitStore + ?Sized> RateLimitStoreExt for S {}
