//! Locks in memory: a hash with owner, token and the end of the lease, as on Redis.

use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{
    FENCE_RETENTION, FencingToken, Holder, LockAttempt, LockStore, Result, Timestamp,
};

use crate::backend::MemoryStores;
use crate::error::Refusal;
use crate::stores::hash::fields_of;
use crate::stores::keyspace::Change;
use crate::stores::value::{Entry, Fields, Shared, Value};

const OWNER: &str = "owner";
const TOKEN: &str = "token";
/// The attempt that acquired the lock. On a server an attempt is taken back by this name after its caller is gone;
/// here an attempt ends before its caller can be dropped.
const ATTEMPT: &str = "attempt";
/// Milliseconds since the epoch; 0 when the lock is free.
const LEASE_ENDS: &str = "lease_ends_ms";

/// A lock as it is stored.
struct Stored {
    fields: Shared<Fields>,
    owner: String,
    token: u64,
    lease_ends: u64,
}

impl Stored {
    /// The lock of an entry; `None` for a hash that is not a lock.
    fn read(entry: Option<&Entry>) -> Result<Option<Self>, Refusal> {
        let Some(fields) = fields_of(entry)? else {
            return Ok(None);
        };
        let parts = {
            let fields = fields.lock();
            let number = |field| fields.text(field).and_then(|text| text.parse().ok());
            let owner = fields.text(OWNER).unwrap_or_default().to_owned();
            (number(TOKEN), number(LEASE_ENDS).unwrap_or(0), owner)
        };
        let (Some(token), lease_ends, owner) = parts else {
            return Ok(None);
        };
        Ok(Some(Self { fields, owner, token, lease_ends }))
    }

    fn holder(&self, now: Timestamp) -> Option<Holder> {
        let left = self.lease_ends.saturating_sub(now.as_millis());
        (left > 0).then(|| {
            Holder::new(
                self.owner.clone(),
                FencingToken::from_number(self.token),
                Duration::from_millis(left),
            )
        })
    }

    fn is_held_by(&self, token: FencingToken, now: Timestamp) -> bool {
        self.token == token.number() && self.lease_ends > now.as_millis()
    }
}

/// The end of a lease that begins at `now`; the current millisecond counts as begun, as on Redis.
fn lease_end(now: Timestamp, lease_millis: u64) -> u64 {
    now.as_millis().saturating_add(lease_millis)
}

fn forgotten_after(now: Timestamp, lease_millis: u64) -> Option<Timestamp> {
    Some(now.after(Duration::from_millis(lease_millis)).after(FENCE_RETENTION))
}

impl MemoryStores {
    fn free(&self, key: &str, token: FencingToken) -> Result<bool> {
        self.update("release lock", key, |old, now| match Stored::read(old.as_ref())? {
            Some(lock) if lock.is_held_by(token, now) => {
                lock.fields.lock().set(LEASE_ENDS.to_owned(), "0".into());
                let end = forgotten_after(now, 0);
                Ok((Change::Put(Value::Hash(lock.fields), end), true))
            }
            _ => Ok((Change::Nothing, false)),
        })
    }
}

#[async_trait]
impl LockStore for MemoryStores {
    async fn try_acquire(&self, key: &str, owner: &str, lease: Duration) -> Result<LockAttempt> {
        let lease = self.contract.millis("acquire lock", key, lease)?;
        self.update("acquire lock", key, |old, now| {
            let stored = Stored::read(old.as_ref())?;
            if stored.is_none() && old.is_some() {
                return Err(Refusal::WrongType { found: "a hash", wanted: "a lock" });
            }
            if let Some(holder) = stored.as_ref().and_then(|lock| lock.holder(now)) {
                return Ok((Change::Nothing, LockAttempt::Held(holder)));
            }
            let next = stored.as_ref().map_or(0, |lock| lock.token.saturating_add(1));
            let token = next.max(now.as_micros());
            let fields = stored.map(|lock| lock.fields).unwrap_or_default();
            {
                let mut fields = fields.lock();
                fields.set(OWNER.to_owned(), owner.to_owned().into());
                fields.set(TOKEN.to_owned(), token.to_string().into());
                fields.set(ATTEMPT.to_owned(), Default::default());
                fields.set(LEASE_ENDS.to_owned(), lease_end(now, lease).to_string().into());
            }
            let change = Change::Put(Value::Hash(fields), forgotten_after(now, lease));
            Ok((change, LockAttempt::Acquired(FencingToken::from_number(token))))
        })
    }

    async fn renew(&self, key: &str, token: FencingToken, lease: Duration) -> Result<bool> {
        let lease = self.contract.millis("renew lock", key, lease)?;
        self.update("renew lock", key, |old, now| match Stored::read(old.as_ref())? {
            Some(lock) if lock.is_held_by(token, now) => {
                let ends = lease_end(now, lease).to_string();
                lock.fields.lock().set(LEASE_ENDS.to_owned(), ends.into());
                let end = forgotten_after(now, lease);
                Ok((Change::Put(Value::Hash(lock.fields), end), true))
            }
            _ => Ok((Change::Nothing, false)),
        })
    }

    async fn release(&self, key: &str, token: FencingToken) -> Result<bool> {
        self.free(key, token)
    }

    fn release_in_background(&self, key: &str, token: FencingToken) {
        if let Err(error) = self.free(key, token) {
            tracing::warn!(%error, "a dropped lock could not be freed and ends with its lease");
        }
    }

    async fn holder(&self, key: &str) -> Result<Option<Holder>> {
        let now = self.keyspace.now();
        let lock = Stored::read(self.read(key).as_ref()).map_err(self.refused("read lock", key))?;
        Ok(lock.and_then(|lock| lock.holder(now)))
    }

    fn note_timeout(&self) {
        self.traffic.lock_timed_out();
    }
}
