//! Setting and removing, and invalidating by document, tag and pattern.

use std::collections::BTreeSet;
use std::sync::Arc;

use compartment_core::{
    Codec, Error, ErrorKind, HOUSEKEEPING_PREFIX, Result, SetOptions, TypedKey,
};
use futures_util::StreamExt;

use crate::cache::{Cache, Cached, Delivery, Stored, Terms, erase};
use crate::document_limit::Asking;
use crate::envelope::{Envelope, LeaseMark, Payload};
use crate::first_tier::NewEntry;
use crate::message::News;
use crate::metrics::{Refusal, add};
use crate::second_tier::LoadStamps;
use crate::stamps::{Stamp, document, document_at, key_of, tag};
use crate::unique::unique;

/// Keys that are deleted in one request.
const PAGE: usize = 500;

impl Cache {
    /// Sets `key`.
    ///
    /// The key is first emptied and then filled: a request that a paused server executes late
    /// cannot bring the value back once somebody has removed it.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`], and for a key of another database. A database that does not answer
    /// is no error: see [`Stored::Pending`].
    pub async fn set<V: Cached>(
        &self,
        key: &TypedKey<V>,
        value: impl Into<Arc<V>>,
    ) -> Result<Stored> {
        self.check(key)?;
        let inner = &self.inner;
        if !inner.options.enabled {
            return Ok(Stored::Refused);
        }
        let (value, terms, name) = (value.into(), self.terms(key), key.as_str());
        let encoded = key
            .template()
            .codec()
            .encode(&*value)
            .map_err(|error| error.in_database(inner.database.name()).at_key(name))?;
        inner.first.written(name);
        let stamps = inner.stamps(&self.labels).await;
        let times = terms.policy.times(inner.options.clock.as_ref(), terms.ttl, unique());
        let (bytes, in_process) = (encoded.len(), Codec::decoded_len(&encoded));
        let envelope = Envelope {
            payload: Payload::Value(encoded),
            times,
            lease: None,
            stamps: stamps.seen.clone(),
        };
        let packed = envelope.to_bytes();
        let ttl = times.stale_until.since(times.created);
        let asking = Asking { key: name, bytes: packed.len(), ttl };
        if let Some(refusal) = self.refusal(&terms, &stamps, asking).await {
            terms.counters.refuse(refusal);
            return Ok(match self.remove_names(vec![name.to_owned()]).await {
                Delivery::Delivered => Stored::Refused,
                Delivery::Pending => Stored::Pending,
            });
        }
        let moment = inner.first.moment(name);
        let mark = LeaseMark { token: unique(), until: times.created.after(terms.policy.lease) };
        let place = Envelope::held(None, mark, &stamps.seen).to_bytes();
        let written = async {
            let options = SetOptions::expiring(terms.policy.lease);
            let store = inner.database.key_value();
            inner.call(store.set(name, place.clone(), options)).await?;
            inner.swap(name, Some(place.clone()), Some(packed), ttl).await
        };
        let written = if stamps.blind { None } else { written.await.ok() };
        let since = inner.first.written_since(name, moment);
        let blind = written.is_none();
        if let (Some(true) | None, Some(since), true) = (written, since, terms.policy.first_tier) {
            let new = NewEntry {
                value: erase(Some(&value)),
                times,
                eager_at: terms.policy.eager_at(times),
                serve_until: self.serve_until(times.fresh_until, blind),
                stamps: stamps.seen,
                counters: Arc::clone(&terms.counters),
                bytes: in_process,
            };
            inner.first.put(name, new, since);
        }
        Ok(match written {
            Some(true) => {
                add(&terms.counters.sets, 1);
                add(&terms.counters.bytes, bytes as u64);
                if !inner.tell(vec![News::Key(name.to_owned())]).await {
                    // Others may have the old one: with it removed here they are told again.
                    inner.pending.add_keys([name.to_owned()]);
                }
                Stored::Stored
            }
            Some(false) => {
                add(&terms.counters.superseded, 1);
                Stored::Superseded
            }
            None => {
                inner.pending.add_keys([name.to_owned()]);
                Stored::Pending
            }
        })
    }

    /// Why an entry is not kept, if it is not.
    pub(crate) async fn refusal(
        &self,
        terms: &Terms,
        stamps: &LoadStamps,
        asking: Asking<'_>,
    ) -> Option<Refusal> {
        if stamps.no_cache {
            return Some(Refusal::NoCache);
        }
        if asking.bytes > terms.policy.max_entry_bytes {
            return Some(Refusal::Entry);
        }
        if stamps.blind {
            return None;
        }
        let limit = terms.policy.max_document_bytes;
        let has_room = self.inner.has_room(&stamps.seen, asking, limit).await;
        (!has_room).then_some(Refusal::Document)
    }

    /// Removes `key`, and what is being loaded for it: a load that began before is not kept.
    ///
    /// # Errors
    /// For a key of another database.
    pub async fn remove<V>(&self, key: &TypedKey<V>) -> Result<Delivery> {
        self.check(key)?;
        add(&self.inner.metrics.invalidations, 1);
        Ok(self.remove_names(vec![key.as_str().to_owned()]).await)
    }

    /// Removes keys in one request.
    ///
    /// # Errors
    /// For a key of another database.
    pub async fn remove_many<V>(&self, keys: &[TypedKey<V>]) -> Result<Delivery> {
        for key in keys {
            self.check(key)?;
        }
        add(&self.inner.metrics.invalidations, keys.len() as u64);
        Ok(self.remove_names(keys.iter().map(|key| key.as_str().to_owned()).collect()).await)
    }

    /// Invalidates everything that was derived from document `id`, at once and however much it
    /// is, what is being loaded from it included.
    pub async fn invalidate_document(&self, id: &str) -> Delivery {
        self.invalidate(&document(id)).await
    }

    /// Invalidates everything that has `tag`; as [`Cache::invalidate_document`].
    pub async fn invalidate_tag(&self, name: &str) -> Delivery {
        self.invalidate(&tag(name)).await
    }

    /// Invalidates everything in the database.
    pub async fn invalidate_all(&self) -> Delivery {
        self.invalidate(crate::stamps::WHOLE).await
    }

    /// Marks document `id` as one of which nothing is kept, or takes the mark back. What was kept
    /// of it is invalidated.
    pub async fn set_no_cache(&self, id: &str, no_cache: bool) -> Delivery {
        self.renew(&document(id), Stamp::new(no_cache)).await
    }

    /// Whether document `id` is marked; `None` when the database cannot be asked.
    pub async fn is_no_cache(&self, id: &str) -> Option<bool> {
        self.mark_of(&document(id)).await
    }

    /// Whether a stamp has the mark, by what is known here or else in the database.
    async fn mark_of(&self, name: &str) -> Option<bool> {
        if let (Some(stamp), true) = (self.inner.book.get(name), self.inner.first.is_trusted()) {
            return Some(stamp.no_cache);
        }
        let found = self.inner.read(&[key_of(name)]).await.ok()?;
        let stamp = found.into_iter().flatten().next().and_then(|bytes| Stamp::read(&bytes));
        Some(stamp.is_some_and(|stamp| stamp.no_cache))
    }

    /// The documents that are marked, in order: a walk over the names of all that were ever
    /// cached.
    ///
    /// # Errors
    /// As a scan's, when the database does not answer.
    pub async fn no_cache_documents(&self) -> Result<Vec<String>> {
        let mut scan = self.inner.database.key_value().scan(&key_of(&document("*")));
        let mut keys = BTreeSet::new();
        while let Some(key) = scan.next().await {
            keys.insert(key?);
        }
        let keys: Vec<String> = keys.into_iter().collect();
        let mut marked = Vec::new();
        for page in keys.chunks(PAGE) {
            let stamps = self.inner.read(page).await?;
            for (key, stamp) in page.iter().zip(stamps) {
                let stamp = stamp.as_deref().and_then(Stamp::read);
                if stamp.is_some_and(|stamp| stamp.no_cache) {
                    marked.extend(document_at(key).map(str::to_owned));
                }
            }
        }
        Ok(marked)
    }

    async fn invalidate(&self, name: &str) -> Delivery {
        if !self.inner.options.enabled {
            return Delivery::Delivered;
        }
        // The mark outlives an invalidation; where it cannot be read, what is known here counts.
        let known = || self.inner.book.last(name).is_some_and(|stamp| stamp.no_cache);
        let no_cache = self.mark_of(name).await.unwrap_or_else(known);
        self.renew(name, Stamp::new(no_cache)).await
    }

    async fn renew(&self, name: &str, stamp: Stamp) -> Delivery {
        add(&self.inner.metrics.invalidations, 1);
        if self.inner.renew_stamp(name, stamp).await {
            Delivery::Delivered
        } else {
            Delivery::Pending
        }
    }

    /// How many keys of the database match Redis's glob `pattern`: to be looked at before
    /// [`Cache::remove_matching`].
    ///
    /// # Errors
    /// As a scan's, when the database does not answer.
    pub async fn count_matching(&self, pattern: &str) -> Result<u64> {
        Ok(self.matching(pattern).await?.len() as u64)
    }

    /// Removes the keys that match `pattern`, if they are not more than `at_most`; how many.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when there are more, and then none is removed; as a scan's.
    pub async fn remove_matching(&self, pattern: &str, at_most: u64) -> Result<u64> {
        let names = self.matching(pattern).await?;
        let count = names.len() as u64;
        if count > at_most {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "remove by pattern",
                format!("{count} keys match {pattern:?}, and at most {at_most} may be removed"),
            )
            .in_database(self.inner.database.name()));
        }
        add(&self.inner.metrics.invalidations, count);
        let names: Vec<String> = names.into_iter().collect();
        for page in names.chunks(PAGE) {
            // What is not delivered is kept.
            let _ = self.remove_names(page.to_vec()).await;
        }
        Ok(count)
    }

    /// Names only: stamps and sizes are the cache's own, and are left out.
    async fn matching(&self, pattern: &str) -> Result<BTreeSet<String>> {
        let mut scan = self.inner.database.key_value().scan(pattern);
        let mut names = BTreeSet::new();
        while let Some(name) = scan.next().await {
            let name = name?;
            if !name.starts_with(HOUSEKEEPING_PREFIX) {
                names.insert(name);
            }
        }
        Ok(names)
    }

    pub(crate) async fn remove_names(&self, names: Vec<String>) -> Delivery {
        let inner = &self.inner;
        if !inner.options.enabled || names.is_empty() {
            return Delivery::Delivered;
        }
        for name in &names {
            inner.first.written(name);
        }
        let store = inner.database.key_value();
        let mut delivered = inner.call(store.delete(&names)).await.is_ok();
        // And again: somebody may have read the old one before it was deleted.
        for name in &names {
            inner.first.written(name);
        }
        if delivered {
            delivered = inner.tell(names.iter().cloned().map(News::Key).collect()).await;
        }
        if delivered {
            return Delivery::Delivered;
        }
        inner.pending.add_keys(names);
        Delivery::Pending
    }
}
