//! Requests to the database: limited in time, counted by the breaker, and made after pending removals.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compartment_core::{Error, ErrorKind, Expiry, MonotonicInstant, Result, SetOptions, Ttl};
use futures_util::future::try_join_all;

use crate::error::Away;
use crate::inner::Inner;
use crate::message::{Message, News};
use crate::second::envelope::StampSeen;
use crate::second::time_limit::within;
use crate::stamps::{Stamp, WHOLE, key_of};

/// The TTL of stamps, far longer than that of any entry.
pub(crate) const STAMP_TTL: Duration = Duration::from_secs(366 * 86_400);

/// The stamps of a load.
#[derive(Clone, Debug)]
pub(crate) struct LoadStamps {
    pub(crate) seen: Vec<StampSeen>,
    /// Whether nothing derived from them may be stored.
    pub(crate) no_cache: bool,
    /// Whether the database did not answer, so that the stamps are only valid in this process.
    pub(crate) blind: bool,
}

impl Inner {
    /// Runs a request after the pending removals are delivered.
    pub(crate) async fn call<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        if self.pending.any() {
            self.deliver().await?;
        }
        self.guarded(request).await
    }

    /// Runs a request that replaces several, with the time limit `until`.
    pub(crate) async fn call_for_many<T>(
        &self,
        requests: usize,
        until: MonotonicInstant,
        request: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        if self.pending.any() {
            self.deliver().await?;
        }
        let limit = until.since(self.options.clock.monotonic());
        self.guarded_for(requests, limit, request).await
    }

    /// Runs a request within the time limit, counted by the breaker.
    pub(crate) async fn guarded<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        self.guarded_for(1, self.options.database_timeout, request).await
    }

    async fn guarded_for<T>(
        &self,
        requests: usize,
        limit: Duration,
        request: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let clock = &*self.options.clock;
        let Some(permit) = self.breaker.permit(clock.monotonic()) else {
            return Err(self.away("it has not answered recently and is not asked for a moment"));
        };
        let answer = within(clock, limit, request).await.unwrap_or_else(|| {
            let why = format!("no answer within {limit:?}");
            Err(Error::new(ErrorKind::Timeout, "ask the cache", why)
                .in_database(self.database.name()))
        });
        match &answer {
            Err(error) if is_away(error.kind()) => permit.failed(clock.monotonic(), requests),
            _ => permit.succeeded(),
        }
        answer
    }

    pub(crate) fn away(&self, why: &str) -> Error {
        Error::new(ErrorKind::Unavailable, "ask the cache", why).in_database(self.database.name())
    }

    /// Replaces the value of `key` if it is exactly `expected`.
    pub(crate) async fn swap(
        &self,
        key: &str,
        expected: Option<Bytes>,
        replacement: Option<Bytes>,
        ttl: Duration,
    ) -> Result<bool> {
        // A TTL below a millisecond would be rejected as zero.
        let expiry = Expiry::After(ttl.max(Duration::from_millis(1)));
        let store = self.database.key_value();
        self.call(store.compare_and_set(key, expected, replacement, expiry)).await
    }

    /// The remaining TTL of a key in the database; `None` if it does not exist.
    pub(crate) async fn rest_of(&self, key: &str) -> Result<Option<Duration>> {
        Ok(match self.call(self.database.key_value().ttl(key)).await? {
            Ttl::Remaining(rest) => Some(rest),
            // The cache writes no key without a TTL.
            Ttl::Missing | Ttl::Unlimited => None,
        })
    }

    /// Whether an entry's stamps are valid, from the known stamps or from the database.
    pub(crate) async fn holds(&self, seen: &[StampSeen]) -> Result<bool, Away> {
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

    /// Reads stamps, each together with whatever else is read at the same time: loads of many documents ask for one
    /// stamp each.
    async fn read_stamps(&self, names: &[Arc<str>]) -> Result<Vec<Option<Stamp>>, Away> {
        let read = async |name: &Arc<str>| {
            let before = self.book.before(name);
            let value = self.read_one(&key_of(name)).await?;
            let stamp = value.as_deref().and_then(Stamp::read);
            if let Some(stamp) = stamp {
                self.book.note_read(name, stamp, before);
            }
            Ok(stamp)
        };
        try_join_all(names.iter().map(read)).await
    }

    /// The stamps of `labels` and of the whole database; missing ones are created.
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

    /// A stamp that is valid in this process until the database answers: enough to detect invalidations by this
    /// process.
    fn provisional(&self, name: &str) -> Stamp {
        let stamp = self.book.last(name).unwrap_or_else(|| Stamp::new(false));
        self.book.note_provisional(name, stamp);
        stamp
    }

    async fn known_or_made(&self, names: &[Arc<str>]) -> Result<Vec<Stamp>, Away> {
        let is_told = self.first.is_trusted() && !self.pending.any();
        let known = |name: &Arc<str>| if is_told { self.book.get(name) } else { None };
        let mut stamps: Vec<Option<Stamp>> = names.iter().map(known).collect();
        let unknown: Vec<usize> = (0..names.len()).filter(|at| stamps[*at].is_none()).collect();
        let asked: Vec<_> = unknown.iter().map(|at| Arc::clone(&names[*at])).collect();
        for (at, found) in unknown.into_iter().zip(self.read_stamps(&asked).await?) {
            stamps[at] = found;
        }
        let mut all = Vec::with_capacity(names.len());
        for (name, found) in names.iter().zip(stamps) {
            all.push(match found {
                Some(stamp) => stamp,
                None => self.make_stamp(name).await?,
            });
        }
        Ok(all)
    }

    /// Creates a missing stamp, or returns that of a process that was faster.
    async fn make_stamp(&self, name: &str) -> Result<Stamp, Away> {
        let store = self.database.key_value();
        let key = key_of(name);
        let set = async |stamp: Stamp, options| {
            self.call(store.set(&key, stamp.to_bytes(), options)).await.map_err(|_| Away)
        };
        loop {
            let (before, stamp) = (self.book.before(name), Stamp::new(false));
            if set(stamp, SetOptions::expiring(STAMP_TTL).if_absent()).await? {
                self.book.note_read(name, stamp, before);
                return Ok(stamp);
            }
            let found = self.read_stamps(&[name.into()]).await?;
            if let Some(stamp) = found.into_iter().next().flatten() {
                return Ok(stamp);
            }
            // The value there is not a stamp, or its TTL ended in between.
            set(stamp, SetOptions::expiring(STAMP_TTL).if_present()).await?;
        }
    }

    /// Sends messages to the other processes; `false` if they could not be sent.
    pub(crate) async fn tell(&self, news: Vec<News>) -> bool {
        // Loads of this process may wait too, for a set or for a load from before the connection was lost.
        for one in &news {
            if let News::Key(key) = one {
                self.first.done(key);
            }
        }
        self.heard.send_modify(|count| *count += 1);
        self.call(self.publish(news)).await.is_ok()
    }

    pub(crate) async fn publish(&self, news: Vec<News>) -> Result<()> {
        if news.is_empty() {
            return Ok(());
        }
        let message = Message { sender: self.sender, news }.to_bytes();
        self.database.channel().publish(crate::inner::CHANNEL, message).await
    }
}

/// Whether an error means an unavailable database, and not an invalid request.
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
