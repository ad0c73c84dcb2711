//! A running removal: if its caller gives up, it is kept as pending and delivered in the background.
//!
//! A removal takes several requests, and a future may be dropped between any two of them. A removal is recorded in
//! the process before its first request, so that other processes do not keep serving a value after half a removal.

use std::sync::Arc;
use std::time::Duration;

use compartment_core::{Backoff, Result, SetOptions};
use tokio::runtime::Handle;

use crate::cache::Delivery;
use crate::inner::Inner;
use crate::message::News;
use crate::metrics::counters::add;
use crate::second::pending_removals::{NewStamp, Pending};
use crate::second::tier::STAMP_TTL;
use crate::stamps::{Before, Stamp, key_of};

/// Keys that are deleted in one request.
pub(crate) const PAGE: usize = 500;
/// The pauses before a background delivery, or listening, is retried.
pub(crate) const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));

/// Keys and stamps that are being removed. If this is dropped before they are done, they become pending.
#[derive(Debug)]
pub(crate) struct Removal<'a> {
    inner: &'a Arc<Inner>,
    keys: Vec<String>,
    stamp: Option<(Arc<str>, NewStamp)>,
    /// The state of the stamp when the removal began.
    before: Option<Before>,
}

impl<'a> Removal<'a> {
    pub(crate) fn of_keys(inner: &'a Arc<Inner>, keys: Vec<String>) -> Self {
        Self { inner, keys, stamp: None, before: None }
    }

    pub(crate) fn of_stamp(inner: &'a Arc<Inner>, name: &str, stamp: NewStamp) -> Self {
        let before = Some(inner.book.before(name));
        Self { inner, keys: Vec::new(), stamp: Some((name.into(), stamp)), before }
    }

    /// The removal has reached the database and the other processes.
    pub(crate) fn done(mut self) {
        (self.keys, self.stamp) = (Vec::new(), None);
    }

    /// The removal is delivered in the background; values that this process has stored in its first tier since stay.
    pub(crate) fn keep_pending(mut self) {
        self.keep();
    }

    /// The removal is done, and only the messages to other processes are kept as pending.
    pub(crate) fn keep_news(self, key: &str) {
        let inner = self.inner;
        self.done();
        inner.pending.add_news(key, inner.resumption());
        inner.deliver_in_background();
    }

    fn keep(&mut self) {
        let (keys, stamp) = (std::mem::take(&mut self.keys), self.stamp.take());
        if keys.is_empty() && stamp.is_none() {
            return;
        }
        self.inner.deliver_later(keys, stamp);
    }
}

impl Drop for Removal<'_> {
    fn drop(&mut self) {
        // Values that were read since the start may be outdated.
        for key in &self.keys {
            self.inner.first.written(key);
        }
        if let (Some((name, new)), Some(before)) = (&self.stamp, self.before) {
            self.inner.book.note_given(name, new.stamp, before);
        }
        self.keep();
    }
}

impl Inner {
    /// Removes keys in this process, in the database and in the other processes.
    pub(crate) async fn remove_names(self: &Arc<Self>, names: Vec<String>) -> Delivery {
        if !self.options.enabled || names.is_empty() {
            return Delivery::Delivered;
        }
        for name in &names {
            self.first.written(name);
        }
        let mut removal = Removal::of_keys(self, names);
        while !removal.keys.is_empty() {
            let rest = removal.keys.len().saturating_sub(PAGE);
            let page = removal.keys[rest..].to_vec();
            if self.call(self.database.key_value().delete(&page)).await.is_err() {
                return Delivery::Pending;
            }
            // Once more: the old value may have been read before it was deleted.
            for name in &page {
                self.first.written(name);
            }
            if !self.tell(page.into_iter().map(News::Key).collect()).await {
                return Delivery::Pending;
            }
            removal.keys.truncate(rest);
        }
        Delivery::Delivered
    }

    /// Gives a stamp a new number, which invalidates all entries with the old one.
    pub(crate) async fn renew_stamp(self: &Arc<Self>, name: &str, new: NewStamp) -> Delivery {
        add(&self.metrics.invalidations, 1);
        // This process first, so that its reads find no outdated value from now on.
        self.book.note(name, new.stamp);
        let removal = Removal::of_stamp(self, name, new);
        if new.keeps_mark {
            // The database did not answer when the mark was read.
            return Delivery::Pending;
        }
        let (key, options) = (key_of(name), SetOptions::expiring(STAMP_TTL));
        let request = self.database.key_value().set(&key, new.stamp.to_bytes(), options);
        let before = self.book.before(name);
        let set = self.call(request).await.is_ok();
        // Once more: the old stamp may have been read meanwhile, or another process may have given it a number.
        self.book.note_given(name, new.stamp, before);
        if set && self.tell(vec![News::Stamp(name.into(), new.stamp)]).await {
            removal.done();
            return Delivery::Delivered;
        }
        Delivery::Pending
    }

    /// Delivers the pending removals. One caller delivers; others wait for it at most for the duration of a request.
    pub(crate) async fn deliver(&self) -> Result<()> {
        let clock = &self.options.clock;
        let limit = self.options.database_timeout;
        let ends = clock.monotonic().after(limit);
        let failures = self.pending.failures();
        while self.pending.any() {
            let ended = self.pending.ended();
            tokio::pin!(ended);
            ended.as_mut().enable();
            let now = clock.monotonic();
            if let Some(delivery) = self.pending.begin(now, limit.saturating_mul(2)) {
                let pending = self.pending.take_copy();
                self.deliver_all(&pending, || delivery.lives(clock.monotonic())).await?;
                self.pending.delivered(&pending);
                delivery.succeeded();
                return Ok(());
            }
            tokio::select! {
                () = ended => {}
                () = clock.sleep(ends.since(now)) => {}
            }
            if self.pending.failures() != failures || clock.monotonic() >= ends {
                return Err(self.away("removals are being delivered"));
            }
        }
        Ok(())
    }

    async fn deliver_all(&self, pending: &Pending, lives: impl Fn()) -> Result<()> {
        let store = self.database.key_value();
        let mut news: Vec<News> = pending.keys.keys().cloned().map(News::Key).collect();
        for (name, new) in &pending.stamps {
            let (key, mut stamp) = (key_of(name), new.stamp);
            if new.keeps_mark {
                let found = self.guarded(store.get(&key)).await?;
                let found = found.and_then(|bytes| Stamp::read(&bytes));
                stamp.no_cache = found.is_some_and(|found| found.no_cache);
            }
            let (options, before) = (SetOptions::expiring(STAMP_TTL), self.book.before(name));
            self.guarded(store.set(&key, stamp.to_bytes(), options)).await?;
            lives();
            self.book.note_given(name, stamp, before);
            news.push(News::Stamp(Arc::clone(name), stamp));
        }
        let removed = pending.keys.iter().filter(|(_, key)| key.removes);
        let keys: Vec<String> = removed.map(|(name, _)| name.clone()).collect();
        for page in keys.chunks(PAGE) {
            self.guarded(store.delete(page)).await?;
            lives();
        }
        for page in news.chunks(PAGE) {
            self.guarded(self.publish(page.to_vec())).await?;
            lives();
        }
        Ok(())
    }

    /// Keeps removals as pending and delivers them in the background.
    pub(crate) fn deliver_later(
        self: &Arc<Self>,
        keys: impl IntoIterator<Item = String>,
        stamps: impl IntoIterator<Item = (Arc<str>, NewStamp)>,
    ) {
        self.pending.add(keys, stamps, self.resumption());
        self.deliver_in_background();
    }

    /// Returns a closure that resumes the delivery in the runtime of its caller. It owns the cache: pending removals
    /// outlive every handle and every runtime.
    fn resumption(self: &Arc<Self>) -> impl Fn() + Send + Sync + 'static {
        let inner = Arc::clone(self);
        move || {
            if let Ok(runtime) = Handle::try_current() {
                let number = inner.pending.replaces_courier();
                Courier { inner: Arc::clone(&inner), number }.sets_out(&runtime);
            }
        }
    }

    /// Delivers in the background as soon as the database is available. Without a runtime, or after it has ended, the
    /// next use of the cache delivers, or a caller that waits for the delivery.
    fn deliver_in_background(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else { return self.pending.waits_for_courier() };
        if let Some(number) = self.pending.takes_courier() {
            Courier { inner: Arc::clone(self), number }.sets_out(&runtime);
        }
    }
}

/// The task that delivers in the background, until another replaces it. Dropping it, for example with its runtime,
/// lets another start.
struct Courier {
    inner: Arc<Inner>,
    number: u64,
}

impl Courier {
    fn sets_out(self, runtime: &Handle) {
        runtime.spawn(async move {
            let inner = Arc::clone(&self.inner);
            let mut pauses = BACKOFF.pauses();
            while inner.pending.any() && inner.pending.is_courier(self.number) {
                if inner.deliver().await.is_err() {
                    inner.options.clock.sleep(pauses.next_pause()).await;
                }
            }
            drop(self);
            // Another removal may have become pending meanwhile.
            if inner.pending.any() {
                inner.deliver_in_background();
            }
        });
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.inner.pending.courier_has_gone(self.number);
    }
}
