//! A mirror that runs until it is stopped, one at a time in a fleet.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use compartment_core::{
    Backoff, Database, LockGuard, LockOptions, LockStoreExt, MonotonicInstant, Result,
};

use super::mirror::PAGE;
use super::{LedgerMirror, Mirrored};

/// The lock that one mirror of a fleet holds.
const LOCK: &str = "compartment:ledger:mirror";
/// For so long a mirror that died keeps the others waiting.
const LEASE: Duration = Duration::from_secs(15);
/// How long a mirror rests that found nothing to bring.
const REST: Duration = Duration::from_millis(500);
/// How long one rests that found little: more is brought together then.
const SHORT_REST: Duration = Duration::from_millis(100);
/// How often figures are added to the metrics.
const PUBLISH_EVERY: Duration = Duration::from_secs(5);
/// How long it waits after the first failure, and at most.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
/// For so long what still waits is brought after it was asked to stop.
const LAST_PASS: Duration = Duration::from_secs(10);

impl LedgerMirror {
    /// Only where no other mirror runs: of those that share `locks`, one does. Two would do no harm; they
    /// would do the same work.
    #[must_use]
    pub fn one_of_a_fleet(mut self, locks: Database) -> Self {
        self.locks = Some(locks);
        self
    }

    /// Writes the waiting entries of every batch until `stop` is ready, then the remaining ones for at
    /// most ten seconds. It waits for an unavailable ledger or database; entries stay in their outboxes
    /// meanwhile.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        let mut stop = pin!(stop);
        let mut pauses = BACKOFF.pauses();
        let (mut lock, mut published) = (None, None::<MonotonicInstant>);
        loop {
            let pass = async {
                if !self.take(&mut lock).await? {
                    return Ok(Mirrored::default());
                }
                let mirrored = self.mirror_all().await?;
                let now = self.clock.monotonic();
                if published.is_none_or(|published| now >= published.after(PUBLISH_EVERY)) {
                    self.publish().await;
                    published = Some(now);
                }
                Ok(mirrored)
            };
            let passed: Result<Mirrored> = tokio::select! {
                biased;
                () = &mut stop => break,
                passed = pass => passed,
            };
            let rest = match passed {
                Ok(mirrored) => {
                    pauses.reset();
                    match mirrored.entries {
                        _ if mirrored.is_nothing() => REST,
                        entries if entries < PAGE as u64 => SHORT_REST,
                        _ => Duration::ZERO,
                    }
                }
                Err(error) => {
                    self.figures.failed(&error);
                    let pause = pauses.next_pause();
                    tracing::warn!(%error, again_after = ?pause, "the ledger is behind");
                    pause
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = self.clock.sleep(rest) => {}
            }
        }
        // Whoever holds the lock may be dead, and two at once do no harm.
        self.end().await;
        if let Some(lock) = lock
            && let Err(error) = lock.release().await
        {
            tracing::debug!(%error, "the mirror's lock ends with its lease");
        }
    }

    async fn end(&self) {
        let last = async {
            while !self.mirror_all().await?.is_nothing() {}
            Result::<()>::Ok(())
        };
        match tokio::time::timeout(LAST_PASS, last).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "rows wait in the outboxes for the next start")
            }
            Err(_) => tracing::warn!("rows wait in the outboxes for the next start"),
        }
        self.publish().await;
    }

    /// Whether this mirror is the one that runs.
    async fn take(&self, lock: &mut Option<LockGuard>) -> Result<bool> {
        let Some(locks) = &self.locks else { return Ok(true) };
        if lock.as_ref().is_none_or(|lock| !lock.is_held()) {
            let options = LockOptions::default().lease(LEASE).clock(self.clock.clone());
            *lock = locks.lock().lock(LOCK, options).await?;
        }
        Ok(lock.is_some())
    }
}
