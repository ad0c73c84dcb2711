//! Reads from the database; reads of single keys are merged while others are in progress.
//!
//! Merging here, and not only in the backend, means one time-out, one check of breaker and pending removals, and one
//! request for all merged reads. (With all of that for each read, 1,024 tasks completed 0.71 of the reads that the
//! bare store did.)

use std::time::Duration;

use bytes::Bytes;
use compartment_core::backend::ReadSource;
use compartment_core::{ErrorKind, MonotonicInstant, Result};
use futures_util::future::join_all;

use crate::error::Away;
use crate::inner::Inner;

impl Inner {
    /// The value of `key`; `None` for a key of another type.
    pub(crate) async fn read_one(&self, key: &str) -> Result<Option<Bytes>, Away> {
        // An open breaker or pending removals decide about each read separately.
        if !self.breaker.is_closed() || self.pending.any() {
            return self.one(key).await;
        }
        self.reads.read(key, self).await
    }

    /// The values of `keys`; `None` for a key of another type.
    pub(crate) async fn read(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>> {
        let store = self.database.key_value();
        let all = match keys {
            [] => return Ok(Vec::new()),
            [key] => self.call(store.get(key)).await.map(|value| vec![value]),
            keys => self.call(store.get_many(keys)).await,
        };
        self.each_where_types_differ(keys, all).await
    }

    /// One key of another type fails the whole request; each key is then read separately.
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
}

impl ReadSource for Inner {
    type Value = Option<Bytes>;
    type Error = Away;

    async fn one(&self, key: &str) -> Result<Option<Bytes>, Away> {
        match self.call(self.database.key_value().get(key)).await {
            Ok(value) => Ok(value),
            Err(error) if error.kind() == ErrorKind::WrongType => Ok(None),
            Err(_) => Err(Away),
        }
    }

    async fn many(
        &self,
        keys: &[String],
        until: MonotonicInstant,
    ) -> Result<Vec<Option<Bytes>>, Away> {
        let all = self.call_for_many(keys.len(), until, self.database.key_value().get_many(keys));
        let all = all.await;
        self.each_where_types_differ(keys, all).await.map_err(|_| Away)
    }

    fn patience(&self) -> Duration {
        self.options.database_timeout
    }

    fn now(&self) -> MonotonicInstant {
        self.options.clock.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        // Without a box where the clock allows it, since every waiting read has such a sleep.
        if self.options.clock.is_wall_clock() {
            tokio::time::sleep(duration).await;
        } else {
            self.options.clock.sleep(duration).await;
        }
    }

    fn timed_out(&self, _: &str) -> Away {
        Away
    }
}
