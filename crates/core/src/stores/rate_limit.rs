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
#[must_use = "whether the permits were given is in the decision"]
#[non_exhaustive]
pub struct RateDecision {
    /// Whether the permits were given.
    pub is_allowed: bool,
    /// Permits left in the window after this answer.
    pub remaining: u32,
    /// How long until the same request would be allowed, if nobody else asks; zero if it was.
    pub retry_after: Duration,
}

impl RateDecision {
    /// A decision as a backend made it.
    pub const fn new(is_allowed: bool, remaining: u32, retry_after: Duration) -> Self {
        Self { is_allowed, remaining, retry_after }
    }
}

/// Sliding-window limits of one database: an exact log of granted permits, not an estimate.
///
/// Each acquisition is one entry, however many permits it takes: about 150 bytes on Redis (by `MEMORY
/// USAGE` of a log of a million), and 24 in memory. An answer takes time by the logarithm of the
/// number of entries.
///
/// # Contract
/// - `a_window_never_holds_more_than_its_permits`: at no moment, not even across its edge.
/// - `a_permit_comes_back_when_its_window_has_passed`, to the millisecond.
/// - `a_refused_request_takes_nothing`, and says when the same would be allowed.
/// - `more_permits_than_the_limit_is_an_invalid_argument`: it could never be allowed.
/// - `a_limit_on_another_type_is_wrong_type`.
/// - `callers_of_one_key_share_its_log`: each counts what all were given within its own window, so one
///   with another limit or another window loosens nobody's promise.
/// - `no_permit_stays_away_longer_than_its_window`: `retry_after` is at most the window, wherever the
///   server's clock was when the permits were given. When the clock is set back, the log's time goes
///   on from where it was.
///
/// # Atomicity
/// - `concurrent_requests_never_exceed_the_limit`.
///
/// # Cancellation
/// - `a_dropped_request_takes_no_permits`: a request whose future is dropped, or that ends with
///   [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) or
///   [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted), is taken back in the background, one
///   round trip after the server answers again. Where more than a thousand others have acquired
///   since, its permits come back with their window.
///
/// # Expiry
/// - `a_window_without_permits_is_gone`: its key lives as long as its youngest permit.
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
    /// Asks for `permits` at once; 0 asks only what is left.
    async fn acquire(&self, key: &str, limit: RateLimit, permits: u32) -> Result<RateDecision>;
}

/// How much longer than the caller waits the store has for an answer.
const LEAST_PATIENCE: Duration = Duration::from_millis(100);

/// Short forms over any [`RateLimitStore`].
#[async_trait]
pub trait RateLimitStoreExt: RateLimitStore {
    /// Waits on `clock` until `permits` are given, at most `wait`; the last decision.
    ///
    /// # Errors
    /// As [`RateLimitStore::acquire`]; [`ErrorKind::Timeout`] when the store has not answered
    /// within `wait`, if there is one, and a tenth of a second more.
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
            // The answer is about the moment of the question; time may pass before it is here.
            let asked = clock.monotonic();
            let acquire = self.acquire(key, limit, permits);
            let decision = if wait.is_zero() {
                acquire.await?
            } else {
                // A wait that is almost over still gives the store the time to answer.
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
