//! A lock's handle: renews the lease while it lives, and tells the moment it is lost.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::lock::{FencingToken, LockAttempt, LockStore};
use crate::{Clock, Error, ErrorKind, Result, SystemClock};

/// How a lock is taken and kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LockOptions {
    /// How long the lock outlives a holder that died; 30 s unless told. Renewed every third of it.
    pub lease: Duration,
    /// How long to wait for a held lock; not at all unless told.
    pub wait: Duration,
    /// The holder's name, for whoever asks; `<pid>` of this process unless told.
    pub owner: String,
    /// The clock that waits and renewals go by; the system's unless told.
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
    /// With another lease.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Waiting this long for a held lock.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Under another name.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = owner.into();
        self
    }

    /// By another clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

/// The longest pause between two attempts of a waiter.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Locks as handles, over any [`LockStore`].
#[async_trait]
pub trait LockStoreExt {
    /// Takes the lock, waiting up to `options.wait`; `None` if somebody still holds it then.
    ///
    /// # Errors
    /// As [`LockStore::try_acquire`].
    async fn lock(&self, key: &str, options: LockOptions) -> Result<Option<LockGuard>>;
}

#[async_trait]
impl LockStoreExt for Arc<dyn LockStore> {
    async fn lock(&self, key: &str, options: LockOptions) -> Result<Option<LockGuard>> {
        let clock = Arc::clone(&options.clock);
        let give_up = clock.now().after(options.wait);
        let mut pause = Duration::from_millis(2);
        loop {
            // The lease counts from before the request: the answer may be slow.
            let asked = clock.now();
            match self.try_acquire(key, &options.owner, options.lease).await? {
                LockAttempt::Acquired(token) => {
                    return Ok(Some(LockGuard::keep(Arc::clone(self), key, token, options, asked)));
                }
                LockAttempt::Held(holder) => {
                    let left = give_up.since(clock.now());
                    if left.is_zero() {
                        return Ok(None);
                    }
                    clock.sleep(pause.min(left).min(holder.remaining.max(pause))).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}

/// A held lock. While it lives, a task renews its lease every third of the lease. Dropping it
/// frees the lock in the background; [`LockGuard::release`] frees it and says whether it was
/// still held.
#[derive(Debug)]
pub struct LockGuard {
    store: Arc<dyn LockStore>,
    key: String,
    token: FencingToken,
    held: watch::Receiver<bool>,
    renewal: JoinHandle<()>,
    released: bool,
}

impl LockGuard {
    fn keep(
        store: Arc<dyn LockStore>,
        key: &str,
        token: FencingToken,
        options: LockOptions,
        since: crate::Timestamp,
    ) -> Self {
        let (lost, held) = watch::channel(true);
        let renewal = tokio::spawn(renew_until_lost(
            Arc::clone(&store),
            key.to_owned(),
            token,
            options,
            since,
            lost,
        ));
        Self { store, key: key.to_owned(), token, held, renewal, released: false }
    }

    /// The token to store beside whatever the lock protects.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.token
    }

    /// Whether the lease is still this handle's, as far as is known.
    #[must_use]
    pub fn is_held(&self) -> bool {
        *self.held.borrow()
    }

    /// Ready the moment the lock is lost: its lease was taken over, or could not be renewed in
    /// time. Never ready while it is held.
    pub async fn lost(&self) {
        let mut held = self.held.clone();
        // An error means that the renewing task ended, which it does only when the lock is lost.
        let _ = held.wait_for(|held| !held).await;
    }

    /// Runs `work` for as long as the lock is held.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] if the lock was lost first; `work` is dropped then.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            result = work => Ok(result),
            () = self.lost() => Err(Error::new(
                ErrorKind::Interrupted,
                "hold lock",
                "the lock was lost while its work ran: another may hold it by now",
            ).at_key(&self.key)),
        }
    }

    /// Frees the lock; whether it was still held.
    ///
    /// # Errors
    /// As [`LockStore::release`]; the lock then ends with its lease.
    pub async fn release(mut self) -> Result<bool> {
        self.released = true;
        self.renewal.abort();
        self.store.release(&self.key, self.token).await
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        self.renewal.abort();
        if self.released || !self.is_held() {
            return;
        }
        // Outside a runtime the lease ends by itself.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (store, key, token) = (Arc::clone(&self.store), self.key.clone(), self.token);
            runtime.spawn(async move {
                if let Err(error) = store.release(&key, token).await {
                    tracing::warn!(%error, "a dropped lock could not be freed and ends with its lease");
                }
            });
        }
    }
}

async fn renew_until_lost(
    store: Arc<dyn LockStore>,
    key: String,
    token: FencingToken,
    options: LockOptions,
    mut renewed: crate::Timestamp,
    lost: watch::Sender<bool>,
) {
    let clock = &options.clock;
    let period = options.lease / 3;
    loop {
        let ends = renewed.after(options.lease);
        let next = renewed.after(period);
        clock.sleep(next.since(clock.now())).await;
        loop {
            let asked = clock.now();
            let left = ends.since(asked);
            // Whatever the store would say, the lease is over by this clock; and a store that
            // does not answer must not keep the signal back.
            let answer = tokio::select! {
                biased;
                answer = store.renew(&key, token, options.lease) => Some(answer),
                () = clock.sleep(left) => None,
            };
            match answer {
                Some(Ok(true)) if clock.now() < ends => {
                    renewed = asked;
                    break;
                }
                Some(Err(error)) if clock.now() < ends => {
                    tracing::warn!(%error, "a lock's lease could not be renewed yet");
                    clock.sleep((period / 4).min(ends.since(clock.now()))).await;
                }
                Some(_) | None => {
                    lost.send_replace(false);
                    return;
                }
            }
        }
    }
}
