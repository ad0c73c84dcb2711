//! A mirror that runs until it is stopped, one at a time in a fleet.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use compartment_core::{
    Backoff, Database, LockGuard, LockOptions, LockStoreExt, MAX_AT_ONCE, MonotonicInstant, Result,
};

use super::mirror::PAGE;
use super::{LedgerMirror, Mirrored};

/// The lock that lets one mirror of a fleet run.
const LOCK: &str = "compartment:ledger:mirror";
/// How long the other mirrors wait after the running one died.
const LEASE: Duration = Duration::from_secs(15);
/// The pause after a pass that found nothing.
const REST: Duration = Duration::from_millis(500);
/// The pause after a pass with few rows, so that the next pass writes more of them together.
const SHORT_REST: Duration = Duration::from_millis(100);
/// Documents and rows of a pass that keep the mirror going without a pause: more of them come soon, and a transaction of
/// so many waits for the disk for a small part of its time.
const MANY: u64 = 8 * MAX_AT_ONCE as u64;
/// How often the counters are published.
const PUBLISH_EVERY: Duration = Duration::from_secs(5);
/// The pause after the first failure, and the longest pause.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
/// How long waiting entries are still written after `stop`.
const LAST_PASS: Duration = Duration::from_secs(10);

impl LedgerMirror {
    /// Runs only while no other mirror that shares `locks` runs. Two at once would do no harm, only the work twice.
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
                        entries if entries >= PAGE as u64 => Duration::ZERO,
                        _ if mirrored.documents + mirrored.rows >= MANY => Duration::ZERO,
                        _ => SHORT_REST,
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
        // The holder of the lock may be dead, and two mirrors at once do no harm.
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

    /// Takes or keeps the lock; `true` if this mirror may run.
    async fn take(&self, lock: &mut Option<LockGuard>) -> Result<bool> {
        let Some(locks) = &self.locks else { return Ok(true) };
        if lock.as_ref().is_none_or(|lock| !lock.is_held()) {
            let options = LockOptions::default().lease(LEASE).clock(self.clock.clone());
            *lock = locks.lock().lock(LOCK, options).await?;
        }
        Ok(lock.is_some())
    }
}
