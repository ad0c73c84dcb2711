//! The guard of a lock: it renews the lease until it is dropped, and signals the loss of the lock.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::lock::{FencingToken, Holder, LockAttempt, LockStore};
use crate::{Backoff, Clock, Error, ErrorKind, MonotonicInstant, Result, SystemClock};

/// How a lock is acquired and kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LockOptions {
    /// How long the lock outlives a holder that died; default 30 s. It is renewed after every third of this time.
    pub lease: Duration,
    /// How long to wait for a held lock; default zero.
    pub wait: Duration,
    /// The name of the holder, shown to other callers; by default `process <pid>`.
    pub owner: String,
    /// The clock of waits and renewals; by default the system's.
    pub clock: Arc<dyn Clock>,
}

impl Default for LockOptions {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            wait: Duration::ZERO,
            owner: format!("process {}", std::process::id()),
            clock: Arc::new(SystemClock),
        }
    }
}

impl LockOptions {
    /// Sets the lease.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how long to wait for a held lock.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Sets the name of the holder.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = owner.into();
        self
    }

    /// Sets the clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

/// The pauses between two attempts of a waiter.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(2), Duration::from_millis(100));

/// Locks as guards, for any [`LockStore`].
///
/// # Cancellation
/// A call that is dropped at any time leaves no lock held: an attempt in progress is taken back in the background
/// (see [`LockStore`]). So is one that ended with [`ErrorKind::Timeout`] or [`ErrorKind::Interrupted`].
///
/// ```
/// use std::time::Duration;
/// use compartment_core::{Database, LockOptions, LockStoreExt, Result};
///
/// async fn nightly(locks: &Database) -> Result<()> {
///     let options = LockOptions::default().lease(Duration::from_secs(10));
///     let guard = locks.lock().lock_or_fail("nightly", options).await?;
///     guard.run(async { /* work; `guard.token()` goes beside whatever it writes */ }).await?;
///     guard.release().await.map(drop)
/// }
/// ```
#[async_trait]
pub trait LockStoreExt {
    /// Acquires the lock, waiting up to `options.wait`; `None` if it is still held then.
    ///
    /// # Errors
    /// As [`LockStore::try_acquire`]; [`ErrorKind::Timeout`] if `options.wait` is not zero and the store has not
    /// answered within that time plus a tenth of a second.
    async fn lock(&self, key: &str, options: LockOptions) -> Result<Option<LockGuard>>;

    /// Acquires the lock as [`LockStoreExt::lock`] does, and fails if it is still held.
    ///
    /// # Errors
    /// [`ErrorKind::Held`], naming the holder; as [`LockStoreExt::lock`].
    async fn lock_or_fail(&self, key: &str, options: LockOptions) -> Result<LockGuard>;
}

#[async_trait]
impl LockStoreExt for Arc<dyn LockStore> {
    async fn lock(&self, key: &str, options: LockOptions) -> Result<Option<LockGuard>> {
        wait_for(self, key, options).await.map(Result::ok)
    }

    async fn lock_or_fail(&self, key: &str, options: LockOptions) -> Result<LockGuard> {
        let waited = options.wait;
        wait_for(self, key, options).await?.map_err(|holder| {
            let what = format!(
                "{} holds it for {:?} more, after a wait of {waited:?}",
                holder.owner, holder.remaining
            );
            Error::new(ErrorKind::Held, "lock", what).at_key(key)
        })
    }
}

/// The lock, or its holder at the end of the wait.
async fn wait_for(
    store: &Arc<dyn LockStore>,
    key: &str,
    options: LockOptions,
) -> Result<std::result::Result<LockGuard, Holder>> {
    let clock = Arc::clone(&options.clock);
    let began = clock.monotonic();
    let left = || options.wait.saturating_sub(clock.monotonic().since(began));
    let mut pauses = BACKOFF.pauses();
    loop {
        // The lease counts from before the request, because the answer may be slow.
        let asked = clock.monotonic();
        let attempt = store.try_acquire(key, &options.owner, options.lease);
        let attempt = if options.wait.is_zero() {
            attempt.await?
        } else {
            // Even at the end of the wait the store gets some time to answer.
            let limit = left().saturating_add(BACKOFF.longest);
            tokio::select! {
                biased;
                attempt = attempt => attempt?,
                () = clock.sleep(limit) => {
                    store.note_timeout();
                    let what = format!("no answer within {:?}", options.wait);
                    return Err(Error::new(ErrorKind::Timeout, "lock", what).at_key(key));
                }
            }
        };
        match attempt {
            LockAttempt::Acquired(token) => {
                return Ok(Ok(LockGuard::keep(Arc::clone(store), key, token, options, asked)));
            }
            LockAttempt::Held(holder) => {
                let left = left();
                if left.is_zero() {
                    if !options.wait.is_zero() {
                        store.note_timeout();
                    }
                    return Ok(Err(holder));
                }
                let pause = pauses.next_pause();
                clock.sleep(pause.min(left).min(holder.remaining.max(pause))).await;
            }
        }
    }
}

/// A held lock. A task renews its lease every third of the lease. Dropping the guard, on any thread, releases the
/// lock in the background; [`LockGuard::release`] releases it and returns whether it was still held.
///
/// A guard that is dropped at the end of `main` releases its lock only if the process lives long enough: call
/// `release`, or [`crate::Databases::close`].
#[derive(Debug)]
#[must_use = "the lock is freed when its guard is dropped"]
pub struct LockGuard {
    store: Arc<dyn LockStore>,
    key: String,
    token: FencingToken,
    clock: Arc<dyn Clock>,
    /// Until when the lock is held; `None` once it is lost.
    lease: watch::Receiver<Option<MonotonicInstant>>,
    renewal: JoinHandle<()>,
    is_released: bool,
}

impl LockGuard {
    fn keep(
        store: Arc<dyn LockStore>,
        key: &str,
        token: FencingToken,
        options: LockOptions,
        since: MonotonicInstant,
    ) -> Self {
        let clock = Arc::clone(&options.clock);
        let (renewed, lease) = watch::channel(Some(since.after(options.lease)));
        let renewal = tokio::spawn(renew_until_lost(
            Arc::clone(&store),
            key.to_owned(),
            token,
            options,
            since,
            renewed,
        ));
        Self { store, key: key.to_owned(), token, clock, lease, renewal, is_released: false }
    }

    /// The token, to be stored with the data that the lock protects.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.token
    }

    /// Whether this guard still holds the lock, as far as is known. A lease that has expired by the monotonic clock
    /// is over, even if the renewing task has not noticed yet.
    #[must_use]
    pub fn is_held(&self) -> bool {
        // Once the runtime of the renewing task has ended, the lease is not renewed any more and must not be relied
        // on.
        let is_renewed = self.lease.has_changed().is_ok();
        is_renewed && self.lease.borrow().is_some_and(|ends| self.clock.monotonic() < ends)
    }

    /// Resolves when the lock is lost: its lease expired, was taken over, or could not be renewed in time. It never
    /// resolves while the lock is held.
    pub async fn lost(&self) {
        let mut lease = self.lease.clone();
        loop {
            let Some(ends) = *lease.borrow_and_update() else { return };
            let left = ends.since(self.clock.monotonic());
            if left.is_zero() {
                return;
            }
            tokio::select! {
                // An error means that the renewing task has ended, on its own or with its runtime.
                changed = lease.changed() => if changed.is_err() { return },
                () = self.clock.sleep(left) => {}
            }
        }
    }

    /// Runs `work` while the lock is held.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] if the lock was lost first; `work` is then dropped.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            result = work => Ok(result),
            () = self.lost() => Err(Error::new(
                ErrorKind::Interrupted,
                "hold lock",
                "the lock was lost during the work: another process may hold it now",
            ).at_key(&self.key)),
        }
    }

    /// Releases the lock; returns whether it was still held. If this future is dropped before the answer, the lock is
    /// released in the background.
    ///
    /// # Errors
    /// As [`LockStore::release`]; the lock is then released in the background, or ends with its lease.
    pub async fn release(mut self) -> Result<bool> {
        self.renewal.abort();
        let was_held = self.store.release(&self.key, self.token).await?;
        self.is_released = true;
        Ok(was_held)
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        self.renewal.abort();
        // A lease that has expired by this clock may still be valid on a server whose clock is slower.
        if !self.is_released {
            self.store.release_in_background(&self.key, self.token);
        }
    }
}

async fn renew_until_lost(
    store: Arc<dyn LockStore>,
    key: String,
    token: FencingToken,
    options: LockOptions,
    mut renewed: MonotonicInstant,
    lease: watch::Sender<Option<MonotonicInstant>>,
) {
    let clock = &options.clock;
    let period = options.lease / 3;
    loop {
        let ends = renewed.after(options.lease);
        let next = renewed.after(period);
        clock.sleep(next.since(clock.monotonic())).await;
        loop {
            let asked = clock.monotonic();
            let left = ends.since(asked);
            // Independently of the answer, the lease is over by this clock; and a store that does not answer must not
            // delay the signal.
            let answer = tokio::select! {
                biased;
                answer = store.renew(&key, token, options.lease) => Some(answer),
                () = clock.sleep(left) => None,
            };
            match answer {
                Some(Ok(true)) if clock.monotonic() < ends => {
                    renewed = asked;
                    lease.send_replace(Some(renewed.after(options.lease)));
                    break;
                }
                Some(Err(error)) if clock.monotonic() < ends => {
                    tracing::warn!(%error, "the lease of a lock could not be renewed yet");
                    clock.sleep((period / 4).min(ends.since(clock.monotonic()))).await;
                }
                Some(_) | None => {
                    lease.send_replace(None);
                    return;
                }
            }
        }
    }
}
