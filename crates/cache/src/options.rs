//! The options of a cache.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use compartment_core::{CacheBounds, Clock, Database, Roles, SystemClock};

use crate::policy::CachePolicy;

/// How often a process publishes its metrics by default.
pub(crate) const EVERY: Duration = Duration::from_secs(10);

/// Settings of a [`crate::Cache`]. [`CacheBounds`] has their ranges; [`crate::Cache::open`] rejects values outside of
/// them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CacheOptions {
    /// The size of the first tier in bytes: encoded values before compression, keys, and 256 bytes for each entry. A
    /// decoded value of many small parts takes two or three times as much memory.
    pub first_tier_bytes: u64,
    /// How long one request to the database may take before the cache continues without it.
    pub database_timeout: Duration,
    /// The number of failed requests in a row after which the database is not asked for a while.
    pub breaker_failures: u32,
    /// How long the database is not asked after that many failures; then one request tries again.
    pub breaker_open_for: Duration,
    /// How many undelivered removals are kept. If there are more, everything in the database is invalidated instead.
    pub pending_removals: usize,
    /// How long after its load a value is served from the first tier while messages of other processes do not arrive,
    /// or the database does not answer.
    pub blind_ttl: Duration,
    /// If `false`, nothing is read, stored or invalidated, and every load runs.
    pub enabled: bool,
    /// The policy of templates without their own.
    pub policy: CachePolicy,
    /// Policies by template name.
    pub policies: HashMap<String, CachePolicy>,
    /// TTLs by template name, used if the policy has none: see [`CacheOptions::for_map`].
    pub ttls: HashMap<String, Duration>,
    /// The database that a name in a key template refers to.
    pub roles: Roles,
    /// The database for this process's metrics, usually `metrics`.
    pub metrics: Option<Database>,
    /// How often they are published.
    pub metrics_every: Duration,
    /// The clock of the cache; by default the system's. The clocks of processes that share a database should differ
    /// by no more than a fraction of the TTLs.
    pub clock: Arc<dyn Clock>,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            first_tier_bytes: 64 * 1024 * 1024,
            database_timeout: Duration::from_millis(500),
            breaker_failures: 5,
            breaker_open_for: Duration::from_secs(2),
            pending_removals: 10_000,
            blind_ttl: Duration::from_secs(1),
            enabled: true,
            policy: CachePolicy::default(),
            policies: HashMap::new(),
            ttls: HashMap::new(),
            roles: Roles::default(),
            metrics: None,
            metrics_every: EVERY,
            clock: Arc::new(SystemClock),
        }
    }
}

impl CacheOptions {
    /// Sets the size of the first tier, in bytes.
    #[must_use]
    pub fn first_tier_bytes(mut self, bytes: u64) -> Self {
        self.first_tier_bytes = bytes;
        self
    }

    /// Sets the time-out of requests to the database.
    #[must_use]
    pub fn database_timeout(mut self, limit: Duration) -> Self {
        self.database_timeout = limit;
        self
    }

    /// Sets after how many failures in a row the database is not asked, and for how long.
    #[must_use]
    pub fn breaker(mut self, failures: u32, open_for: Duration) -> Self {
        self.breaker_failures = failures;
        self.breaker_open_for = open_for;
        self
    }

    /// Sets how many undelivered removals are kept.
    #[must_use]
    pub fn pending_removals(mut self, max: usize) -> Self {
        self.pending_removals = max;
        self
    }

    /// Sets how long after its load a value is served while invalidations cannot arrive.
    #[must_use]
    pub fn blind_ttl(mut self, ttl: Duration) -> Self {
        self.blind_ttl = ttl;
        self
    }

    /// Enables or disables the cache.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Sets the policy of templates without their own.
    #[must_use]
    pub fn policy(mut self, policy: CachePolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets the policy of the template with this name.
    #[must_use]
    pub fn policy_of(mut self, template: impl Into<String>, policy: CachePolicy) -> Self {
        self.policies.insert(template.into(), policy);
        self
    }

    /// Publishes this process's metrics in `metrics`.
    #[must_use]
    pub fn metrics(mut self, metrics: &Database) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Rejects invalid settings; the error names the bounds and the template.
    pub(crate) fn check(&self) -> Result<(), String> {
        CacheBounds::check_first_tier(self.first_tier_bytes)?;
        CacheBounds::DATABASE_TIMEOUT.check(self.database_timeout)?;
        CacheBounds::BLIND_TTL.check(self.blind_ttl)?;
        CacheBounds::BREAKER_FAILURES.check(self.breaker_failures)?;
        CacheBounds::BREAKER_OPEN_FOR.check(self.breaker_open_for)?;
        CacheBounds::METRICS_EVERY.check(self.metrics_every)?;
        self.policy.check()?;
        let of = |template: &String, why| format!("template {template:?}: {why}");
        for (template, policy) in &self.policies {
            policy.check().map_err(|why| of(template, why))?;
        }
        for (template, ttl) in &self.ttls {
            CacheBounds::TTL.check(*ttl).map_err(|why| of(template, why))?;
        }
        Ok(())
    }

    /// Sets the clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}
