//! Cache settings of the configuration: `[cache]` for all caches, `policy` for a template.

use std::cell::RefCell;
use std::time::Duration;

use serde::Deserialize;

use super::ByEnvironment;
use super::fields::present;
use super::quantity::{Size, Span, size, span};
use crate::{MAX_TTL, Result};

/// The allowed range of a setting, both ends included.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<T> {
    name: &'static str,
    least: T,
    max: T,
    show: fn(T) -> String,
}

/// The allowed ranges of cache settings, for the configuration and for `CacheOptions`.
///
/// A setting out of bounds would not work as expected: a time-out of zero fails every request, and a lease shorter
/// than a few round trips expires before its load is stored.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CacheBounds;

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

impl CacheBounds {
    /// For one request to the database.
    pub const DATABASE_TIMEOUT: Bounds<Duration> = times("database_timeout", MILLISECOND, HOUR);
    /// Zero is allowed: then no value is served while invalidations cannot arrive.
    pub const BLIND_TTL: Bounds<Duration> = times("blind_ttl", Duration::ZERO, MAX_TTL);
    /// Failures in a row.
    pub const BREAKER_FAILURES: Bounds<u32> = Bounds {
        name: "breaker_failures",
        least: 1,
        max: u32::MAX,
        show: |count| count.to_string(),
    };
    /// How long the database is not asked.
    pub const BREAKER_OPEN_FOR: Bounds<Duration> = times("breaker_open_for", MILLISECOND, DAY);
    /// Bytes: room for an entry or two in each shard of the tier. Zero is accepted too: no value is kept in the
    /// process.
    pub const FIRST_TIER: Bounds<u64> = sizes("first_tier", 64 * 1_024, 1 << 50);
    /// How often metrics are published.
    pub const METRICS_EVERY: Bounds<Duration> =
        times("metrics_every", Duration::from_millis(100), DAY);
    /// How long a value is fresh.
    pub const TTL: Bounds<Duration> = times("ttl", MILLISECOND, MAX_TTL);
    /// How long the absence of a value is remembered.
    pub const NEGATIVE_TTL: Bounds<Duration> = times("negative_ttl", MILLISECOND, MAX_TTL);
    /// A share of a TTL.
    pub const EAGER_REFRESH: Bounds<f64> = shares("eager_refresh");
    /// After a TTL.
    pub const STALE_WHILE_REVALIDATE: Bounds<Duration> =
        times("stale_while_revalidate", Duration::ZERO, MAX_TTL);
    /// After a TTL.
    pub const STALE_ON_ERROR: Bounds<Duration> = times("stale_on_error", Duration::ZERO, MAX_TTL);
    /// With zero, a caller that can get a stale value does not wait.
    pub const SOFT_TIMEOUT: Bounds<Duration> = times("soft_timeout", Duration::ZERO, MAX_TTL);
    /// For one load.
    pub const HARD_TIMEOUT: Bounds<Duration> = times("hard_timeout", MILLISECOND, MAX_TTL);
    /// A share of a TTL.
    pub const JITTER: Bounds<f64> = shares("jitter");
    /// Bytes, including a header of about a hundred.
    pub const MAX_ENTRY: Bounds<u64> = sizes("max_entry", 256, u64::MAX);
    /// Bytes of one document.
    pub const MAX_DOCUMENT: Bounds<u64> = sizes("max_document", 256, u64::MAX);
    /// At least a few round trips to a distant server.
    pub const LEASE: Bounds<Duration> = times("lease", Duration::from_millis(100), HOUR);
}

pub(super) const fn times(name: &'static str, least: Duration, max: Duration) -> Bounds<Duration> {
    Bounds { name, least, max, show: show_time }
}

pub(super) const fn sizes(name: &'static str, least: u64, max: u64) -> Bounds<u64> {
    Bounds { name, least, max, show: show_size }
}

pub(super) const fn shares(name: &'static str) -> Bounds<f64> {
    Bounds { name, least: 0.0, max: 1.0, show: |share| share.to_string() }
}

fn show_time(time: Duration) -> String {
    if time == MAX_TTL { "a hundred years".to_owned() } else { unquoted(&span(time)) }
}

fn show_size(bytes: u64) -> String {
    if bytes == u64::MAX { "any size".to_owned() } else { unquoted(&size(bytes)) }
}

/// A value as the file has it, without its quotes.
fn unquoted(value: &str) -> String {
    value.trim_matches('"').to_owned()
}

impl Bounds<u32> {
    pub(super) const fn counts(name: &'static str, least: u32, max: u32) -> Self {
        Self { name, least, max, show: |count| count.to_string() }
    }
}

impl<T: Copy + PartialOrd> Bounds<T> {
    /// Checks whether a value is within the bounds.
    ///
    /// # Errors
    /// One line with the setting, the value and the bounds.
    pub fn check(&self, value: T) -> Result<(), String> {
        // NaN is not within any bounds.
        if self.least <= value && value <= self.max {
            return Ok(());
        }
        let Self { name, show, .. } = self;
        let (value, least, max) = (show(value), show(self.least), show(self.max));
        Err(format!("{name} = {value} is not allowed: it must be between {least} and {max}"))
    }

    /// Checks the value of each environment.
    fn check_each(&self, values: &ByEnvironment<T>) -> Result<(), String> {
        let refusal = RefCell::new(Ok(()));
        let note = |value| {
            if let Err(why) = self.check(value) {
                let _ = refusal.replace(Err(why));
            }
        };
        values.clone().map(note);
        refusal.into_inner()
    }
}

impl CacheBounds {
    /// Checks the size of the first tier.
    ///
    /// # Errors
    /// As [`Bounds::check`].
    pub fn check_first_tier(bytes: u64) -> Result<(), String> {
        if bytes == 0 { Ok(()) } else { Self::FIRST_TIER.check(bytes) }
    }
}

/// Settings of every cache that is opened for the map. `None` means the cache's own default.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CacheSettings {
    /// If `false`, nothing is read from a cache or stored in one, and every load runs.
    pub enabled: Option<bool>,
    /// The maximum size of the tier in the process, in bytes.
    pub first_tier: Option<u64>,
    /// How long one request to the database may take before the cache continues without it.
    pub database_timeout: Option<Duration>,
    /// How long after its load a value is served while invalidations cannot arrive.
    pub blind_ttl: Option<Duration>,
    /// The number of failed requests in a row after which the database is not asked for a while.
    pub breaker_failures: Option<u32>,
    /// How long the database is not asked after that many failures.
    pub breaker_open_for: Option<Duration>,
    /// How many undelivered removals are kept.
    pub pending_removals: Option<u32>,
    /// The policy of templates without their own.
    pub policy: PolicyRule,
}

/// How the values of a template are cached, by environment. Empty fields take the value of the policy
/// of `[cache]`, or else the cache's own default.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PolicyRule {
    /// How long the absence of a value is remembered.
    pub negative_ttl: ByEnvironment<Duration>,
    /// The share of its TTL, 0 to 1, after which a read reloads the value in the background.
    pub eager_refresh: ByEnvironment<f64>,
    /// How long after its TTL a value is served while it reloads.
    pub stale_while_revalidate: ByEnvironment<Duration>,
    /// How long after its TTL a value is served if its load fails.
    pub stale_on_error: ByEnvironment<Duration>,
    /// How long a caller that can get a stale value waits for a load.
    pub soft_timeout: ByEnvironment<Duration>,
    /// How long a load may take before it is cancelled.
    pub hard_timeout: ByEnvironment<Duration>,
    /// The maximum share by which TTLs are shortened at random, 0 to 1.
    pub jitter: ByEnvironment<f64>,
    /// The maximum size of a stored entry, in bytes.
    pub max_entry: ByEnvironment<u64>,
    /// The maximum total size of a document's entries, in bytes.
    pub max_document: ByEnvironment<u64>,
    /// How long others wait for a loader that has stopped answering.
    pub lease: ByEnvironment<Duration>,
    /// Whether values are also kept in the process.
    pub first_tier: ByEnvironment<bool>,
}

#[derive(Deserialize)]
#[serde(try_from = "CacheFields")]
pub(super) struct CacheSection(CacheSettings);

#[derive(Default, Deserialize)]
#[serde(try_from = "PolicyFields")]
pub(super) struct PolicySection(PolicyRule);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CacheFields {
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
struct PolicyFields {
    negative_ttl: ByEnvironment<Span>,
    eager_refresh: ByEnvironment<f64>,
    stale_while_revalidate: ByEnvironment<Span>,
    stale_on_error: ByEnvironment<Span>,
    soft_timeout: ByEnvironment<Span>,
    hard_timeout: ByEnvironment<Span>,
    jitter: ByEnvironment<f64>,
    max_entry: ByEnvironment<Size>,
    max_document: ByEnvironment<Size>,
    lease: ByEnvironment<Span>,
    first_tier: ByEnvironment<bool>,
}

impl From<CacheSection> for CacheSettings {
    fn from(section: CacheSection) -> Self {
        section.0
    }
}

impl From<PolicySection> for PolicyRule {
    fn from(section: PolicySection) -> Self {
        section.0
    }
}

impl TryFrom<CacheFields> for CacheSection {
    type Error = String;

    fn try_from(fields: CacheFields) -> Result<Self, String> {
        let time = |span: Option<Span>, bounds: Bounds<Duration>| match span {
            Some(Span(time)) => bounds.check(time).map(|()| Some(time)),
            None => Ok(None),
        };
        let first_tier = fields.first_tier.map(|size| size.0);
        first_tier.map_or(Ok(()), CacheBounds::check_first_tier)?;
        let failures = fields.breaker_failures;
        failures.map_or(Ok(()), |failures| CacheBounds::BREAKER_FAILURES.check(failures))?;
        Ok(Self(CacheSettings {
            enabled: fields.enabled,
            first_tier,
            database_timeout: time(fields.database_timeout, CacheBounds::DATABASE_TIMEOUT)?,
            blind_ttl: time(fields.blind_ttl, CacheBounds::BLIND_TTL)?,
            breaker_failures: failures,
            breaker_open_for: time(fields.breaker_open_for, CacheBounds::BREAKER_OPEN_FOR)?,
            pending_removals: fields.pending_removals,
            policy: fields.policy.into(),
        }))
    }
}

impl TryFrom<PolicyFields> for PolicySection {
    type Error = String;

    fn try_from(fields: PolicyFields) -> Result<Self, String> {
        let time = |each: ByEnvironment<Span>, bounds: Bounds<Duration>| {
            let each = each.map(|span| span.0);
            bounds.check_each(&each).map(|()| each)
        };
        let bytes = |each: ByEnvironment<Size>, bounds: Bounds<u64>| {
            let each = each.map(|size| size.0);
            bounds.check_each(&each).map(|()| each)
        };
        let share =
            |each: ByEnvironment<f64>, bounds: Bounds<f64>| bounds.check_each(&each).map(|()| each);
        Ok(Self(PolicyRule {
            negative_ttl: time(fields.negative_ttl, CacheBounds::NEGATIVE_TTL)?,
            eager_refresh: share(fields.eager_refresh, CacheBounds::EAGER_REFRESH)?,
            stale_while_revalidate: time(
                fields.stale_while_revalidate,
                CacheBounds::STALE_WHILE_REVALIDATE,
            )?,
            stale_on_error: time(fields.stale_on_error, CacheBounds::STALE_ON_ERROR)?,
            soft_timeout: time(fields.soft_timeout, CacheBounds::SOFT_TIMEOUT)?,
            hard_timeout: time(fields.hard_timeout, CacheBounds::HARD_TIMEOUT)?,
            jitter: share(fields.jitter, CacheBounds::JITTER)?,
            max_entry: bytes(fields.max_entry, CacheBounds::MAX_ENTRY)?,
            max_document: bytes(fields.max_document, CacheBounds::MAX_DOCUMENT)?,
            lease: time(fields.lease, CacheBounds::LEASE)?,
            first_tier: fields.first_tier,
        }))
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
        // With a decimal point: `1` would be read back as an integer.
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
            ("jitter = 0.1", "jitter = 1.5", "between 0 and 1"),
            ("jitter = 0.1", "lease = \"1ms\"", "between 100ms and 1h"),
            ("\"1h\"", "\"200y\"", "stale_on_error"),
            ("\"16MiB\"", "\"1KiB\"", "between 64KiB and"),
            ("breaker_failures = 3", "breaker_failures = 0", "must be between 1 and"),
            ("breaker_failures = 3", "database_timeout = \"0s\"", "between 1ms and"),
            ("jitter = 0.1", "jiter = 0.1", "did you mean `jitter`?"),
            ("\"1h\"", "\"an hour\"", "not a duration"),
            ("\"4MiB\"", "\"four\"", "not a size"),
            ("first_tier = false", "first_tier = \"no\"", "boolean"),
            ("[cache]", "[cahe]", "did you mean `cache`?"),
        ] {
            let error = read(&FILE.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("line"), "{from} -> {to}: {error}");
        }
    }
}
