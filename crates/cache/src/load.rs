//! The load itself: which keys have to be loaded, who waits for whom, how long it may take.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use compartment_core::{Timestamp, TypedKey};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};

use crate::cache::{Cache, Cached, Terms, erase};
use crate::envelope::{Envelope, LeaseMark, View};
use crate::error::LoadError;
use crate::first_tier::Moment;
use crate::flight::Leader;
use crate::lease::Ready;
use crate::message::News;
use crate::metrics::add;
use crate::second_tier::LoadStamps;
use crate::unique::unique;

/// What a loader gives for a key.
#[derive(Debug)]
pub enum Loaded<V> {
    /// A value.
    Value(V),
    /// There is none; remembered if the policy has a TTL for that.
    Absent,
    /// The old value still holds, and is fresh again. Where there was none, as
    /// [`Loaded::Absent`].
    Unchanged,
}

/// A loader of several keys: given each one's position and old value.
pub(crate) type Loader<V> = Box<
    dyn FnMut(Vec<(usize, Option<Arc<V>>)>) -> BoxFuture<'static, Result<Vec<Loaded<V>>, LoadError>>
        + Send,
>;

/// One key to be loaded.
pub(crate) struct Item<V> {
    pub(crate) position: usize,
    pub(crate) key: TypedKey<V>,
    pub(crate) leader: Leader,
    /// In a refresh: a value from after this moment will do.
    pub(crate) newer_than: Option<Timestamp>,
    /// What stands in the database, where it has just been read.
    pub(crate) raw: Option<(Moment, Option<Bytes>)>,
}

enum Step<V> {
    Landed,
    Load(Ready<V>),
    /// Somebody else loads it, until then at the latest.
    Wait(Item<V>, Moment, Timestamp),
    Again(Item<V>),
}

/// Loads of one template's keys, under one set of labels.
pub(crate) struct Load {
    pub(crate) cache: Cache,
    pub(crate) terms: Terms,
}

impl Load {
    /// Loads every item; each lands in the end.
    pub(crate) async fn run<V: Cached>(self, mut items: Vec<Item<V>>, mut loader: Loader<V>) {
        let mut heard = self.cache.inner.heard.subscribe();
        while !items.is_empty() {
            heard.mark_unchanged();
            let stamps = self.cache.inner.stamps(&self.cache.labels).await;
            for item in &items {
                item.leader.goes_by(&stamps.seen);
            }
            let steps = self.steps(items, &stamps).await;
            let (mut ready, mut waiting, mut again) = (Vec::new(), Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Landed => {}
                    Step::Load(one) => ready.push(one),
                    Step::Wait(item, moment, until) => waiting.push((item, moment, until)),
                    Step::Again(item) => again.push(item),
                }
            }
            if !ready.is_empty() {
                self.load(ready, &mut loader, &stamps).await;
            }
            if again.is_empty() && !waiting.is_empty() {
                self.wait(&waiting, &mut heard).await;
            }
            again.extend(waiting.into_iter().map(|(item, _, _)| item));
            items = again;
        }
    }

    /// Reads what is not known, and takes a step with each.
    async fn steps<V: Cached>(&self, mut items: Vec<Item<V>>, stamps: &LoadStamps) -> Vec<Step<V>> {
        let inner = &self.cache.inner;
        let unread: Vec<usize> = (0..items.len()).filter(|at| items[*at].raw.is_none()).collect();
        let names: Vec<String> =
            unread.iter().map(|at| items[*at].key.as_str().to_owned()).collect();
        let moments: Vec<Moment> = names.iter().map(|name| inner.first.moment(name)).collect();
        let values = if stamps.blind { None } else { inner.read(&names).await.ok() };
        let Some(values) = values else {
            let blind = |item: Item<V>| {
                let moment = inner.first.moment(item.key.as_str());
                Step::Load(Ready { item, moment, lease: None, before: None })
            };
            return items.into_iter().map(blind).collect();
        };
        for ((at, moment), value) in unread.into_iter().zip(moments).zip(values) {
            items[at].raw = Some((moment, value));
        }
        join_all(items.into_iter().map(|item| self.step(item, stamps))).await
    }

    async fn step<V: Cached>(&self, mut item: Item<V>, stamps: &LoadStamps) -> Step<V> {
        let (cache, inner) = (&self.cache, &self.cache.inner);
        let Some((moment, raw)) = item.raw.take() else { return Step::Again(item) };
        let key = item.key.as_str().to_owned();
        let Ok(before) = cache.held::<V>(raw.as_ref()).await else {
            return Step::Load(Ready { item, moment, lease: None, before: None });
        };
        let now = inner.options.clock.now();
        if let Some(held) = &before {
            let times = held.envelope.times;
            let is_new = item.newer_than.is_none_or(|moment| times.created > moment);
            if now < times.fresh_until && is_new {
                let value = erase(held.value.as_ref());
                if let Some(view) = raw.as_deref().and_then(View::read) {
                    cache.keep(&key, held.value.as_ref(), &view, &self.terms, moment);
                }
                item.leader.land(Ok(value));
                return Step::Landed;
            }
        }
        let held_by = raw.as_ref().and_then(Envelope::read).and_then(|envelope| envelope.lease);
        if let Some((lease, seen)) = held_by
            && now < lease.until
            // A load from before an invalidation is waited for by nobody.
            && inner.holds(&seen).await.unwrap_or(false)
        {
            return Step::Wait(item, moment, lease.until);
        }
        if stamps.no_cache {
            return Step::Load(Ready { item, moment, lease: None, before });
        }
        let mark = LeaseMark { token: unique(), until: now.after(self.terms.policy.lease) };
        let beside = before.as_ref().map(|held| &held.envelope);
        let lease = Envelope::held(beside, mark, &stamps.seen).to_bytes();
        let ttl = self.lease_ttl(before.as_ref(), now);
        match inner.swap(&key, raw, Some(lease.clone()), ttl).await {
            Ok(true) => Step::Load(Ready { item, moment, lease: Some(lease), before }),
            Ok(false) => Step::Again(item),
            Err(_) => Step::Load(Ready { item, moment, lease: None, before }),
        }
    }

    /// Waits until one of the keys was written by somebody, or a lease has ended.
    async fn wait<V>(
        &self,
        waiting: &[(Item<V>, Moment, Timestamp)],
        heard: &mut tokio::sync::watch::Receiver<u64>,
    ) {
        let inner = &self.cache.inner;
        let until = waiting.iter().map(|(_, _, until)| *until).min().unwrap_or_default();
        let ends = inner.options.clock.sleep(until.since(inner.options.clock.now()));
        let is_news = || {
            waiting.iter().any(|(item, moment, _)| inner.first.has_news(item.key.as_str(), *moment))
        };
        let news = async {
            while !is_news() {
                if heard.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            () = news => {}
            () = ends => {}
        }
    }

    async fn load<V: Cached>(
        &self,
        mut ready: Vec<Ready<V>>,
        loader: &mut Loader<V>,
        stamps: &LoadStamps,
    ) {
        let clock = Arc::clone(&self.cache.inner.options.clock);
        let counters = Arc::clone(&self.terms.counters);
        let wanted = ready
            .iter()
            .map(|one| (one.item.position, one.before.as_ref().and_then(|held| held.value.clone())))
            .collect();
        let started = clock.now();
        let outcome = self.drive(wanted, &mut ready, loader).await;
        add(&counters.loads, ready.len() as u64);
        let took = clock.now().since(started).as_micros();
        add(&counters.load_micros, u64::try_from(took).unwrap_or(u64::MAX));
        let outcome = outcome.and_then(|given| {
            let (wanted, given_count) = (ready.len(), given.len());
            if wanted == given_count {
                Ok(given)
            } else {
                Err(LoadError::OtherCount { wanted, given: given_count })
            }
        });
        let news: Vec<News> = match outcome {
            Ok(given) => {
                let each = ready.into_iter().zip(given);
                join_all(each.map(|(one, loaded)| self.finish(one, loaded, stamps))).await
            }
            Err(error) => {
                add(&counters.failed_loads, ready.len() as u64);
                join_all(ready.into_iter().map(|one| self.fail(one, error.clone()))).await
            }
        }
        .into_iter()
        .flatten()
        .collect();
        if !news.is_empty() {
            // Who waits elsewhere and does not hear it waits for the lease's end.
            self.cache.inner.tell(news).await;
        }
    }

    /// Runs the loader, and renews the leases meanwhile.
    async fn drive<V: Cached>(
        &self,
        wanted: Vec<(usize, Option<Arc<V>>)>,
        ready: &mut [Ready<V>],
        loader: &mut Loader<V>,
    ) -> Result<Vec<Loaded<V>>, LoadError> {
        let clock = Arc::clone(&self.cache.inner.options.clock);
        let work = std::panic::catch_unwind(AssertUnwindSafe(|| loader(wanted)));
        let mut work = AssertUnwindSafe(work.map_err(|_| LoadError::Ended)?).catch_unwind();
        let hard = self.terms.policy.hard_timeout;
        let give_up = hard.map(|limit| clock.sleep(limit));
        let give_up = async {
            match give_up {
                Some(sleep) => sleep.await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(give_up);
        loop {
            tokio::select! {
                biased;
                given = &mut work => return given.unwrap_or(Err(LoadError::Ended)),
                () = &mut give_up => {
                    return Err(LoadError::TimedOut(hard.unwrap_or_default()));
                }
                () = clock.sleep(self.terms.policy.lease / 3) => {
                    join_all(ready.iter_mut().map(|one| self.renew(one))).await;
                }
            }
        }
    }
}
