//! Hands back leased work when its holder is dropped.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use compartment_core::Database;
use compartment_core::backend::Unfinished;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// Work that runs if this is dropped before [`HandBack::settled`]: a lease is handed back or an outcome is reported.
///
/// It runs in the background, counted in the database's [`Unfinished`], for at most the duration of the lease.
pub(crate) struct HandBack {
    work: Option<BoxFuture<'static, ()>>,
    unfinished: Unfinished,
    lease: Duration,
}

impl fmt::Debug for HandBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandBack").field("is_due", &self.work.is_some()).finish_non_exhaustive()
    }
}

impl HandBack {
    /// Runs `work` on drop.
    #[must_use = "it is done at once otherwise"]
    pub(crate) fn on_drop(
        database: &Database,
        lease: Duration,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self { work: Some(work.boxed()), unfinished: database.unfinished().clone(), lease }
    }

    /// Cancels the work: nothing needs to be handed back any more.
    pub(crate) fn settled(mut self) {
        self.work = None;
    }
}

impl Drop for HandBack {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        // Nothing can be sent without a runtime; the lease then expires.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (counted, lease) = (self.unfinished.begin(), self.lease);
        runtime.spawn(async move {
            // After that time the lease has expired, so others can claim the work without this.
            let _ = tokio::time::timeout(lease, work).await;
            drop(counted);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use compartment_core::backend::Backend;
    use compartment_core::{Contract, DatabaseKind};
    use compartment_memory::MemoryBackend;

    use super::*;

    #[tokio::test]
    async fn it_is_done_once_unless_it_is_settled() {
        let contract = Contract::new("batch", DatabaseKind::Durable);
        let database = MemoryBackend::default().open(contract).await.unwrap();
        let done = Arc::<AtomicU32>::default();
        let work = || {
            let done = Arc::clone(&done);
            async move {
                done.fetch_add(1, Ordering::Relaxed);
            }
        };
        let lease = Duration::from_secs(60);
        HandBack::on_drop(&database, lease, work()).settled();
        database.unfinished().done().await;
        assert_eq!(done.load(Ordering::Relaxed), 0);
        drop(HandBack::on_drop(&database, lease, work()));
        assert_eq!(database.unfinished().count(), 1);
        database.unfinished().done().await;
        assert_eq!(done.load(Ordering::Relaxed), 1);
        drop(HandBack::on_drop(&database, Duration::from_millis(1), std::future::pending()));
        database.unfinished().done().await;
    }
}
