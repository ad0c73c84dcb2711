//! Looking a key up in both tiers.

use std::sync::Arc;

use bytes::Bytes;
use compartment_core::{Codec, Result, Timestamp, TypedKey};

use crate::cache::{Cache, Cached, Lookup, Terms, erase, typed};
use crate::envelope::{Envelope, PayloadView, View};
use crate::first_tier::{Moment, NewEntry, State};
use crate::reads::Away;

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
        if !self.inner.options.enabled {
            return Lookup::Unknown;
        }
        terms.counters.miss(self.inner.options.clock.now());
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
        terms.counters.stale_hit(now);
        Some(ended.value)
    }

    /// Looks into the first tier, then into the database.
    pub(crate) async fn look<V: Cached>(&self, key: &TypedKey<V>) -> Seen<V> {
        let inner = &self.inner;
        if !inner.options.enabled {
            return Seen::Lacking { ended: None, raw: None };
        }
        // What is not kept in the process is not looked for there either.
        let (mut ended, mut moment) = (None, None);
        if self.policy_of(key).first_tier {
            match self.look_first(key.as_str()) {
                Ok(fresh) => return fresh,
                Err(found) => ended = found,
            }
            moment = Some(inner.first.moment(key.as_str()));
        }
        match inner.read_one(key.as_str()).await {
            Ok(answer) => self.judge(key, answer.bytes(), moment, ended).await,
            Err(Away) => Seen::Lacking { ended, raw: None },
        }
    }

    /// What the first tier has: something fresh, or something that may do.
    pub(crate) fn look_first<V: Cached>(
        &self,
        key: &str,
    ) -> std::result::Result<Seen<V>, Option<Ended<V>>> {
        let inner = &self.inner;
        let now = inner.options.clock.now();
        let seen = inner.first.look(key, &inner.book, now, |entry, state| {
            let value = typed(&entry.value).ok()?;
            if state != State::Fresh {
                return Some(Err(Ended { value, since: entry.fresh_until() }));
            }
            entry.counters.first_hit(now);
            let (created, eager) = (entry.created, now >= entry.eager_at);
            Some(Ok(Seen::Fresh { value, created, eager }))
        });
        match seen.flatten() {
            Some(Ok(fresh)) => Ok(fresh),
            Some(Err(ended)) => Err(Some(ended)),
            None => Err(None),
        }
    }

    /// What stands in the database is fresh, or has ended, or is nothing that holds. Fresh, it is
    /// kept in the first tier, if nobody has written it since `moment`.
    pub(crate) async fn judge<V: Cached>(
        &self,
        key: &TypedKey<V>,
        raw: Option<&Bytes>,
        moment: Option<Moment>,
        ended: Option<Ended<V>>,
    ) -> Seen<V> {
        let now = self.inner.options.clock.now();
        let valid = match self.valid(raw, now).await {
            Ok(valid) => valid,
            Err(()) => return Seen::Lacking { ended, raw: None },
        };
        let Some((value, view)) = valid else {
            // It was invalidated, or it ended for good: what the first tier had is no better.
            return Seen::Lacking { ended: None, raw: Some(raw.cloned()) };
        };
        let times = view.times;
        if now >= times.fresh_until {
            let ended = Some(Ended { value, since: times.fresh_until });
            return Seen::Lacking { ended, raw: Some(raw.cloned()) };
        }
        let (policy, counters) = (self.policy_of(key), self.counters_of(key));
        counters.second_hit(now);
        if let (true, Some(moment)) = (policy.first_tier, moment) {
            self.keep(key.as_str(), value.as_ref(), &view, &self.terms(key), moment);
        }
        Seen::Fresh { value, created: times.created, eager: now >= policy.eager_at(times) }
    }

    /// The entry of these bytes, if it may be served at all; the error: the database is away.
    pub(crate) async fn held<V: Cached>(
        &self,
        raw: Option<&Bytes>,
    ) -> std::result::Result<Option<Held<V>>, ()> {
        let now = self.inner.options.clock.now();
        let Some((value, view)) = self.valid(raw, now).await? else { return Ok(None) };
        let envelope = raw.map(|raw| view.to_envelope(raw));
        Ok(envelope.map(|envelope| Held { value, envelope }))
    }

    /// The value of these bytes, decoded, and what stands beside it.
    async fn valid<'a, V: Cached>(
        &self,
        raw: Option<&'a Bytes>,
        now: Timestamp,
    ) -> std::result::Result<Option<(Option<Arc<V>>, View<'a>)>, ()> {
        let Some(view) = raw.and_then(|raw| View::read(raw)) else { return Ok(None) };
        if now >= view.times.stale_until {
            return Ok(None);
        }
        let value = match view.payload() {
            PayloadView::Value(bytes) => match Codec::decode::<V>(bytes) {
                Ok(value) => Some(Arc::new(value)),
                // Another version of the type wrote it.
                Err(_) => return Ok(None),
            },
            PayloadView::Absent => None,
            PayloadView::Nothing => return Ok(None),
        };
        let inner = &self.inner;
        let holds = (inner.first.is_trusted() && inner.book.is_certain(view.stamps()))
            || inner.holds(&view.stamps_seen()).await.map_err(drop)?;
        Ok(holds.then_some((value, view)))
    }

    /// Keeps an entry of the database in the first tier.
    pub(crate) fn keep<V: Cached>(
        &self,
        key: &str,
        value: Option<&Arc<V>>,
        view: &View<'_>,
        terms: &Terms,
        moment: Moment,
    ) {
        if !terms.policy.first_tier {
            return;
        }
        let times = view.times;
        let bytes = match view.payload() {
            PayloadView::Value(bytes) => Codec::decoded_len(bytes),
            PayloadView::Absent | PayloadView::Nothing => 0,
        };
        let new = NewEntry {
            value: erase(value),
            times,
            eager_at: terms.policy.eager_at(times),
            serve_until: self.serve_until(times.fresh_until, false),
            stamps: view.stamps_seen(),
            counters: Arc::clone(&terms.counters),
            bytes,
        };
        self.inner.first.put(key, new, moment);
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
