//! Receives the messages of other processes while the cache is used.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use compartment_core::{ChannelEvent, Subscription};
use futures_util::StreamExt;

use crate::inner::{CHANNEL, Inner};
use crate::metrics::publication;
use crate::second::removal::BACKOFF;

impl Inner {
    /// Starts listening. When this returns, messages arrive or the first tier is distrusted.
    pub(crate) async fn listen(self: &Arc<Self>) {
        self.listens.store(true, Ordering::Release);
        let listening = Listening(Arc::downgrade(self));
        let first = self.call(self.database.channel().subscribe(CHANNEL)).await.ok();
        if first.is_some() {
            self.first.trust();
        }
        self.listen_beside(listening, first);
    }

    /// Starts listening again if the listening runtime has ended. It is cheap; call it before the database is asked.
    pub(crate) fn keep_listening(self: &Arc<Self>) {
        if !self.options.enabled || self.listens.load(Ordering::Acquire) {
            return;
        }
        if !self.listens.swap(true, Ordering::AcqRel) {
            self.listen_beside(Listening(Arc::downgrade(self)), None);
            // Publishing ended with the same runtime.
            publication::start(self);
        }
    }

    fn listen_beside(self: &Arc<Self>, listening: Listening, first: Option<Subscription>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let inner = Arc::downgrade(self);
        let task = runtime.spawn(async move {
            let _listening = listening;
            listen(inner, first).await;
        });
        self.keep_task(task.abort_handle());
    }
}

/// Held by the listening task. When it is dropped, for example with its runtime, the first tier is distrusted until
/// another task listens.
struct Listening(Weak<Inner>);

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            inner.distrust();
            inner.listens.store(false, Ordering::Release);
        }
    }
}

async fn listen(inner: Weak<Inner>, mut subscription: Option<Subscription>) {
    let mut pauses = BACKOFF.pauses();
    loop {
        if let Some(mut events) = subscription.take() {
            pauses.reset();
            while let Some(event) = events.next().await {
                let Some(inner) = inner.upgrade() else { return };
                inner.hear(&event);
            }
            let Some(inner) = inner.upgrade() else { return };
            inner.distrust();
        }
        let Some(strong) = inner.upgrade() else { return };
        match strong.call(strong.database.channel().subscribe(CHANNEL)).await {
            Ok(again) => {
                strong.hear(&ChannelEvent::Resumed);
                subscription = Some(again);
            }
            Err(error) => {
                tracing::debug!(%error, "the cache does not receive invalidations of other processes yet");
                let slept = strong.options.clock.sleep(pauses.next_pause());
                drop(strong);
                slept.await;
            }
        }
    }
}
