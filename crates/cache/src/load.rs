//! The load itself: who may store its result, how long it may take, and what becomes of it.
//!
//! A load takes a lease first: in the place of the key it puts an entry that says who loads, until
//! when, and under which stamps, beside the old value where there is one. The result replaces
//! exactly these bytes. Whoever writes, removes or takes over the key in the meantime changes them,
//! and the result of a loader that comes too late finds no place.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compartment_core::{Timestamp, TypedKey};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};

use crate::cache::{Cache, Cached, Terms, erase};
use crate::envelope::{Envelope, LeaseMark, Payload};
use crate::error::LoadError;
use crate::first_tier::{Moment, NewEntry};
use crate::flight::Leader;
use crate::look::Held;
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

/// A key whose load may begin.
struct Ready<V> {
    item: Item<V>,
    moment: Moment,
    /// The bytes that stand for its lease; `None` where the database is away, or nothing is kept.
    lease: Option<Bytes>,
    before: Option<Held<V>>,
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
                if let Some(held) = before {
                    cache.keep(&key, held, &self.terms, moment);
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

    /// How long an entry with a lease lives: as long as what it holds beside it, and not less.
    fn lease_ttl<V>(&self, before: Option<&Held<V>>, now: Timestamp) -> Duration {
        let left = before.map_or(Duration::ZERO, |held| held.envelope.times.stale_until.since(now));
        left.max(self.terms.policy.lease)
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

    async fn renew<V>(&self, one: &mut Ready<V>) {
        let Some(lease) = one.lease.take() else { return };
        let inner = &self.cache.inner;
        let Some(mut envelope) = Envelope::read(&lease) else { return };
        let now = inner.options.clock.now();
        if let Some((mark, _)) = &mut envelope.lease {
            mark.until = now.after(self.terms.policy.lease);
        }
        let (renewed, ttl) = (envelope.to_bytes(), self.lease_ttl(one.before.as_ref(), now));
        let swapped =
            inner.swap(one.item.key.as_str(), Some(lease.clone()), Some(renewed.clone()), ttl);
        match swapped.await {
            Ok(true) => one.lease = Some(renewed),
            // Somebody has taken the key: the result will find no place.
            Ok(false) => one.lease = Some(lease),
            // Whether it was renewed is not known. The old bytes find no place if it was, and
            // the lease ends.
            Err(_) => one.lease = Some(lease),
        }
    }

    /// Stores what was loaded, and lets who waited have it; what the others are to be told.
    async fn finish<V: Cached>(
        &self,
        one: Ready<V>,
        loaded: Loaded<V>,
        stamps: &LoadStamps,
    ) -> Option<News> {
        let (cache, inner) = (&self.cache, &self.cache.inner);
        let (policy, counters) = (&self.terms.policy, &self.terms.counters);
        let Ready { item, moment, lease, before } = one;
        let key = item.key.as_str();
        let (value, payload, ttl) = match loaded {
            Loaded::Unchanged => match before {
                Some(ref held) => (
                    held.value.clone(),
                    Some(held.envelope.payload.clone()),
                    if held.value.is_some() { Some(self.terms.ttl) } else { policy.negative_ttl },
                ),
                None => (None, Some(Payload::Absent), policy.negative_ttl),
            },
            Loaded::Absent => (None, Some(Payload::Absent), policy.negative_ttl),
            Loaded::Value(value) => {
                let encoded = item.key.template().codec().encode(&value);
                if let Err(error) = &encoded {
                    tracing::warn!(%error, "a loaded value cannot be kept");
                }
                (Some(Arc::new(value)), encoded.ok().map(Payload::Value), Some(self.terms.ttl))
            }
        };
        let shared = erase(value.as_ref());
        let (payload, ttl) = match (payload, ttl) {
            (Some(payload), Some(ttl)) if !stamps.no_cache => (payload, ttl),
            (payload, _) => {
                if payload.is_none() || stamps.no_cache {
                    add(&counters.refused, 1);
                }
                // What there was before is older than what is known now.
                let news = self.release::<V>(key, lease, None).await;
                item.leader.land(Ok(shared));
                return news;
            }
        };
        let times = policy.times(inner.options.clock.as_ref(), ttl, unique());
        let bytes = if let Payload::Value(bytes) = &payload { bytes.len() } else { 0 };
        let envelope = Envelope { payload, times, lease: None, stamps: stamps.seen.clone() };
        let packed = envelope.to_bytes();
        if packed.len() > policy.max_entry_bytes {
            add(&counters.refused, 1);
            let news = self.release::<V>(key, lease, None).await;
            item.leader.land(Ok(shared));
            return news;
        }
        let (keep, blind, news) = match lease {
            Some(lease) => {
                let ttl = times.stale_until.since(times.created);
                match inner.swap(key, Some(lease), Some(packed), ttl).await {
                    Ok(true) => {
                        add(&counters.sets, 1);
                        add(&counters.bytes, bytes as u64);
                        (true, false, Some(News::Key(key.to_owned())))
                    }
                    Ok(false) => {
                        add(&counters.superseded, 1);
                        (false, false, None)
                    }
                    Err(_) => (true, true, None),
                }
            }
            None => (true, true, None),
        };
        if keep && policy.first_tier {
            let new = NewEntry {
                value: shared.clone(),
                times,
                eager_at: policy.eager_at(times),
                serve_until: cache.serve_until(times.fresh_until, blind),
                stamps: stamps.seen.clone(),
                counters: Arc::clone(counters),
                bytes,
            };
            inner.first.put(key, new, moment);
        }
        item.leader.land(Ok(shared));
        news
    }

    /// Gives the lease back, with what there was before in its place.
    async fn fail<V>(&self, one: Ready<V>, error: LoadError) -> Option<News> {
        let Ready { item, lease, before, .. } = one;
        let news = self.release(item.key.as_str(), lease, before).await;
        item.leader.land(Err(error));
        news
    }

    async fn release<V>(
        &self,
        key: &str,
        lease: Option<Bytes>,
        before: Option<Held<V>>,
    ) -> Option<News> {
        let (lease, inner) = (lease?, &self.cache.inner);
        let now = inner.options.clock.now();
        let ttl = before
            .as_ref()
            .map_or(Duration::ZERO, |held| held.envelope.times.stale_until.since(now));
        let before = before.map(|held| Envelope { lease: None, ..held.envelope }.to_bytes());
        // Should this fail, the lease ends by itself.
        let released = inner.swap(key, Some(lease), before, ttl).await;
        matches!(released, Ok(true)).then(|| News::Key(key.to_owned()))
    }
}
