//! Writes and removals, and invalidation by document, tag and pattern.

use std::collections::BTreeSet;
use std::sync::Arc;

use compartment_core::backend::HOUSEKEEPING_PREFIX;
use compartment_core::{Codec, Error, ErrorKind, Result, SetOptions, TypedKey};
use futures_util::StreamExt;

use crate::cache::{Cache, Cached, Delivery, Stored, Terms, erase};
use crate::first::written::Written;
use crate::message::News;
use crate::metrics::counters::{Refusal, add};
use crate::second::document_limit::Asking;
use crate::second::envelope::{Envelope, LeaseMark, Payload, is_too_long};
use crate::second::pending_removals::NewStamp;
use crate::second::removal::{PAGE, Removal};
use crate::second::tier::LoadStamps;
use crate::stamps::{Stamp, document, document_at, key_of, tag};
use crate::unique::unique;

impl Cache {
    /// Sets `key`.
    ///
    /// The key is first emptied and then filled, so that a request which a paused server executes late cannot restore
    /// a value that has been removed since. If the call is dropped in between, the key is removed: see
    /// [`Delivery::Pending`].
    ///
    /// # Errors
    /// [`ErrorKind::Encode`]; for a key of another database. An unavailable database is not an error: see
    /// [`Stored::Pending`].
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
        let removal = Removal::of_keys(inner, vec![name.to_owned()]);
        let stamps = inner.stamps(&self.labels).await;
        let times = terms.policy.times(inner.options.clock.now(), terms.ttl, unique());
        let (bytes, in_process) = (encoded.len(), Codec::decoded_len(&encoded));
        let is_decodable = Codec::is_within(&encoded, terms.policy.decode_limit());
        let envelope = Envelope {
            payload: Payload::Value(encoded),
            times,
            lease: None,
            stamps: stamps.seen.clone(),
        };
        let packed = envelope.to_bytes();
        let ttl = times.stale_until.since(times.created);
        let asking = Asking { key: name, bytes: packed.len(), is_decodable, ttl };
        if let Some(refusal) = self.refusal(&terms, &stamps, asking).await {
            terms.counters.refuse(refusal);
            return Ok(match inner.remove_names(vec![name.to_owned()]).await {
                Delivery::Delivered => {
                    removal.done();
                    Stored::Refused
                }
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
        if let (Some(true) | None, Some(since)) = (written, since) {
            let new = Written {
                value: erase(Some(&value)),
                times,
                stamps: stamps.seen,
                bytes: in_process,
                is_blind: written.is_none(),
            };
            self.keep_in_process(name, &terms, new, since);
        }
        Ok(match written {
            Some(true) => {
                add(&terms.counters.sets, 1);
                add(&terms.counters.bytes, bytes as u64);
                if inner.tell(vec![News::Key(name.to_owned())]).await {
                    removal.done();
                } else {
                    // Other processes may serve the old value until they receive the message.
                    removal.keep_news(name);
                }
                Stored::Stored
            }
            Some(false) => {
                removal.done();
                add(&terms.counters.superseded, 1);
                Stored::Superseded
            }
            None => {
                removal.keep_pending();
                Stored::Pending
            }
        })
    }

    /// The reason why an entry is not stored, if there is one.
    pub(crate) async fn refusal(
        &self,
        terms: &Terms,
        stamps: &LoadStamps,
        asking: Asking<'_>,
    ) -> Option<Refusal> {
        if stamps.no_cache {
            return Some(Refusal::NoCache);
        }
        if asking.bytes > terms.policy.max_entry_bytes || !asking.is_decodable {
            return Some(Refusal::Entry);
        }
        if stamps.blind {
            return None;
        }
        let limit = terms.policy.max_document_bytes;
        let has_room = self.inner.has_room(&stamps.seen, asking, limit).await;
        (!has_room).then_some(Refusal::Document)
    }

    /// Removes `key`. The result of a load that began before is not stored.
    ///
    /// # Errors
    /// For a key of another database.
    pub async fn remove<V>(&self, key: &TypedKey<V>) -> Result<Delivery> {
        self.check(key)?;
        add(&self.inner.metrics.invalidations, 1);
        Ok(self.inner.remove_names(vec![key.as_str().to_owned()]).await)
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
        let names = keys.iter().map(|key| key.as_str().to_owned()).collect();
        Ok(self.inner.remove_names(names).await)
    }

    /// Invalidates all values derived from document `id`, including those that are being loaded. The cost does not
    /// depend on their number.
    pub async fn invalidate_document(&self, id: &str) -> Delivery {
        self.invalidate(&document(id)).await
    }

    /// Invalidates all values with `tag`; as [`Cache::invalidate_document`].
    pub async fn invalidate_tag(&self, name: &str) -> Delivery {
        self.invalidate(&tag(name)).await
    }

    /// Invalidates everything in the database.
    pub async fn invalidate_all(&self) -> Delivery {
        self.invalidate(crate::stamps::WHOLE).await
    }

    /// Marks document `id` as not cacheable, or removes the mark. Its cached values are invalidated.
    pub async fn set_no_cache(&self, id: &str, no_cache: bool) -> Delivery {
        let name = document(id);
        if is_too_long(&name) {
            // Nothing of the document is stored: such a name is rejected.
            return Delivery::Delivered;
        }
        let new = NewStamp { stamp: Stamp::new(no_cache), keeps_mark: false };
        self.inner.renew_stamp(&name, new).await
    }

    /// Whether document `id` is marked; `None` if the database does not answer.
    pub async fn is_no_cache(&self, id: &str) -> Option<bool> {
        self.mark_of(&document(id)).await
    }

    /// Whether a stamp has the mark, from the known stamps or from the database.
    async fn mark_of(&self, name: &str) -> Option<bool> {
        if let (Some(stamp), true) = (self.inner.book.get(name), self.inner.first.is_trusted()) {
            return Some(stamp.no_cache);
        }
        let found = self.inner.read(&[key_of(name)]).await.ok()?;
        let stamp = found.into_iter().flatten().next().and_then(|bytes| Stamp::read(&bytes));
        Some(stamp.is_some_and(|stamp| stamp.no_cache))
    }

    /// The marked documents, in order. Scans the stamps of all documents that were ever cached.
    ///
    /// # Errors
    /// The scan's, if the database does not answer.
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
        if !self.inner.options.enabled || is_too_long(name) {
            return Delivery::Delivered;
        }
        // The mark must survive an invalidation. If it cannot be read now, it is read on delivery.
        let known = self.inner.book.last(name).is_some_and(|stamp| stamp.no_cache);
        let unsure = NewStamp { stamp: Stamp::new(known), keeps_mark: true };
        let begun = Removal::of_stamp(&self.inner, name, unsure);
        let mark = self.mark_of(name).await;
        begun.done();
        let new = match mark {
            Some(no_cache) => NewStamp { stamp: Stamp::new(no_cache), keeps_mark: false },
            None => unsure,
        };
        self.inner.renew_stamp(name, new).await
    }

    /// How many keys of the database match Redis's glob `pattern`, to check before [`Cache::remove_matching`].
    ///
    /// # Errors
    /// The scan's, if the database does not answer.
    pub async fn count_matching(&self, pattern: &str) -> Result<u64> {
        Ok(self.matching(pattern).await?.len() as u64)
    }

    /// Removes the keys that match `pattern`, if they are at most `at_most`; returns their number. If the call is
    /// dropped after it began to remove, it continues in the background.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if there are more, and then no key is removed; the scan's.
    pub async fn remove_matching(&self, pattern: &str, at_most: u64) -> Result<u64> {
        let names = self.matching(pattern).await?;
        let count = names.len() as u64;
        if count > at_most {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "remove by pattern",
                format!("{count} keys match {pattern:?}, but at most {at_most} may be removed"),
            )
            .in_database(self.inner.database.name()));
        }
        add(&self.inner.metrics.invalidations, count);
        // Undelivered removals are kept.
        let _ = self.inner.remove_names(names.into_iter().collect()).await;
        Ok(count)
    }

    /// The matching keys without the cache's own stamps and sizes.
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
}
