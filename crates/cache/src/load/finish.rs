//! The end of a load: its result is stored under the load's lease and given to the waiters.

use std::sync::Arc;
use std::time::Duration;

use compartment_core::Codec;

use crate::cache::{Cached, erase};
use crate::error::LoadError;
use crate::first::written::Written;
use crate::load::item::{Item, Loaded, Ready};
use crate::load::lease::Lease;
use crate::load::steps::Load;
use crate::look::Held;
use crate::message::News;
use crate::metrics::counters::{Refusal, add};
use crate::second::document_limit::Asking;
use crate::second::envelope::{Envelope, Payload};
use crate::second::tier::LoadStamps;
use crate::unique::unique;

/// A value as it is given to the waiters, how it is stored, and for how long; `None` where it cannot be stored.
type ToStore<V> = (Option<Arc<V>>, Option<Payload>, Option<Duration>);

fn to_store<V: Cached>(item: &Item<V>, before: Option<Held<V>>, loaded: Loaded<V>) -> ToStore<V> {
    let (terms, absent_ttl) = (&item.terms, item.terms.policy.negative_ttl);
    let value = match (loaded, before) {
        (Loaded::Value(value), _) => value,
        (Loaded::Unchanged, Some(held)) => {
            let ttl = if held.value.is_some() { Some(terms.ttl) } else { absent_ttl };
            return (held.value, Some(held.envelope.payload), ttl);
        }
        (Loaded::Unchanged, None) | (Loaded::Absent, _) => {
            return (None, Some(Payload::Absent), absent_ttl);
        }
    };
    let encoded = item.key.template().codec().encode(&value);
    if let Err(error) = &encoded {
        tracing::warn!(%error, "a loaded value cannot be cached");
    }
    (Some(Arc::new(value)), encoded.ok().map(Payload::Value), Some(terms.ttl))
}

impl Load {
    /// The TTL of a lease entry: at least that of the old value it keeps.
    pub(crate) fn lease_ttl<V>(&self, before: Option<&Held<V>>, lease: Duration) -> Duration {
        let now = self.cache.inner.options.clock.monotonic();
        before.map_or(Duration::ZERO, |held| held.kept_for(now)).max(lease)
    }

    pub(crate) async fn renew<V>(&self, one: &mut Ready<V>) {
        let length = one.item.terms.policy.lease;
        let ttl = self.lease_ttl(one.before.as_ref(), length);
        let Some(lease) = &mut one.lease else { return };
        if let Err(error) = lease.renew(length, ttl).await {
            // The next renewal or the result determines the outcome.
            tracing::debug!(%error, "whether a lease was renewed is not known");
        }
    }

    /// Stores the loaded value and passes it to the waiters; returns the message for other processes.
    pub(crate) async fn finish<V: Cached>(
        &self,
        one: Ready<V>,
        loaded: Loaded<V>,
        stamps: &LoadStamps,
    ) -> Option<News> {
        let (cache, inner) = (&self.cache, &self.cache.inner);
        let Ready { item, moment, lease, before } = one;
        let terms = &item.terms;
        let (policy, counters, key) = (&terms.policy, &terms.counters, item.key.as_str());
        let (value, payload, ttl) = to_store(&item, before, loaded);
        let shared = erase(value.as_ref());
        let (payload, ttl) = match (payload, ttl) {
            (Some(payload), Some(ttl)) if !stamps.no_cache => (payload, ttl),
            (payload, _) => {
                if stamps.no_cache {
                    counters.refuse(Refusal::NoCache);
                } else if payload.is_none() {
                    counters.refuse(Refusal::Entry);
                }
                // The old value is outdated by what is known now.
                let news = self.release::<V>(key, lease, None).await;
                item.leader.land(Ok(shared));
                return news;
            }
        };
        let times = policy.times(inner.options.clock.now(), ttl, unique());
        let (bytes, in_process, is_decodable) = match &payload {
            Payload::Value(bytes) => {
                let is_decodable = Codec::is_within(bytes, policy.decode_limit());
                (bytes.len(), Codec::decoded_len(bytes), is_decodable)
            }
            Payload::Absent | Payload::Nothing => (0, 0, true),
        };
        let envelope = Envelope { payload, times, lease: None, stamps: stamps.seen.clone() };
        let packed = envelope.to_bytes();
        let ttl = times.stale_until.since(times.created);
        let asking = Asking { key, bytes: packed.len(), is_decodable, ttl };
        if let Some(refusal) = cache.refusal(terms, stamps, asking).await {
            counters.refuse(refusal);
            let news = self.release::<V>(key, lease, None).await;
            item.leader.land(Ok(shared));
            return news;
        }
        let (keep, is_blind, news) = match lease {
            Some(lease) => match lease.give_place_to(Some(packed), ttl).await {
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
        if keep {
            let (stamps, bytes) = (stamps.seen.clone(), in_process);
            let new = Written { value: shared.clone(), times, stamps, bytes, is_blind };
            cache.keep_in_process(key, terms, new, moment);
        }
        item.leader.land(Ok(shared));
        news
    }

    /// Fails the load: releases the lease and restores the old value.
    pub(crate) async fn fail<V>(&self, one: Ready<V>, error: LoadError) -> Option<News> {
        let Ready { item, lease, before, .. } = one;
        add(&item.terms.counters.failed_loads, 1);
        let news = self.release(item.key.as_str(), lease, before).await;
        item.leader.land(Err(error));
        news
    }

    async fn release<V>(
        &self,
        key: &str,
        lease: Option<Lease>,
        before: Option<Held<V>>,
    ) -> Option<News> {
        let (lease, inner) = (lease?, &self.cache.inner);
        let now = inner.options.clock.monotonic();
        let ttl = before.as_ref().map_or(Duration::ZERO, |held| held.kept_for(now));
        let before = before.map(|held| Envelope { lease: None, ..held.envelope }.to_bytes());
        let released = lease.give_place_to(before, ttl).await;
        matches!(released, Ok(true)).then(|| News::Key(key.to_owned()))
    }
}
