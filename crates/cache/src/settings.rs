//! Converts the configuration to the options of a cache.

use compartment_core::{CacheSettings, DatabaseMap, PolicyRule};

use crate::options::CacheOptions;
use crate::policy::CachePolicy;

impl CacheOptions {
    /// Options from the configuration: `[cache]`, and the TTL and policy of each template in the map's
    /// environment.
    ///
    /// ```
    /// use compartment_cache::CacheOptions;
    /// use compartment_core::DatabaseMapBuilder;
    /// use std::time::Duration;
    ///
    /// let map = DatabaseMapBuilder::toml(r#"
    ///     preset = "pipeline"
    ///     environment = "production"
    ///     [instances.primary]
    ///     url = "memory://"
    ///     [cache.policy]
    ///     stale_on_error = "1d"
    ///     [keys.doc_summary]
    ///     template = "doc:summary:{document_uuid}"
    ///     database = "cache"
    ///     ttl = { default = "7d", production = "3d" }
    ///     policy = { stale_on_error = { production = "1h" } }
    /// "#)?.build()?;
    /// let options = CacheOptions::for_map(&map);
    /// assert_eq!(options.ttls["doc_summary"], Duration::from_secs(3 * 86_400));
    /// assert_eq!(options.policies["doc_summary"].stale_on_error, Duration::from_secs(3_600));
    /// assert_eq!(options.policy.stale_on_error, Duration::from_secs(86_400));
    /// # Ok::<(), compartment_core::Error>(())
    /// ```
    #[must_use]
    pub fn for_map(map: &DatabaseMap) -> Self {
        let environment = map.environment();
        let mut options = Self::default().settings(map.cache());
        options.roles = map.roles().clone();
        options.policy = options.policy.in_environment(&map.cache().policy, environment);
        for (name, rule) in map.keys() {
            if let Some(ttl) = rule.ttl.get(environment) {
                options.ttls.insert(name.clone(), ttl);
            }
            if rule.policy != PolicyRule::default() {
                let policy = options.policy.clone().in_environment(&rule.policy, environment);
                options.policies.insert(name.clone(), policy);
            }
        }
        options
    }

    fn settings(mut self, settings: &CacheSettings) -> Self {
        put(&mut self.enabled, settings.enabled);
        put(&mut self.first_tier_bytes, settings.first_tier);
        put(&mut self.database_timeout, settings.database_timeout);
        put(&mut self.blind_ttl, settings.blind_ttl);
        put(&mut self.breaker_failures, settings.breaker_failures);
        put(&mut self.breaker_open_for, settings.breaker_open_for);
        put(&mut self.pending_removals, settings.pending_removals.map(|n| n as usize));
        self
    }
}

impl CachePolicy {
    /// Applies the values of `rule` for `environment`; values that it does not set stay.
    fn in_environment(mut self, rule: &PolicyRule, environment: &str) -> Self {
        let max_entry = rule.max_entry.get(environment);
        let max_entry = max_entry.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        self.negative_ttl = rule.negative_ttl.get(environment).or(self.negative_ttl);
        self.eager_refresh = rule.eager_refresh.get(environment).or(self.eager_refresh);
        self.soft_timeout = rule.soft_timeout.get(environment).or(self.soft_timeout);
        self.hard_timeout = rule.hard_timeout.get(environment).or(self.hard_timeout);
        self.max_document_bytes = rule.max_document.get(environment).or(self.max_document_bytes);
        put(&mut self.stale_while_revalidate, rule.stale_while_revalidate.get(environment));
        put(&mut self.stale_on_error, rule.stale_on_error.get(environment));
        put(&mut self.jitter, rule.jitter.get(environment));
        put(&mut self.max_entry_bytes, max_entry);
        put(&mut self.first_tier, rule.first_tier.get(environment));
        match rule.lease.get(environment) {
            Some(lease) => self.lease(lease),
            None => self,
        }
    }
}

fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}
