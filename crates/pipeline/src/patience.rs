//! Waits for an unavailable server, up to a limit.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use compartment_core::{Backoff, Clock, MonotonicInstant, Result, Retry, SystemClock};

use crate::event::{Event, Observer, Silent};

/// How long a run waits for an unavailable store before it fails. One outage is one wait, however many tasks are
/// affected.
#[derive(Clone)]
pub struct Patience {
    limit: Duration,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    /// When the current outage began.
    away_since: Arc<Mutex<Option<MonotonicInstant>>>,
}

impl std::fmt::Debug for Patience {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Patience").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// The pauses between two attempts. The longest is short: a server that has recovered should be used soon.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

impl Patience {
    /// Waits up to `limit` by `clock`, and reports to `observer`.
    #[must_use]
    pub fn new(limit: Duration, clock: Arc<dyn Clock>, observer: Arc<dyn Observer>) -> Self {
        Self { limit, clock, observer, away_since: Arc::default() }
    }

    /// Waits up to `limit`, without an observer.
    #[must_use]
    pub fn waiting(limit: Duration) -> Self {
        Self::new(limit, Arc::new(SystemClock), Arc::new(Silent))
    }

    /// The clock of the waits.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The limit.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Repeats an **idempotent** request until it succeeds, fails permanently, or the server has been unavailable for
    /// the limit.
    ///
    /// # Errors
    /// The last error of the store.
    pub async fn outlast<T, F: Future<Output = Result<T>>>(
        &self,
        mut request: impl FnMut() -> F,
    ) -> Result<T> {
        let mut pauses = BACKOFF.pauses();
        loop {
            let asked = self.clock.monotonic();
            match request().await {
                Ok(value) => {
                    self.note_answer();
                    return Ok(value);
                }
                Err(error) => {
                    if error.retry() == Retry::Never {
                        return Err(error);
                    }
                    let away = self.note_failure(asked);
                    if away >= self.limit {
                        return Err(error);
                    }
                    self.observer.event(&Event::Waiting { away, limit: self.limit, error: &error });
                    self.clock.sleep(pauses.next_pause().min(self.limit - away)).await;
                }
            }
        }
    }

    /// How long the server has been unavailable, from the start of the first failed request.
    fn note_failure(&self, asked: MonotonicInstant) -> Duration {
        let mut away_since = self.away_since.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *away_since.get_or_insert(asked);
        self.clock.monotonic().since(since)
    }

    fn note_answer(&self) {
        let mut away_since = self.away_since.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = away_since.take() {
            let away = self.clock.monotonic().since(since);
            drop(away_since);
            self.observer.event(&Event::Resumed { away });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use compartment_core::{Error, ErrorKind, ManualClock};
    use std::sync::atomic::{AtomicU32, Ordering};

    fn patience(seconds: u64) -> (Patience, ManualClock) {
        let clock = ManualClock::default();
        let limit = Duration::from_secs(seconds);
        (Patience::new(limit, Arc::new(clock.clone()), Arc::new(Silent)), clock)
    }

    fn away() -> Error {
        Error::new(ErrorKind::Unavailable, "set", "connection refused")
    }

    /// Moves the clock whenever the task under test is waiting for it.
    async fn drive<T>(clock: &ManualClock, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::task::yield_now() => clock.advance(Duration::from_millis(100)),
            }
        }
    }

    #[tokio::test]
    async fn an_outage_shorter_than_the_limit_is_outlasted() {
        let (patience, clock) = patience(60);
        let back_at = clock.now().after(Duration::from_secs(30));
        let request = || async { if clock.now() < back_at { Err(away()) } else { Ok(7) } };
        assert_eq!(drive(&clock, patience.outlast(request)).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_longer_outage_ends_with_the_stores_error() {
        let (patience, clock) = patience(60);
        let start = clock.now();
        let error = drive(&clock, patience.outlast(|| async { Err::<(), _>(away()) })).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Unavailable);
        let waited = clock.now().since(start);
        assert!((60..65).contains(&waited.as_secs()), "{waited:?}");
    }

    #[tokio::test]
    async fn an_error_for_good_is_not_waited_for() {
        let (patience, _clock) = patience(60);
        let asked = AtomicU32::new(0);
        let request = || async {
            asked.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(Error::new(ErrorKind::Authentication, "set", "wrong password"))
        };
        assert!(patience.outlast(request).await.is_err());
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
