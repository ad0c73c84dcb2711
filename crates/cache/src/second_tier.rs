//! The database behind: every request bounded in time, counted by the breaker, and never before
//! the removals that are still to be delivered.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compartment_core::{Error, ErrorKind, Expiry, Result, SetOptions, Timestamp};
use futures_util::future::join_all;

use crate::envelope::StampSeen;
use crate::inner::Inner;
use crate::message::{Message, News};
use crate::pending_removals::Pending;
use crate::stamps::{Stamp, WHOLE, key_of};

/// Stamps are kept far longer than anything that was made under them.
const STAMP_TTL: Duration = Duration::from_secs(366 * 86_400);
/// Names in one request.
const PAGE: usize = 500;

/// The stamps that a load goes by.
#[derive(Clone, Debug)]
pub(crate) struct LoadStamps {
    pub(crate) seen: Vec<StampSeen>,
    /// Nothing of this is to be kept.
    pub(crate) no_cache: bool,
    /// The database could not be asked: they hold in this process only.
    pub(crate) blind: bool,
}

impl Inner {
    /// Runs a request, once what was to be removed is removed.
    pub(crate) async fn call<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        if self.pending.any() {
            self.deliver().await?;
        }
        self.guarded(request).await
    }

    async fn guarded<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        self.guarded_for(1, self.options.database_timeout, request).await
    }

    /// The same for a request that stands for several, and has so much time left.
    async fn guarded_for<T>(
        &self,
        requests: usize,
        limit: Duration,
        request: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let clock = &self.options.clock;
        let Some(permit) = self.breaker.permit(clock.now()) else {
            return Err(self.away("it did not answer of late, and is left alone for a moment"));
        };
        let answer = tokio::select! {
            biased;
            answer = request => answer,
            () = clock.sleep(limit) => Err(Error::new(
                ErrorKind::Timeout,
                "ask the cache",
                format!("no answer within {:?}", self.options.database_timeout),
            )
            .in_database(self.database.name())),
        };
        match &answer {
            Err(error) if is_away(error.kind()) => permit.failed(clock.now(), requests),
            _ => permit.succeeded(),
        }
        answer
    }

    fn away(&self, why: &str) -> Error {
        Error::new(ErrorKind::Unavailable, "ask the cache", why).in_database(self.database.name())
    }

    /// Delivers what could not be removed before. While one does, others go without the database.
    async fn deliver(&self) -> Result<()> {
        let Ok(_turn) = self.pending.delivery.try_lock() else {
            return Err(self.away("removals are being delivered"));
        };
        let pending = self.pending.take_copy();
        let store = self.database.key_value();
        for (name, stamp) in &pending.stamps {
            let options = SetOptions::expiring(STAMP_TTL);
            self.guarded(store.set(&key_of(name), stamp.to_bytes(), options)).await?;
            self.book.note(name, *stamp);
        }
        let keys: Vec<String> = pending.keys.keys().cloned().collect();
        for page in keys.chunks(PAGE) {
            self.guarded(store.delete(page)).await?;
        }
        self.guarded(self.publish(news_of(&pending))).await?;
        self.pending.delivered(&pending);
        Ok(())
    }

    /// The values of `keys`; a key that holds another type is one that has nothing.
    pub(crate) async fn read(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>> {
        let store = self.database.key_value();
        let all = match keys {
            [] => return Ok(Vec::new()),
            [key] => self.call(store.get(key)).await.map(|value| vec![value]),
            keys => self.call(store.get_many(keys)).await,
        };
        self.each_where_types_differ(keys, all).await
    }

    /// The values of keys that several readers wait for, until `deadline`.
    pub(crate) async fn read_until(
        &self,
        keys: &[String],
        deadline: Timestamp,
    ) -> Result<Vec<Option<Bytes>>> {
        if self.pending.any() {
            self.deliver().await?;
        }
        let limit = deadline.since(self.options.clock.now());
        let all = self.database.key_value().get_many(keys);
        let all = self.guarded_for(keys.len(), limit, all).await;
        self.each_where_types_differ(keys, all).await
    }

    /// One key of another type fails all that are read with it: then each is read by itself.
    async fn each_where_types_differ(
        &self,
        keys: &[String],
        all: Result<Vec<Option<Bytes>>>,
    ) -> Result<Vec<Option<Bytes>>> {
        let store = self.database.key_value();
        match all {
            Err(error) if error.kind() == ErrorKind::WrongType => {
                let each = join_all(keys.iter().map(|key| self.call(store.get(key)))).await;
                each.into_iter()
                    .map(|value| match value {
                        Err(error) if error.kind() == ErrorKind::WrongType => Ok(None),
                        other => other,
                    })
                    .collect()
            }
            other => other,
        }
    }

    /// Puts `replacement` in the place of exactly `expected`.
    pub(crate) async fn swap(
        &self,
        key: &str,
        expected: Option<Bytes>,
        replacement: Option<Bytes>,
        ttl: Duration,
    ) -> Result<bool> {
        // Less than a millisecond would be refused as none.
        let expiry = Expiry::After(ttl.max(Duration::from_millis(1)));
        let store = self.database.key_value();
        self.call(store.compare_and_set(key, expected, replacement, expiry)).await
    }

    /// Whether an entry's stamps hold, by what is known here or else in the database.
    pub(crate) async fn holds(&self, seen: &[StampSeen]) -> Result<bool> {
        let known = seen.iter().map(|seen| (&*seen.name, seen.token));
        if self.first.is_trusted() && self.book.is_certain(known) {
            return Ok(true);
        }
        let names: Vec<_> = seen.iter().map(|stamp| Arc::clone(&stamp.name)).collect();
        let found = self.read_stamps(&names).await?;
        Ok(seen
            .iter()
            .zip(found)
            .all(|(seen, found)| found.is_some_and(|stamp| stamp.token == seen.token)))
    }

    async fn read_stamps(&self, names: &[Arc<str>]) -> Result<Vec<Option<Stamp>>> {
        let before: Vec<_> = names.iter().map(|name| self.book.before(name)).collect();
        let keys: Vec<String> = names.iter().map(|name| key_of(name)).collect();
        let values = self.read(&keys).await?;
        let stamps: Vec<Option<Stamp>> =
            values.iter().map(|value| value.as_deref().and_then(Stamp::read)).collect();
        for ((name, before), stamp) in names.iter().zip(before).zip(&stamps) {
            if let Some(stamp) = stamp {
                self.book.note_read(name, *stamp, before);
            }
        }
        Ok(stamps)
    }

    /// The stamps of `labels` and of the whole, made where there are none yet.
    pub(crate) async fn stamps(&self, labels: &[Arc<str>]) -> LoadStamps {
        let mut names = Vec::with_capacity(labels.len() + 1);
        names.push(Arc::from(WHOLE));
        names.extend(labels.iter().map(Arc::clone));
        let (stamps, blind) = match self.known_or_made(&names).await {
            Ok(stamps) => (stamps, false),
            Err(_) => (names.iter().map(|name| self.provisional(name)).collect(), true),
        };
        let no_cache = stamps.iter().any(|stamp: &Stamp| stamp.no_cache);
        let seen = names.into_iter().zip(stamps);
        let seen = seen.map(|(name, stamp)| StampSeen { name, token: stamp.token }).collect();
        LoadStamps { seen, no_cache, blind }
    }

    /// A stamp that holds in this process until the database can be asked: enough to tell whether
    /// this process has invalidated it.
    fn provisional(&self, name: &str) -> Stamp {
        let stamp = self.book.last(name).unwrap_or_else(|| Stamp::new(false));
        self.book.note_provisional(name, stamp);
        stamp
    }

    async fn known_or_made(&self, names: &[Arc<str>]) -> Result<Vec<Stamp>> {
        if self.first.is_trusted() && !self.pending.any() {
            let known: Option<Vec<Stamp>> = names.iter().map(|name| self.book.get(name)).collect();
            if let Some(known) = known {
                return Ok(known);
            }
        }
        let found = self.read_stamps(names).await?;
        let mut stamps = Vec::with_capacity(names.len());
        for (name, found) in names.iter().zip(found) {
            stamps.push(match found {
                Some(stamp) => stamp,
                None => self.make_stamp(name).await?,
            });
        }
        Ok(stamps)
    }

    /// Makes a stamp where there is none; that of another process if it was quicker.
    async fn make_stamp(&self, name: &str) -> Result<Stamp> {
        let store = self.database.key_value();
        loop {
            let (before, stamp) = (self.book.before(name), Stamp::new(false));
            let options = SetOptions::expiring(STAMP_TTL).if_absent();
            if self.call(store.set(&key_of(name), stamp.to_bytes(), options)).await? {
                self.book.note_read(name, stamp, before);
                return Ok(stamp);
            }
            let found = self.read_stamps(&[name.into()]).await?;
            if let Some(stamp) = found.into_iter().next().flatten() {
                return Ok(stamp);
            }
            // What stands there is no stamp, or ended in between.
            let options = SetOptions::expiring(STAMP_TTL).if_present();
            self.call(store.set(&key_of(name), stamp.to_bytes(), options)).await?;
        }
    }

    /// Gives a stamp a new number: whatever hangs on it does not hold any more. Whether the
    /// database knows.
    pub(crate) async fn renew_stamp(&self, name: &str, stamp: Stamp) -> bool {
        let store = self.database.key_value();
        // Here first, so that whoever reads here from now on finds nothing old.
        self.book.note(name, stamp);
        let options = SetOptions::expiring(STAMP_TTL);
        let key = key_of(name);
        let request = store.set(&key, stamp.to_bytes(), options);
        let mut delivered = self.call(request).await.is_ok();
        // And again: somebody may have read the old one meanwhile.
        self.book.note(name, stamp);
        if delivered {
            delivered = self.tell(vec![News::Stamp(name.into(), stamp)]).await;
        }
        if !delivered {
            self.pending.add_stamp(name, stamp);
        }
        delivered
    }

    /// Tells the other processes; whether it was sent.
    pub(crate) async fn tell(&self, news: Vec<News>) -> bool {
        // Loads of this process may wait as well, for a set or for a load from before a loss.
        for one in &news {
            if let News::Key(key) = one {
                self.first.done(key);
            }
        }
        self.heard.send_modify(|count| *count += 1);
        self.call(self.publish(news)).await.is_ok()
    }

    async fn publish(&self, news: Vec<News>) -> Result<()> {
        if news.is_empty() {
            return Ok(());
        }
        let message = Message { sender: self.sender, news }.to_bytes();
        self.database.channel().publish(crate::inner::CHANNEL, message).await
    }
}

fn news_of(pending: &Pending) -> Vec<News> {
    let keys = pending.keys.keys().cloned().map(News::Key);
    let stamps = pending.stamps.iter().map(|(name, s)| News::Stamp(name.clone(), *s));
    keys.chain(stamps).collect()
}

/// Whether an error says that the database is away, and not that a request is wrong.
fn is_away(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unavailable
            | ErrorKind::Interrupted
            | ErrorKind::Timeout
            | ErrorKind::NotReady
            | ErrorKind::ReadOnly
            | ErrorKind::Authentication
            | ErrorKind::Permission
            | ErrorKind::Protocol
            | ErrorKind::Configuration
    )
}
