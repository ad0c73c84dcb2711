//! Lookup of a key in both tiers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compartment_core::{Codec, Error, ErrorKind, MonotonicInstant, Result, Timestamp, TypedKey};

use crate::cache::{Cache, Cached, Lookup, Terms, erase, typed};
use crate::first::tier::{Moment, NewEntry, State};
use crate::life::{Age, Moment64};
use crate::metrics::counters::add;
use crate::second::envelope::{Envelope, PayloadView, View, is_foreign};

/// The state of a key in both tiers. A value of `None` is a known absence.
pub(crate) enum Seen<V> {
    /// The value may be served.
    Fresh { value: Option<Arc<V>>, created: Timestamp, eager: bool },
    /// There is no value, or only one that may be served as a last resort.
    Lacking {
        ended: Option<Ended<V>>,
        /// The bytes in the database, if they are known.
        raw: Option<Option<Bytes>>,
    },
}

/// The state of a key in the first tier.
pub(crate) enum SeenFirst<V> {
    Fresh {
        value: Option<Arc<V>>,
        created: Timestamp,
        eager: bool,
    },
    Ended(Ended<V>),
    Nothing,
    /// A value of another type, which may be served to other callers.
    OtherType,
}

/// A value that has expired, or that may be outdated.
#[derive(Debug)]
pub(crate) struct Ended<V> {
    pub(crate) value: Option<Arc<V>>,
    /// When it expired, or will.
    at: Moment64,
    /// How long it had been expired by then.
    before: Duration,
}

// By hand, because a derive would require `V: Clone`.
impl<V> Clone for Ended<V> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), at: self.at, before: self.before }
    }
}

impl<V> Ended<V> {
    /// How long it has been expired; `None` if it has not, and is only doubtful.
    pub(crate) fn over_for(&self, now: Moment64) -> Option<Duration> {
        (now >= self.at).then(|| now.since(self.at).saturating_add(self.before))
    }
}

/// An entry of the database, decoded and valid.
pub(crate) struct Held<V> {
    pub(crate) value: Option<Arc<V>>,
    pub(crate) envelope: Envelope,
    /// Its age
    pub(crate) age: Age,
    /// when it was read.
    read_at: MonotonicInstant,
}

impl<V> Held<V> {
    pub(crate) fn is_fresh(&self, now: MonotonicInstant) -> bool {
        self.age.fresh_for().is_some_and(|left| now.since(self.read_at) < left)
    }

    /// The remaining time in the database.
    pub(crate) fn kept_for(&self, now: MonotonicInstant) -> Duration {
        self.age.kept_for().unwrap_or_default().saturating_sub(now.since(self.read_at))
    }
}

impl Cache {
    /// The value of `key`, if there is a fresh one. If the database is unavailable, also one that may be outdated,
    /// within the policy's limit for errors.
    ///
    /// # Errors
    /// For a key of another database or a policy out of bounds; for a key whose value was not written by a cache
    /// ([`ErrorKind::Decode`]), or that this process also uses for values of another type
    /// ([`ErrorKind::InvalidArgument`]). If the database does not answer, the value is missing.
    pub async fn get<V: Cached>(&self, key: &TypedKey<V>) -> Result<Option<Arc<V>>> {
        match self.lookup(key).await? {
            Lookup::Found(value) => Ok(Some(value)),
            Lookup::Absent | Lookup::Unknown => Ok(None),
        }
    }

    /// Looks `key` up without loading; the answer distinguishes an absent value from an unknown one.
    ///
    /// # Errors
    /// As [`Cache::get`].
    pub async fn lookup<V: Cached>(&self, key: &TypedKey<V>) -> Result<Lookup<V>> {
        self.check(key)?;
        Ok(match self.look(key).await? {
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
        terms.counters.miss(self.inner.options.clock.monotonic());
        Lookup::Unknown
    }

    /// The stale value to serve instead of an error, if there is one; it is counted.
    pub(crate) fn on_error<V>(
        &self,
        ended: Option<Ended<V>>,
        terms: &Terms,
    ) -> Option<Option<Arc<V>>> {
        let (ended, now) = (ended?, self.inner.options.clock.monotonic());
        if ended.over_for(Moment64::of(now)).is_some_and(|over| over >= terms.policy.stale_on_error)
        {
            return None;
        }
        terms.counters.stale_hit(now);
        Some(ended.value)
    }

    /// Looks into the first tier, then into the database.
    pub(crate) async fn look<V: Cached>(&self, key: &TypedKey<V>) -> Result<Seen<V>> {
        let inner = &self.inner;
        if !inner.options.enabled {
            return Ok(Seen::Lacking { ended: None, raw: None });
        }
        // Without a first tier, the key is not looked up there either.
        let (mut ended, mut moment, mut has_other_type) = (None, None, false);
        if self.policy_of(key).first_tier {
            match self.look_first(key.as_str()) {
                SeenFirst::Fresh { value, created, eager } => {
                    return Ok(Seen::Fresh { value, created, eager });
                }
                SeenFirst::Ended(found) => ended = Some(found),
                SeenFirst::Nothing => {}
                SeenFirst::OtherType => has_other_type = true,
            }
            moment = Some(inner.first.moment(key.as_str()));
        }
        inner.keep_listening();
        let Ok(raw) = inner.read_one(key.as_str()).await else {
            return Ok(Seen::Lacking { ended, raw: None });
        };
        if has_other_type {
            self.check_type(key, raw.as_ref())?;
        }
        self.judge(key, raw.as_ref(), moment, ended).await
    }

    /// The first tier's fresh value, or one that may be served as a last resort.
    pub(crate) fn look_first<V: Cached>(&self, key: &str) -> SeenFirst<V> {
        let inner = &self.inner;
        let instant = inner.options.clock.monotonic();
        let now = Moment64::of(instant);
        let seen = inner.first.look(key, &inner.book, now, |entry, state| {
            let Ok(value) = typed(&entry.value) else { return SeenFirst::OtherType };
            if state != State::Fresh {
                let at = entry.fresh_until();
                return SeenFirst::Ended(Ended { value, at, before: Duration::ZERO });
            }
            entry.counters.first_hit(instant);
            let (created, eager) = (entry.created, now >= entry.eager_at);
            SeenFirst::Fresh { value, created, eager }
        });
        seen.unwrap_or(SeenFirst::Nothing)
    }

    /// Rejects a value that was not written by a cache: overwriting it would destroy another program's data.
    pub(crate) fn foreign(&self, key: &str, raw: &[u8]) -> Option<Error> {
        let error = || {
            Error::new(
                ErrorKind::Decode,
                "read from the cache",
                "its value was not written by a cache, but by `Databases::write` or another \
                 program: read it there, or remove it and let the cache load it",
            )
            .in_database(self.inner.database.name())
            .at_key(key)
        };
        is_foreign(raw).then(error)
    }

    /// Rejects a type that cannot be decoded, if this process also uses the key for another type.
    pub(crate) fn check_type<V: Cached>(
        &self,
        key: &TypedKey<V>,
        raw: Option<&Bytes>,
    ) -> Result<()> {
        let Some(view) = raw.and_then(|raw| View::read(raw)) else { return Ok(()) };
        let PayloadView::Value(bytes) = view.payload() else { return Ok(()) };
        let limit = self.policy_of(key).decode_limit();
        let Err(error) = Codec::decode_within::<V>(bytes, limit) else { return Ok(()) };
        Err(Error::new(
            ErrorKind::InvalidArgument,
            "read from the cache",
            format!(
                "this process uses the key for values of another type as well as for {}",
                std::any::type_name::<V>()
            ),
        )
        .in_database(self.inner.database.name())
        .at_key(key.as_str())
        .caused_by(error))
    }

    /// Classifies the bytes of the database as fresh, expired or invalid. A fresh value is kept in the first tier,
    /// unless the key was written since `moment`.
    pub(crate) async fn judge<V: Cached>(
        &self,
        key: &TypedKey<V>,
        raw: Option<&Bytes>,
        moment: Option<Moment>,
        ended: Option<Ended<V>>,
    ) -> Result<Seen<V>> {
        if let Some(refusal) = raw.and_then(|raw| self.foreign(key.as_str(), raw)) {
            return Err(refusal);
        }
        let Ok(valid) = self.valid(key, raw).await else {
            return Ok(Seen::Lacking { ended, raw: None });
        };
        let Some((value, view, age)) = valid else {
            // It was invalidated or has expired completely: the first tier's value is no better.
            return Ok(Seen::Lacking { ended: None, raw: Some(raw.cloned()) });
        };
        let now = self.inner.options.clock.monotonic();
        if age.fresh_for().is_none() {
            let ended = Some(Ended { value, at: Moment64::of(now), before: age.over_for() });
            return Ok(Seen::Lacking { ended, raw: Some(raw.cloned()) });
        }
        let (policy, counters) = (self.policy_of(key), self.counters_of(key));
        counters.second_hit(now);
        if let (true, Some(moment)) = (policy.first_tier, moment) {
            self.keep(key.as_str(), value.as_ref(), &view, age, &self.terms(key), moment);
        }
        let eager = policy.eager_refresh.is_some_and(|share| age.is_past(share));
        Ok(Seen::Fresh { value, created: view.times.created, eager })
    }

    /// The entry of these bytes, if it may be served at all; the error means that the database is unavailable.
    pub(crate) async fn held<V: Cached>(
        &self,
        key: &TypedKey<V>,
        raw: Option<&Bytes>,
    ) -> std::result::Result<Option<Held<V>>, ()> {
        let Some((value, view, age)) = self.valid(key, raw).await? else { return Ok(None) };
        let read_at = self.inner.options.clock.monotonic();
        let held = |raw| Held { value, envelope: view.to_envelope(raw), age, read_at };
        Ok(raw.map(held))
    }

    /// The decoded value of these bytes, its header and its age.
    async fn valid<'a, V: Cached>(
        &self,
        key: &TypedKey<V>,
        raw: Option<&'a Bytes>,
    ) -> std::result::Result<Option<(Option<Arc<V>>, View<'a>, Age)>, ()> {
        let Some(view) = raw.and_then(|raw| View::read(raw)) else { return Ok(None) };
        if view.payload() == PayloadView::Nothing {
            return Ok(None);
        }
        let age = match Age::by_wall(view.times, self.inner.options.clock.now()) {
            Some(age) => age,
            // The entry is from the future, by the clock of its writer or of this process.
            None => {
                let rest = self.inner.rest_of(key.as_str()).await.map_err(drop)?;
                let Some(age) = rest.and_then(|rest| Age::by_rest(view.times, rest)) else {
                    return Ok(None);
                };
                age
            }
        };
        if age.kept_for().is_none() {
            return Ok(None);
        }
        let value = match view.payload() {
            PayloadView::Value(bytes) => match self.decoded(key, bytes) {
                Some(value) => Some(Arc::new(value)),
                None => return Ok(None),
            },
            PayloadView::Absent | PayloadView::Nothing => None,
        };
        let inner = &self.inner;
        let holds = (inner.first.is_trusted() && inner.book.is_certain(view.stamps()))
            || inner.holds(&view.stamps_seen()).await.map_err(drop)?;
        Ok(holds.then_some((value, view, age)))
    }

    /// The value of an entry; `None` if another version of the type wrote it, or if it could take more memory than an
    /// entry of this template may.
    fn decoded<V: Cached>(&self, key: &TypedKey<V>, bytes: &[u8]) -> Option<V> {
        match Codec::decode_within(bytes, self.policy_of(key).decode_limit()) {
            Ok(Some(value)) => Some(value),
            Ok(None) => {
                add(&self.counters_of(key).oversized, 1);
                None
            }
            Err(_) => None,
        }
    }

    /// Keeps an entry of the database in the first tier, for the time it has left and at most as long as this
    /// process's own policy allows from now on.
    pub(crate) fn keep<V: Cached>(
        &self,
        key: &str,
        value: Option<&Arc<V>>,
        view: &View<'_>,
        age: Age,
        terms: &Terms,
        moment: Moment,
    ) {
        let Some(left) = age.fresh_for() else { return };
        if !terms.policy.first_tier {
            return;
        }
        let bytes = match view.payload() {
            PayloadView::Value(bytes) => Codec::decoded_len(bytes),
            PayloadView::Absent | PayloadView::Nothing => 0,
        };
        let longest = match (value, terms.policy.negative_ttl) {
            (None, Some(negative_ttl)) => negative_ttl,
            _ => terms.ttl,
        };
        let now = Moment64::of(self.inner.options.clock.monotonic());
        let fresh_until = now.after(left.min(longest));
        let eager_at = match terms.policy.eager_refresh {
            Some(share) => now.after(age.until(share)),
            None => Moment64::NEVER,
        };
        let new = NewEntry {
            value: erase(value),
            created: view.times.created,
            eager_at,
            fresh_until,
            serve_until: self.serve_until(fresh_until, false, now),
            stamps: view.stamps_seen(),
            counters: Arc::clone(&terms.counters),
            bytes,
        };
        self.inner.first.put(key, new, moment);
    }

    /// Until when the first tier serves a value that is stored now.
    pub(crate) fn serve_until(
        &self,
        fresh_until: Moment64,
        blind: bool,
        now: Moment64,
    ) -> Moment64 {
        let inner = &self.inner;
        if blind || !inner.first.is_trusted() {
            fresh_until.min(now.after(inner.options.blind_ttl))
        } else {
            fresh_until
        }
    }
}
