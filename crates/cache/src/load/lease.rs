//! Leases of loads: the right to store a load's result.
//!
//! Before a load, the loader stores a lease entry under the key. It records who loads, until when and with which
//! stamps, and keeps the old value if there is one. The result replaces exactly these bytes. A caller that writes,
//! removes or takes over the key in the meantime changes the bytes, so that a late result is not stored. After a
//! renewal with an unknown outcome the key has one of two entries, and the result replaces whichever is found.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compartment_core::Result;

use crate::inner::Inner;
use crate::second::envelope::Envelope;

/// A lease of this process. If it is dropped while it is held, or may be, the key is removed in the background, so
/// that nobody waits for the end of the lease. This happens when a runtime ends during a load, or when the database
/// did not report the outcome of a request.
#[derive(Debug)]
pub(crate) struct Lease {
    inner: Arc<Inner>,
    key: String,
    /// The stored bytes of the lease.
    bytes: Option<Bytes>,
    /// The bytes of a renewal with an unknown outcome.
    renewed: Option<Bytes>,
}

impl Lease {
    pub(crate) fn of(inner: &Arc<Inner>, key: &str, bytes: Bytes) -> Self {
        let (inner, key) = (Arc::clone(inner), key.to_owned());
        Self { inner, key, bytes: Some(bytes), renewed: None }
    }

    /// Marks the lease as no longer held.
    pub(crate) fn given_up(mut self) {
        self.bytes = None;
    }

    pub(crate) async fn renew(&mut self, length: Duration, ttl: Duration) -> Result<()> {
        if let Some(renewed) = self.renewed.clone() {
            // Repeat the swap: afterwards the renewal is stored, or another caller has the key.
            self.inner.swap(&self.key, self.bytes.clone(), Some(renewed), ttl).await?;
            self.bytes = self.renewed.take();
        }
        let Some(bytes) = self.bytes.clone() else { return Ok(()) };
        let Some(mut envelope) = Envelope::read(&bytes) else { return Ok(()) };
        if let Some((mark, _)) = &mut envelope.lease {
            mark.until = self.inner.options.clock.now().after(length);
        }
        let renewed = envelope.to_bytes();
        self.renewed = Some(renewed.clone());
        let is_renewed = self.inner.swap(&self.key, Some(bytes), Some(renewed), ttl).await?;
        let renewed = self.renewed.take();
        // If not, another caller has the key, and the result will not be stored.
        if is_renewed {
            self.bytes = renewed;
        }
        Ok(())
    }

    /// Replaces the lease entry by `replacement`; `false` if the entry was gone. The lease ends in any case; if the
    /// request fails, the key is removed.
    pub(crate) async fn give_place_to(
        self,
        replacement: Option<Bytes>,
        ttl: Duration,
    ) -> Result<bool> {
        let mut found = false;
        // The older bytes first: if they are gone, the renewal is stored or the lease is lost.
        for expected in [&self.bytes, &self.renewed].into_iter().flatten() {
            let (expected, replacement) = (Some(expected.clone()), replacement.clone());
            found = found || self.inner.swap(&self.key, expected, replacement, ttl).await?;
        }
        self.given_up();
        Ok(found)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.bytes.is_some() {
            // Loads of this process that wait for it look again, and deliver the removal first.
            self.inner.first.done(&self.key);
            self.inner.deliver_later([std::mem::take(&mut self.key)], []);
            self.inner.heard.send_modify(|count| *count += 1);
        }
    }
}
