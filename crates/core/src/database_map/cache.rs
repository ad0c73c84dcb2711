//! What the configuration says of caches: `[cache]` for all of them, `policy` for a template.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::ByEnvironment;
use super::file::{Size, Span};
use super::text::{size, span};
use crate::Result;

/// Settings of every cache that is opened for the map. What is `None` has the cache's own default.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CacheSettings {
    /// Off: nothing is read from a cache or kept in one, and every load runs.
    pub enabled: Option<bool>,
    /// The most bytes of the tier in the process.
    pub first_tier: Option<u64>,
    /// How long one request to the database may take before the cache goes on without it.
    pub database_timeout: Option<Duration>,
    /// How long a value is served that nothing would tell to be old.
    pub blind_ttl: Option<Duration>,
    /// After so many failed requests in a row the database is left alone,
    pub breaker_failures: Option<u32>,
    /// for so long.
    pub breaker_open_for: Option<Duration>,
    /// Removals that are kept while they cannot be delivered.
    pub pending_removals: Option<u32>,
    /// What holds for templates that say nothing else.
    pub policy: PolicyRule,
}

/// How the values of a template are cached, by environment. What is empty has the value of
/// `[cache]`'s policy, and where that is empty too, the cache's own default.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PolicyRule {
    /// How long it is remembered that there is no value.
    pub negative_ttl: ByEnvironment<Duration>,
    /// From which share of its TTL on a value that is read is loaded anew, 0 to 1.
    pub eager_refresh: ByEnvironment<f64>,
    /// For how long after its TTL a value is served while it is loaded anew.
    pub stale_while_revalidate: ByEnvironment<Duration>,
    /// For how long after its TTL a value is served when its load fails.
    pub stale_on_error: ByEnvironment<Duration>,
    /// How long a caller that could be given a stale value waits for a load.
    pub soft_timeout: ByEnvironment<Duration>,
    /// After how long a load is given up.
    pub hard_timeout: ByEnvironment<Duration>,
    /// By which share TTLs are shortened at random at most, 0 to 1.
    pub jitter: ByEnvironment<f64>,
    /// The largest entry that is kept, in bytes.
    pub max_entry: ByEnvironment<u64>,
    /// The most bytes that are kept of one document.
    pub max_document: ByEnvironment<u64>,
    /// How long others wait for a loader that does not answer any more.
    pub lease: ByEnvironment<Duration>,
    /// Whether values are kept in the process as well.
    pub first_tier: ByEnvironment<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CacheSection {
    enabled: Option<bool>,
    first_tier: Option<Size>,
    database_timeout: Option<Span>,
    blind_ttl: Option<Span>,
    breaker_failures: Option<u32>,
    breaker_open_for: Option<Span>,
    pending_removals: Option<u32>,
    #[serde(default)]
    policy: PolicySection,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PolicySection {
    negative_ttl: ByEnvironment<Span>,
    eager_refresh: ByEnvironment<Share>,
    stale_while_revalidate: ByEnvironment<Span>,
    stale_on_error: ByEnvironment<Span>,
    soft_timeout: ByEnvironment<Span>,
    hard_timeout: ByEnvironment<Span>,
    jitter: ByEnvironment<Share>,
    max_entry: ByEnvironment<Size>,
    max_document: ByEnvironment<Size>,
    lease: ByEnvironment<Span>,
    first_tier: ByEnvironment<bool>,
}

/// A number from 0 to 1.
struct Share(f64);

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let share = f64::deserialize(deserializer)?;
        if (0.0..=1.0).contains(&share) {
            return Ok(Self(share));
        }
        Err(D::Error::custom(format!("{share} is no share: a number from 0 to 1")))
    }
}

impl From<CacheSection> for CacheSettings {
    fn from(section: CacheSection) -> Self {
        Self {
            enabled: section.enabled,
            first_tier: section.first_tier.map(|size| size.0),
            database_timeout: section.database_timeout.map(|span| span.0),
            blind_ttl: section.blind_ttl.map(|span| span.0),
            breaker_failures: section.breaker_failures,
            breaker_open_for: section.breaker_open_for.map(|span| span.0),
            pending_removals: section.pending_removals,
            policy: section.policy.into(),
        }
    }
}

impl From<PolicySection> for PolicyRule {
    fn from(section: PolicySection) -> Self {
        let time = |each: ByEnvironment<Span>| each.map(|span| span.0);
        let bytes = |each: ByEnvironment<Size>| each.map(|size| size.0);
        let share = |each: ByEnvironment<Share>| each.map(|share| share.0);
        Self {
            negative_ttl: time(section.negative_ttl),
            eager_refresh: share(section.eager_refresh),
            stale_while_revalidate: time(section.stale_while_revalidate),
            stale_on_error: time(section.stale_on_error),
            soft_timeout: time(section.soft_timeout),
            hard_timeout: time(section.hard_timeout),
            jitter: share(section.jitter),
            max_entry: bytes(section.max_entry),
            max_document: bytes(section.max_document),
            lease: time(section.lease),
            first_tier: section.first_tier,
        }
    }
}

impl CacheSettings {
    /// The lines of `[cache]` without the policy.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let fields = [
            ("enabled", self.enabled.map(|on| on.to_string())),
            ("first_tier", self.first_tier.map(size)),
            ("database_timeout", self.database_timeout.map(span)),
            ("blind_ttl", self.blind_ttl.map(span)),
            ("breaker_failures", self.breaker_failures.map(|n| n.to_string())),
            ("breaker_open_for", self.breaker_open_for.map(span)),
            ("pending_removals", self.pending_removals.map(|n| n.to_string())),
        ];
        present(fields)
    }
}

impl PolicyRule {
    /// The lines of a policy.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let time = |each: &ByEnvironment<Duration>| each.to_field(|time| span(*time));
        let bytes = |each: &ByEnvironment<u64>| each.to_field(|bytes| size(*bytes));
        // With its point: 1 would be read back as a whole number.
        let share = |each: &ByEnvironment<f64>| each.to_field(|share| format!("{share:?}"));
        let fields = [
            ("negative_ttl", time(&self.negative_ttl)),
            ("eager_refresh", share(&self.eager_refresh)),
            ("stale_while_revalidate", time(&self.stale_while_revalidate)),
            ("stale_on_error", time(&self.stale_on_error)),
            ("soft_timeout", time(&self.soft_timeout)),
            ("hard_timeout", time(&self.hard_timeout)),
            ("jitter", share(&self.jitter)),
            ("max_entry", bytes(&self.max_entry)),
            ("max_document", bytes(&self.max_document)),
            ("lease", time(&self.lease)),
            ("first_tier", self.first_tier.to_field(bool::to_string)),
        ];
        present(fields)
    }
}

fn present<const N: usize>(
    fields: [(&'static str, Option<String>); N],
) -> Vec<(&'static str, String)> {
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DatabaseMap, DatabaseMapBuilder};

    const FILE: &str = r#"
        preset = "pipeline"
        environment = "production"
        [instances.primary]
        url = "memory://"

        [cache]
        enabled = false
        first_tier = "16MiB"
        breaker_failures = 3
        policy = { jitter = 0.1, stale_on_error = { default = "1d", production = "1h" } }

        [keys.doc_ocr_result]
        template = "doc:ocr_result:{document_uuid}"
        database = "cache"
        ttl = { default = "7d", production = "3d" }
        [keys.doc_ocr_result.policy]
        max_entry = "4MiB"
        eager_refresh = { production = 1 }
        first_tier = false
    "#;

    fn read(text: &str) -> Result<DatabaseMap> {
        DatabaseMapBuilder::toml(text)?.build()
    }

    #[test]
    fn policies_are_read_by_template_and_environment_and_read_back() {
        let map = read(FILE).unwrap();
        let cache = map.cache();
        assert_eq!((cache.enabled, cache.first_tier), (Some(false), Some(16 * 1024 * 1024)));
        let stale = &cache.policy.stale_on_error;
        assert_eq!(stale.get(map.environment()), Some(Duration::from_secs(3_600)));
        assert_eq!(stale.get("staging"), Some(Duration::from_secs(86_400)));
        let policy = &map.keys()["doc_ocr_result"].policy;
        assert_eq!(policy.max_entry.get("production"), Some(4 * 1024 * 1024));
        assert_eq!(policy.eager_refresh.get("production"), Some(1.0));
        assert_eq!(policy.eager_refresh.get("default"), None);
        assert_eq!(policy.first_tier.get("default"), Some(false));
        let text = map.to_toml();
        assert_eq!(read(&text).unwrap(), map, "{text}");
    }

    #[test]
    fn what_is_wrong_says_what_would_be_right() {
        for (from, to, says) in [
            ("jitter = 0.1", "jitter = 1.5", "a number from 0 to 1"),
            ("jitter = 0.1", "jiter = 0.1", "did you mean `jitter`?"),
            ("\"1h\"", "\"an hour\"", "no duration"),
            ("\"4MiB\"", "\"four\"", "no size"),
            ("first_tier = false", "first_tier = \"no\"", "boolean"),
            ("[cache]", "[cahe]", "did you mean `cache`?"),
        ] {
            let error = read(&FILE.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("line"), "{from} -> {to}: {error}");
        }
    }
}
