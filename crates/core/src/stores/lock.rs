//! Locks: leases with a fencing token.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::Result;

/// A number that grows with every acquisition of a lock. A resource that remembers the greatest token it has seen can
/// reject a holder whose lease expired without its noticing (Kleppmann, "How to do distributed locking", 2016).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken(u64);

impl FencingToken {
    /// A token with this number: for backends, and to restore a stored token.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The number, to be stored with the data that the lock protects. It stays below 2^53, so that programs that use
    /// doubles compare it exactly.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How long the last token of a free lock is remembered (ten minutes), so that tokens grow even if the server's clock
/// is set back by less.
pub const FENCE_RETENTION: Duration = Duration::from_secs(600);

/// The holder of a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The name it chose.
    pub owner: String,
    /// Its token.
    pub token: FencingToken,
    /// The remaining time of its lease.
    pub remaining: Duration,
}

impl Holder {
    /// A holder; for backends.
    #[must_use]
    pub fn new(owner: String, token: FencingToken, remaining: Duration) -> Self {
        Self { owner, token, remaining }
    }
}

/// The answer to an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a lock that was acquired is held until its lease ends or it is released"]
pub enum LockAttempt {
    /// The caller holds the lock until its lease expires.
    Acquired(FencingToken),
    /// Another holder has the lock.
    Held(Holder),
}

/// Locks of one database.
///
/// # Contract
/// - `a_lock_has_one_holder` at a time by the server's clock, among any number of callers.
/// - `tokens_only_grow`, across expiry, release and a flush of the database, and while the clock is set back by less
///   than [`FENCE_RETENTION`]. A token is at least the microseconds since 1970.
/// - `a_lock_is_not_reentrant`: a second attempt of the holder fails as held.
/// - `only_the_token_renews_and_releases`: a late holder cannot change its successor's lock.
/// - `an_expired_lease_cannot_be_renewed`, even if nobody has acquired the lock since.
/// - `a_lock_on_another_type_is_wrong_type`.
///
/// # Cancellation
/// - `a_dropped_attempt_leaves_no_lock`: an attempt whose future is dropped, or that ends with
///   [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) or [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted),
///   is taken back in the background, one round trip after the server answers again. If it is executed later, it
///   acquires nothing.
/// - A dropped renewal or release may or may not have been executed; both can be repeated.
///
/// # Expiry
/// - `a_lock_is_free_when_its_lease_has_passed`. Its token is remembered for [`FENCE_RETENTION`] longer, so the key
///   outlives the lease.
#[async_trait]
pub trait LockStore: fmt::Debug + Send + Sync + 'static {
    /// Tries once to acquire the lock for `lease`, with the name `owner`.
    async fn try_acquire(&self, key: &str, owner: &str, lease: Duration) -> Result<LockAttempt>;

    /// Extends the lease to `lease` from now; `false` if the token no longer holds the lock.
    async fn renew(&self, key: &str, token: FencingToken, lease: Duration) -> Result<bool>;

    /// Releases the lock; `false` if the token no longer held it.
    async fn release(&self, key: &str, token: FencingToken) -> Result<bool>;

    /// Releases the lock without waiting for the answer; [`crate::Databases::close`] waits for it. It works on any
    /// thread, inside and outside of a runtime.
    fn release_in_background(&self, key: &str, token: FencingToken);

    /// The holder, if there is one.
    async fn holder(&self, key: &str) -> Result<Option<Holder>>;

    /// Notes that a caller waited for a lock as long as it wanted to and did not get it, for the database's counters.
    fn note_timeout(&self) {}
}

#[cfg(feature = "mock")]
mockall::mock! {
    #[derive(Debug)]
    /// A mock of [`LockStore`]. It ignores [`LockStore::note_timeout`].
    pub LockStore {}

    #[async_trait]
    impl LockStore for LockStore {
        async fn try_acquire(&self, key: &str, owner: &str, lease: Duration) -> Result<LockAttempt>;
        async fn renew(&self, key: &str, token: FencingToken, lease: Duration) -> Result<bool>;
        async fn release(&self, key: &str, token: FencingToken) -> Result<bool>;
        fn release_in_background(&self, key: &str, token: FencingToken);
        async fn holder(&self, key: &str) -> Result<Option<Holder>>;
    }
}
