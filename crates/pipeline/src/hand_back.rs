//! Hands back leased work when its holder is dropped.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use compartment_core::Database;
use compartment_core::backend::Unfinished;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// Work that is done if this is dropped before it is told that it need not be: a lease handed back, or an
/// outcome told.
///
/// It goes on in the background, counted in the database's [`Unfinished`], for as long as the lease may last.
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
    /// Does `work` when it is dropped.
    #[must_use = "it is done at once otherwise"]
    pub(crate) fn on_drop(
        database: &Database,
        lease: Duration,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self { work: Some(work.boxed()), unfinished: database.unfinished().clone(), lease }
    }

    /// There is nothing to hand back any more.
    pub(crate) fn settled(mut self) {
        self.work = None;
    }
}

impl Drop for HandBack {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        // Without a runtime nothing can be sent; then the lease ends by itself.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (counted, lease) = (self.unfinished.begin(), self.lease);
        runtime.spawn(async move {
            // What is not handed back by then is others' anyway.
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
