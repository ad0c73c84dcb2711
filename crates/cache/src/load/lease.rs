//! Leases of loads: the right to store a load's result.
//!
//! A load takes a lease first: in the place of the key it puts an entry that says who loads, until
//! when, and under which stamps, beside the old value where there is one. The result replaces
//! exactly these bytes. Whoever writes, removes or takes over the key in the meantime changes them,
//! and the result of a loader that comes too late finds no place. After a renewal of unknown outcome
//! either of two entries may stand there, and the result takes the place of the one that does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compartment_core::Result;

use crate::inner::Inner;
use crate::second::envelope::Envelope;

/// A lease of this process. Dropped while it is held, or while it may be, the key is removed in the
/// background, so that nobody waits for the lease's end: a runtime ended in the middle of a load, or
/// the database did not say what became of a request.
#[derive(Debug)]
pub(crate) struct Lease {
    inner: Arc<Inner>,
    key: String,
    /// The bytes that stand for it in the database.
    bytes: Option<Bytes>,
    /// Those of a renewal of which it is not known whether it was executed.
    renewed: Option<Bytes>,
}

impl Lease {
    pub(crate) fn of(inner: &Arc<Inner>, key: &str, bytes: Bytes) -> Self {
        let (inner, key) = (Arc::clone(inner), key.to_owned());
        Self { inner, key, bytes: Some(bytes), renewed: None }
    }

    /// It is not held any more.
    pub(crate) fn given_up(mut self) {
        self.bytes = None;
    }

    pub(crate) async fn renew(&mut self, length: Duration, ttl: Duration) -> Result<()> {
        if let Some(renewed) = self.renewed.clone() {
            // Once more: it stands there afterwards, or somebody has taken the key.
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
        // Otherwise somebody has taken the key, and the result will find no place.
        if is_renewed {
            self.bytes = renewed;
        }
        Ok(())
    }

    /// Puts `replacement` in its place; whether it still had one. Whatever the answer, it is held no
    /// longer: without one, the key is removed.
    pub(crate) async fn give_place_to(
        self,
        replacement: Option<Bytes>,
        ttl: Duration,
    ) -> Result<bool> {
        let mut found = false;
        // The older first: where that stands no longer, its renewal stands or nothing of it.
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
            // Loads of this process that wait for it look again, and deliver it first.
            self.inner.first.done(&self.key);
            self.inner.deliver_later([std::mem::take(&mut self.key)], []);
            self.inner.heard.send_modify(|count| *count += 1);
        }
    }
}
