//! The policy of entries: TTLs, stale limits, sizes and limits of loads.

use std::time::Duration;

use compartment_core::{CacheBounds, DecodeLimit, MAX_TTL, Timestamp};

use crate::life::{Moment64, Times, scaled};

/// The policy for the entries of one template, or of all.
///
/// ```
/// use compartment_cache::CachePolicy;
/// use std::time::Duration;
///
/// let policy = CachePolicy::default()
///     .ttl(Duration::from_secs(3 * 86_400))
///     .eager_refresh(0.9)
///     .stale_on_error(Duration::from_secs(86_400))
///     .soft_timeout(Duration::from_millis(200));
/// assert_eq!(policy.negative_ttl, None);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CachePolicy {
    /// How long a value is fresh. `None` uses the TTL from `[keys]` of the configuration, else the template's, else
    /// the database's default, else a day.
    pub ttl: Option<Duration>,
    /// How long the absence of a value is remembered; `None` means not at all.
    pub negative_ttl: Option<Duration>,
    /// The share of its TTL (0 to 1) after which a read reloads a fresh value in the background; `None` means never.
    pub eager_refresh: Option<f64>,
    /// How long after its TTL a value is served while a new one is loaded in the background.
    pub stale_while_revalidate: Duration,
    /// How long after its TTL a value is served if its load fails or takes longer than [`CachePolicy::soft_timeout`].
    pub stale_on_error: Duration,
    /// How long a caller waits before it gets a stale value, if there is one; the load continues.
    pub soft_timeout: Option<Duration>,
    /// How long a load may take before it is cancelled.
    pub hard_timeout: Option<Duration>,
    /// The maximum share (0 to 1) by which a TTL is shortened at random, so that values loaded together do not expire
    /// together.
    pub jitter: f64,
    /// The maximum size of an entry in bytes, including its header. A larger one is returned to its caller but not
    /// stored. It also bounds the memory that decoding an entry may take: four times as much after decompression, and
    /// eight times as much with a value's parts (32 bytes each, 320 more for a map). An entry that could take more
    /// counts as missing, and a value is not stored that no process would decode.
    pub max_entry_bytes: usize,
    /// The maximum total size in bytes of a document's entries. An entry beyond it is returned to its caller but not
    /// stored. `None` means no limit. With a limit, a write through a document's handle costs two more requests, so
    /// that all processes count together.
    pub max_document_bytes: Option<u64>,
    /// How long other processes wait for a loader that has stopped answering. A running loader renews its lease every
    /// third of it.
    pub lease: Duration,
    /// Whether values are also kept and looked up in the process.
    pub first_tier: bool,
}

impl Default for CachePolicy {
    fn default() -> Self {
        Self {
            ttl: None,
            negative_ttl: None,
            eager_refresh: None,
            stale_while_revalidate: Duration::ZERO,
            stale_on_error: Duration::ZERO,
            soft_timeout: None,
            hard_timeout: None,
            jitter: 0.05,
            max_entry_bytes: 16 * 1024 * 1024,
            max_document_bytes: None,
            lease: Duration::from_secs(5),
            first_tier: true,
        }
    }
}

impl CachePolicy {
    /// Sets the TTL.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Sets how long the absence of a value is remembered.
    #[must_use]
    pub fn negative_ttl(mut self, ttl: Duration) -> Self {
        self.negative_ttl = Some(ttl);
        self
    }

    /// Sets the share of the TTL after which a read reloads the value.
    #[must_use]
    pub fn eager_refresh(mut self, share: f64) -> Self {
        self.eager_refresh = Some(share);
        self
    }

    /// Sets how long after its TTL a value is served while it reloads.
    #[must_use]
    pub fn stale_while_revalidate(mut self, limit: Duration) -> Self {
        self.stale_while_revalidate = limit;
        self
    }

    /// Sets how long an expired value is served if its load fails.
    #[must_use]
    pub fn stale_on_error(mut self, limit: Duration) -> Self {
        self.stale_on_error = limit;
        self
    }

    /// Sets how long a caller waits before it gets an expired value.
    #[must_use]
    pub fn soft_timeout(mut self, limit: Duration) -> Self {
        self.soft_timeout = Some(limit);
        self
    }

    /// Sets how long a load may take before it is cancelled.
    #[must_use]
    pub fn hard_timeout(mut self, limit: Duration) -> Self {
        self.hard_timeout = Some(limit);
        self
    }

    /// Sets the maximum share by which TTLs are shortened.
    #[must_use]
    pub fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// Sets the maximum size of an entry, in bytes.
    #[must_use]
    pub fn max_entry_bytes(mut self, bytes: usize) -> Self {
        self.max_entry_bytes = bytes;
        self
    }

    /// Sets the maximum total size of a document's entries, in bytes.
    #[must_use]
    pub fn max_document_bytes(mut self, bytes: u64) -> Self {
        self.max_document_bytes = Some(bytes);
        self
    }

    /// Sets the lease.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets whether values are also kept in the process.
    #[must_use]
    pub fn first_tier(mut self, keep: bool) -> Self {
        self.first_tier = keep;
        self
    }

    /// The memory that decoding an entry may take.
    pub(crate) fn decode_limit(&self) -> DecodeLimit {
        DecodeLimit::of_entries(self.max_entry_bytes)
    }

    /// How long after its TTL an entry is kept.
    pub(crate) fn stale_limit(&self) -> Duration {
        self.stale_while_revalidate.max(self.stale_on_error)
    }

    /// The times of an entry that is created at `created` with this TTL.
    pub(crate) fn times(&self, created: Timestamp, ttl: Duration, random: u64) -> Times {
        // 53 bits are what a double represents exactly.
        let share = (random >> 11) as f64 / (1u64 << 53) as f64;
        let ttl = scaled(ttl, 1.0 - self.jitter * share);
        let ttl = ttl.clamp(Duration::from_millis(1), MAX_TTL);
        // No database keeps a key longer.
        let kept = ttl.saturating_add(self.stale_limit()).min(MAX_TTL);
        Times { created, fresh_until: created.after(ttl), stale_until: created.after(kept) }
    }

    /// When a read reloads an entry that has these times and is stored now.
    pub(crate) fn eager_at(&self, times: Times, now: Moment64) -> Moment64 {
        let ttl = times.fresh_until.since(times.created);
        self.eager_refresh.map_or(Moment64::NEVER, |share| now.after(scaled(ttl, share)))
    }

    /// Rejects invalid values; the error names the bounds.
    pub(crate) fn check(&self) -> Result<(), String> {
        let all = [
            self.ttl.map_or(Ok(()), |ttl| CacheBounds::TTL.check(ttl)),
            self.negative_ttl.map_or(Ok(()), |ttl| CacheBounds::NEGATIVE_TTL.check(ttl)),
            self.eager_refresh.map_or(Ok(()), |share| CacheBounds::EAGER_REFRESH.check(share)),
            CacheBounds::STALE_WHILE_REVALIDATE.check(self.stale_while_revalidate),
            CacheBounds::STALE_ON_ERROR.check(self.stale_on_error),
            self.soft_timeout.map_or(Ok(()), |limit| CacheBounds::SOFT_TIMEOUT.check(limit)),
            self.hard_timeout.map_or(Ok(()), |limit| CacheBounds::HARD_TIMEOUT.check(limit)),
            CacheBounds::JITTER.check(self.jitter),
            CacheBounds::MAX_ENTRY.check(self.max_entry_bytes as u64),
            self.max_document_bytes.map_or(Ok(()), |max| CacheBounds::MAX_DOCUMENT.check(max)),
            CacheBounds::LEASE.check(self.lease),
        ];
        all.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);

    #[test]
    fn jitter_shortens_by_its_share_at_most() {
        let policy = CachePolicy::default().jitter(0.2);
        let ttl = Duration::from_secs(100);
        let ttls: Vec<Duration> = (0..64)
            .map(|n| policy.times(NOW, ttl, n << 58))
            .map(|times| times.fresh_until.since(times.created))
            .collect();
        assert_eq!(ttls.iter().max(), Some(&ttl));
        let least = *ttls.iter().min().unwrap();
        assert!(least > Duration::from_secs(80) && least < Duration::from_secs(81), "{least:?}");
    }

    #[test]
    fn what_has_ended_is_kept_for_the_longer_limit() {
        let policy = CachePolicy::default()
            .stale_while_revalidate(Duration::from_secs(5))
            .stale_on_error(Duration::from_secs(50));
        let times = policy.times(NOW, Duration::from_secs(10), 0);
        assert_eq!(times.stale_until.since(times.created), Duration::from_secs(60));
    }

    #[test]
    fn no_time_is_too_long_to_be_kept() {
        let policy = CachePolicy::default().stale_on_error(MAX_TTL).jitter(0.0);
        let times = policy.times(NOW, Duration::MAX, 1);
        assert_eq!(times.stale_until.since(times.created), MAX_TTL);
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_bounds() {
        let good = CachePolicy::default;
        for (policy, name) in [
            (good().ttl(Duration::ZERO), "ttl"),
            (good().ttl(Duration::MAX), "ttl"),
            (good().negative_ttl(Duration::ZERO), "negative_ttl"),
            (good().eager_refresh(f64::NAN), "eager_refresh"),
            (good().eager_refresh(1.1), "eager_refresh"),
            (good().stale_on_error(Duration::MAX), "stale_on_error"),
            (good().stale_while_revalidate(MAX_TTL * 2), "stale_while_revalidate"),
            (good().soft_timeout(Duration::MAX), "soft_timeout"),
            (good().hard_timeout(Duration::ZERO), "hard_timeout"),
            (good().jitter(-0.1), "jitter"),
            (good().jitter(f64::INFINITY), "jitter"),
            (good().max_entry_bytes(0), "max_entry"),
            (good().max_document_bytes(0), "max_document"),
            (good().lease(Duration::ZERO), "lease"),
            (good().lease(Duration::from_millis(1)), "lease"),
        ] {
            let refusal = policy.check().unwrap_err();
            assert!(refusal.starts_with(name) && refusal.contains(" between "), "{refusal}");
        }
        let at_its_bounds = good()
            .ttl(Duration::from_millis(1))
            .eager_refresh(0.0)
            .jitter(1.0)
            .soft_timeout(Duration::ZERO)
            .hard_timeout(MAX_TTL)
            .max_entry_bytes(usize::MAX)
            .max_document_bytes(u64::MAX);
        assert_eq!(at_its_bounds.check(), Ok(()));
    }
}
