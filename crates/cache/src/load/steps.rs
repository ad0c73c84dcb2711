//! Decides which keys this process loads, and which it waits for.

use std::sync::Arc;

use compartment_core::MonotonicInstant;
use futures_util::future::join_all;
use tracing::Instrument;

use crate::cache::{Cache, Cached, erase};
use crate::first::tier::Moment;
use crate::load::flight::Pulse;
use crate::load::item::{Item, LeaseSeen, Loader, Ready, Unlike};
use crate::load::lease::Lease;
use crate::load::waits;
use crate::second::envelope::{Envelope, LeaseMark, View};
use crate::second::tier::LoadStamps;
use crate::unique::unique;

enum Step<V> {
    Landed,
    Load(Box<Ready<V>>),
    /// Another process loads it, at most until this moment.
    Wait(Item<V>, Moment, MonotonicInstant),
    Again(Item<V>),
}

/// Loads keys with one set of labels; each key uses its own template's policy.
pub(crate) struct Load {
    pub(crate) cache: Cache,
}

impl Load {
    /// Loads all items in a separate task, which reports that it is alive.
    pub(crate) fn spawn<V: Cached>(self, items: Vec<Item<V>>, loader: Loader<V>) {
        let loads: Arc<[u64]> = items.iter().map(|item| item.leader.number()).collect();
        let pulses: Vec<Pulse> = items.iter().map(|item| item.leader.pulse()).collect();
        let clock = Arc::clone(&self.cache.inner.options.clock);
        // The task holds leases, and other processes may wait for it, even without a caller here.
        let work = self.cache.inner.database.unfinished().begin();
        let work = waits::within(loads, async move {
            let run = self.run(items, loader);
            tokio::pin!(run);
            let every = pulses.iter().map(Pulse::every).min().unwrap_or_default();
            loop {
                tokio::select! {
                    biased;
                    () = &mut run => break,
                    () = clock.sleep(every) => pulses.iter().for_each(Pulse::beat),
                }
            }
            drop(work);
        });
        tokio::spawn(work.in_current_span());
    }

    /// Loads all items; each of them lands.
    async fn run<V: Cached>(self, mut items: Vec<Item<V>>, mut loader: Loader<V>) {
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
                    Step::Load(one) => ready.push(*one),
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

    /// Reads the keys that have not been read yet, and decides the next step for each.
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
                Step::Load(Box::new(Ready { item, moment, lease: None, before: None }))
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
        if let Some(refusal) = raw.as_ref().and_then(|raw| cache.foreign(&key, raw)) {
            item.leader.land(Err(refusal.into()));
            return Step::Landed;
        }
        let Ok(before) = cache.held(&item.key, raw.as_ref()).await else {
            return Step::Load(Box::new(Ready { item, moment, lease: None, before: None }));
        };
        let made = before.as_ref().map(|held| held.envelope.times.created);
        let is_wanted = match item.unlike {
            None => true,
            Some(Unlike::MadeAt(unwanted)) => made != Some(unwanted),
            Some(Unlike::WhatStands) => false,
        };
        if item.unlike == Some(Unlike::WhatStands) {
            item.unlike = made.map(Unlike::MadeAt);
        }
        if let Some(held) = &before
            && is_wanted
            && held.is_fresh(inner.options.clock.monotonic())
        {
            let value = erase(held.value.as_ref());
            if let Some(view) = raw.as_deref().and_then(View::read) {
                cache.keep(&key, held.value.as_ref(), &view, held.age, &item.terms, moment);
            }
            item.leader.land(Ok(value));
            return Step::Landed;
        }
        let held_by = raw.as_ref().and_then(Envelope::read).and_then(|envelope| envelope.lease);
        if let Some((lease, seen)) = held_by
            && let Some(until) = self.others_until(&mut item, lease)
            // A load that began before an invalidation is not worth waiting for.
            && inner.holds(&seen).await.unwrap_or(false)
        {
            return Step::Wait(item, moment, until);
        }
        if stamps.no_cache {
            return Step::Load(Box::new(Ready { item, moment, lease: None, before }));
        }
        let length = item.terms.policy.lease;
        let mark = LeaseMark { token: unique(), until: inner.options.clock.now().after(length) };
        let beside = before.as_ref().map(|held| &held.envelope);
        let bytes = Envelope::held(beside, mark, &stamps.seen).to_bytes();
        let ttl = self.lease_ttl(before.as_ref(), length);
        // Held before the request, because the outcome is unknown if this future is dropped.
        let lease = Lease::of(inner, &key, bytes.clone());
        match inner.swap(&key, raw, Some(bytes), ttl).await {
            Ok(true) => Step::Load(Box::new(Ready { item, moment, lease: Some(lease), before })),
            Ok(false) => {
                lease.given_up();
                Step::Again(item)
            }
            // The lease may be held all the same: dropping it here removes the key in the background.
            Err(_) => Step::Load(Box::new(Ready { item, moment, lease: None, before })),
        }
    }

    /// Until when to wait for another process's lease: until its end by the wall clock, which may be a different
    /// clock, but no longer than one lease after this process first saw it. Renewals prolong this, up to the time
    /// after which the policy cancels a load: whoever writes to the database could renew a lease for ever.
    fn others_until<V>(&self, item: &mut Item<V>, lease: LeaseMark) -> Option<MonotonicInstant> {
        let clock = &self.cache.inner.options.clock;
        let now = clock.monotonic();
        let seen = match item.lease_seen {
            Some(seen) if seen.mark == lease => seen,
            Some(seen) if seen.mark.token == lease.token => {
                LeaseSeen { mark: lease, at: now, since: seen.since }
            }
            _ => LeaseSeen { mark: lease, at: now, since: now },
        };
        item.lease_seen = Some(seen);
        let policy = &item.terms.policy;
        let by_wall = now.after(lease.until.since(clock.now()));
        let mut until = seen.at.after(policy.lease).min(by_wall);
        if let Some(longest) = policy.hard_timeout {
            until = until.min(seen.since.after(longest.saturating_add(policy.lease)));
        }
        (now < until).then_some(until)
    }

    /// Waits until one of the keys was written, or a lease has ended.
    async fn wait<V>(
        &self,
        waiting: &[(Item<V>, Moment, MonotonicInstant)],
        heard: &mut tokio::sync::watch::Receiver<u64>,
    ) {
        let inner = &self.cache.inner;
        let until = waiting.iter().map(|(_, _, until)| *until).min().unwrap_or_default();
        let ends = inner.options.clock.sleep(until.since(inner.options.clock.monotonic()));
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
}
