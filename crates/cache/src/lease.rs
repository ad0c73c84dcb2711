//! Who may store a load's result, and what becomes of it.
//!
//! A load takes a lease first: in the place of the key it puts an entry that says who loads, until
//! when, and under which stamps, beside the old value where there is one. The result replaces
//! exactly these bytes. Whoever writes, removes or takes over the key in the meantime changes them,
//! and the result of a loader that comes too late finds no place.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compartment_core::{Codec, Timestamp};

use crate::cache::{Cached, erase};
use crate::document_limit::Asking;
use crate::envelope::{Envelope, Payload};
use crate::error::LoadError;
use crate::first_tier::{Moment, NewEntry};
use crate::load::{Item, Load, Loaded};
use crate::look::Held;
use crate::message::News;
use crate::metrics::{Refusal, add};
use crate::second_tier::LoadStamps;
use crate::unique::unique;

/// A key whose load may begin.
pub(crate) struct Ready<V> {
    pub(crate) item: Item<V>,
    pub(crate) moment: Moment,
    /// The bytes that stand for its lease; `None` where the database is away, or nothing is kept.
    pub(crate) lease: Option<Bytes>,
    pub(crate) before: Option<Held<V>>,
}

impl Load {
    /// How long an entry with a lease lives: as long as what it holds beside it, and not less.
    pub(crate) fn lease_ttl<V>(&self, before: Option<&Held<V>>, now: Timestamp) -> Duration {
        let left = before.map_or(Duration::ZERO, |held| held.envelope.times.stale_until.since(now));
        left.max(self.terms.policy.lease)
    }

    pub(crate) async fn renew<V>(&self, one: &mut Ready<V>) {
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
    pub(crate) async fn finish<V: Cached>(
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
                if stamps.no_cache {
                    counters.refuse(Refusal::NoCache);
                } else if payload.is_none() {
                    counters.refuse(Refusal::Entry);
                }
                // What there was before is older than what is known now.
                let news = self.release::<V>(key, lease, None).await;
                item.leader.land(Ok(shared));
                return news;
            }
        };
        let times = policy.times(inner.options.clock.as_ref(), ttl, unique());
        let (bytes, in_process) = match &payload {
            Payload::Value(bytes) => (bytes.len(), Codec::decoded_len(bytes)),
            Payload::Absent | Payload::Nothing => (0, 0),
        };
        let envelope = Envelope { payload, times, lease: None, stamps: stamps.seen.clone() };
        let packed = envelope.to_bytes();
        let ttl = times.stale_until.since(times.created);
        let asking = Asking { key, bytes: packed.len(), ttl };
        if let Some(refusal) = cache.refusal(&self.terms, stamps, asking).await {
            counters.refuse(refusal);
            let news = self.release::<V>(key, lease, None).await;
            item.leader.land(Ok(shared));
            return news;
        }
        let (keep, blind, news) = match lease {
            Some(lease) => match inner.swap(key, Some(lease), Some(packed), ttl).await {
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
            },
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
                bytes: in_process,
            };
            inner.first.put(key, new, moment);
        }
        item.leader.land(Ok(shared));
        news
    }

    /// Gives the lease back, with what there was before in its place.
    pub(crate) async fn fail<V>(&self, one: Ready<V>, error: LoadError) -> Option<News> {
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
