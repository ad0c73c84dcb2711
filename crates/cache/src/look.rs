//! Looking a key up in both tiers.

use std::sync::Arc;

use bytes::Bytes;
use compartment_core::{Codec, Result, Timestamp, TypedKey};

use crate::cache::{Cache, Cached, Lookup, Terms, erase, typed};
use crate::envelope::{Envelope, Payload};
use crate::first_tier::{FirstEntry, Found, Moment, NewEntry};
use crate::metrics::add;

/// What the tiers have of a key. A value of `None`: it is known that there is none.
pub(crate) enum Seen<V> {
    /// It may be served.
    Fresh { value: Option<Arc<V>>, created: Timestamp, eager: bool },
    /// It may not, unless nothing better can be had.
    Lacking {
        ended: Option<Ended<V>>,
        /// What stands in the database, where that is known.
        raw: Option<Option<Bytes>>,
    },
}

/// A value whose time is over, or that may be old.
#[derive(Debug)]
pub(crate) struct Ended<V> {
    pub(crate) value: Option<Arc<V>>,
    pub(crate) since: Timestamp,
}

// By hand: a derive would ask the same of `V`.
impl<V> Clone for Ended<V> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), since: self.since }
    }
}

/// An entry of the database, decoded and found to hold.
pub(crate) struct Held<V> {
    pub(crate) value: Option<Arc<V>>,
    pub(crate) envelope: Envelope,
}

impl Cache {
    /// The value of `key`, if there is a fresh one; when the database is away also one that may
    /// be old, within the policy's limit for errors.
    ///
    /// # Errors
    /// For a key of another database only. A database that does not answer has nothing.
    pub async fn get<V: Cached>(&self, key: &TypedKey<V>) -> Result<Option<Arc<V>>> {
        match self.lookup(key).await? {
            Lookup::Found(value) => Ok(Some(value)),
            Lookup::Absent | Lookup::Unknown => Ok(None),
        }
    }

    /// The same, telling apart what has no value and what is not known.
    ///
    /// # Errors
    /// As [`Cache::get`].
    pub async fn lookup<V: Cached>(&self, key: &TypedKey<V>) -> Result<Lookup<V>> {
        self.check(key)?;
        Ok(match self.look(key).await {
            Seen::Fresh { value, .. } => value.map_or(Lookup::Absent, Lookup::Found),
            Seen::Lacking { ended, raw: None } => {
                let terms = self.terms(key);
                match self.on_error(ended, &terms) {
                    Some(Some(value)) => Lookup::Found(value),
                    Some(None) => Lookup::Absent,
                    None => self.missed(&terms),
                }
            }
            Seen::Lacking { .. } => self.missed(&self.terms(key)),
        })
    }

    fn missed<V>(&self, terms: &Terms) -> Lookup<V> {
        add(&terms.counters.misses, 1);
        terms.counters.read(self.inner.options.clock.now(), false);
        Lookup::Unknown
    }

    /// What may be served when nothing better can be had, and is then counted.
    pub(crate) fn on_error<V>(
        &self,
        ended: Option<Ended<V>>,
        terms: &Terms,
    ) -> Option<Option<Arc<V>>> {
        let (ended, now) = (ended?, self.inner.options.clock.now());
        if now >= ended.since.after(terms.policy.stale_on_error) {
            return None;
        }
        add(&terms.counters.stale_hits, 1);
        terms.counters.read(now, true);
        Some(ended.value)
    }

    /// Looks into the first tier, then into the database.
    pub(crate) async fn look<V: Cached>(&self, key: &TypedKey<V>) -> Seen<V> {
        let inner = &self.inner;
        if !inner.options.enabled {
            return Seen::Lacking { ended: None, raw: None };
        }
        let mut ended = None;
        match self.look_first(key.as_str()) {
            Ok(fresh) => return fresh,
            Err(found) => ended = found.or(ended),
        }
        let moment = inner.first.moment(key.as_str());
        let name = key.as_str().to_owned();
        let raw = match inner.read(std::slice::from_ref(&name)).await {
            Ok(values) => values.into_iter().next().flatten(),
            Err(_) => return Seen::Lacking { ended, raw: None },
        };
        self.judge(key, raw, moment, ended).await
    }

    /// What the first tier has: something fresh, or something that may do.
    pub(crate) fn look_first<V: Cached>(
        &self,
        key: &str,
    ) -> std::result::Result<Seen<V>, Option<Ended<V>>> {
        let inner = &self.inner;
        let now = inner.options.clock.now();
        let ended = |entry: &FirstEntry| {
            let value = typed(&entry.value).ok()?;
            Some(Ended { value, since: entry.times.fresh_until })
        };
        match inner.first.get(key, &inner.book, now) {
            Found::Fresh(entry) => match typed(&entry.value) {
                Ok(value) => {
                    entry.counters.first_hit(now);
                    let (created, eager) = (entry.times.created, now >= entry.eager_at);
                    Ok(Seen::Fresh { value, created, eager })
                }
                Err(()) => Err(None),
            },
            Found::Ended(entry) | Found::Doubtful(entry) => Err(ended(&entry)),
            Found::Nothing => Err(None),
        }
    }

    /// What stands in the database is fresh, or has ended, or is nothing that holds.
    pub(crate) async fn judge<V: Cached>(
        &self,
        key: &TypedKey<V>,
        raw: Option<Bytes>,
        moment: Moment,
        ended: Option<Ended<V>>,
    ) -> Seen<V> {
        let held = match self.held(raw.as_ref()).await {
            Ok(held) => held,
            Err(()) => return Seen::Lacking { ended, raw: None },
        };
        let Some(held) = held else {
            // It was invalidated, or it ended for good: what the first tier had is no better.
            return Seen::Lacking { ended: None, raw: Some(raw) };
        };
        let times = held.envelope.times;
        let now = self.inner.options.clock.now();
        if now >= times.fresh_until {
            let ended = Some(Ended { value: held.value, since: times.fresh_until });
            return Seen::Lacking { ended, raw: Some(raw) };
        }
        let terms = self.terms(key);
        add(&terms.counters.second_hits, 1);
        terms.counters.read(now, true);
        let eager = now >= terms.policy.eager_at(times);
        let value = held.value.clone();
        self.keep(key.as_str(), held, &terms, moment);
        Seen::Fresh { value, created: times.created, eager }
    }

    /// The entry of these bytes, if it may be served at all; the error: the database is away.
    pub(crate) async fn held<V: Cached>(
        &self,
        raw: Option<&Bytes>,
    ) -> std::result::Result<Option<Held<V>>, ()> {
        let Some(envelope) = raw.and_then(Envelope::read) else { return Ok(None) };
        if self.inner.options.clock.now() >= envelope.times.stale_until {
            return Ok(None);
        }
        let value = match &envelope.payload {
            Payload::Value(bytes) => match Codec::decode::<V>(bytes) {
                Ok(value) => Some(Arc::new(value)),
                // Another version of the type wrote it.
                Err(_) => return Ok(None),
            },
            Payload::Absent => None,
            Payload::Nothing => return Ok(None),
        };
        let holds = self.inner.holds(&envelope.stamps).await.map_err(drop)?;
        Ok(holds.then_some(Held { value, envelope }))
    }

    /// Keeps an entry of the database in the first tier.
    pub(crate) fn keep<V: Cached>(&self, key: &str, held: Held<V>, terms: &Terms, moment: Moment) {
        let inner = &self.inner;
        if !terms.policy.first_tier {
            return;
        }
        let times = held.envelope.times;
        let bytes = match &held.envelope.payload {
            Payload::Value(bytes) => Codec::decoded_len(bytes),
            Payload::Absent | Payload::Nothing => 0,
        };
        let new = NewEntry {
            value: erase(held.value.as_ref()),
            times,
            eager_at: terms.policy.eager_at(times),
            serve_until: self.serve_until(times.fresh_until, false),
            stamps: held.envelope.stamps,
            counters: Arc::clone(&terms.counters),
            bytes,
        };
        inner.first.put(key, new, moment);
    }

    /// Until when the first tier serves what is put in now.
    pub(crate) fn serve_until(&self, fresh_until: Timestamp, blind: bool) -> Timestamp {
        let inner = &self.inner;
        if blind || !inner.first.is_trusted() {
            fresh_until.min(inner.options.clock.now().after(inner.options.blind_ttl))
        } else {
            fresh_until
        }
    }
}
