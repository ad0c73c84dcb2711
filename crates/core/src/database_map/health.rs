//! From when on a deployment is unwell: the thresholds of `[health]`.

use std::time::Duration;

use serde::Deserialize;

use super::cache::{shares, times};
use super::fields::changed;
use super::quantity::{Span, span};

/// The thresholds of `compartment health`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HealthSettings {
    /// How long a `PING`, or the read of one key, may take.
    pub latency: Duration,
    /// The share of a server's memory in use from which on there is a warning,
    pub memory_warning: f64,
    /// and from which on it is critical.
    pub memory_critical: f64,
    /// The hit rate of a cache below which its use should be reviewed.
    pub hit_rate: f64,
    /// The share of a server's connections in use from which on there is a warning.
    pub connections: f64,
    /// The share of a process's own connections in use from which on there is a warning.
    pub pool: f64,
    /// Callers that waited for a lock in vain within an hour above which there is a warning.
    pub lock_timeouts: u64,
    /// Dead letters from which on there is a warning.
    pub dead_letters: u64,
    /// How long a batch may wait that nobody works on, by class: high, normal, low.
    pub queue_age: [Duration; 3],
    /// How long a document may take in one stage.
    pub stuck_after: Duration,
    /// Entries that may wait for the ledger.
    pub ledger_entries: u64,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const MAX: Duration = Duration::from_secs(365 * 86_400);

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(100),
            memory_warning: 0.8,
            memory_critical: 0.9,
            hit_rate: 0.2,
            connections: 0.8,
            pool: 0.8,
            lock_timeouts: 5,
            dead_letters: 1,
            queue_age: [MINUTE, Duration::from_secs(600), HOUR],
            stuck_after: Duration::from_secs(120),
            ledger_entries: 10_000,
        }
    }
}

/// `[health]` of a file.
#[derive(Deserialize)]
#[serde(try_from = "HealthFields")]
pub(super) struct HealthSection(HealthSettings);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HealthFields {
    latency: Option<Span>,
    memory_warning: Option<f64>,
    memory_critical: Option<f64>,
    hit_rate: Option<f64>,
    connections: Option<f64>,
    pool: Option<f64>,
    lock_timeouts: Option<u64>,
    dead_letters: Option<u64>,
    queue_age: Option<QueueAge>,
    stuck_after: Option<Span>,
    ledger_entries: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueAge {
    high: Option<Span>,
    normal: Option<Span>,
    low: Option<Span>,
}

impl From<HealthSection> for HealthSettings {
    fn from(section: HealthSection) -> Self {
        section.0
    }
}

impl TryFrom<HealthFields> for HealthSection {
    type Error = String;

    fn try_from(fields: HealthFields) -> Result<Self, String> {
        let usual = HealthSettings::default();
        let time = |name, given: Option<Span>, usual| {
            let time = given.map_or(usual, |span| span.0);
            times(name, Duration::from_millis(1), MAX).check(time).map(|()| time)
        };
        let share = |name, given: Option<f64>, usual| {
            let share = given.unwrap_or(usual);
            shares(name).check(share).map(|()| share)
        };
        let ages = match fields.queue_age {
            Some(QueueAge { high, normal, low }) => [high, normal, low],
            None => [None, None, None],
        };
        let [high, normal, low] = ages;
        let [usual_high, usual_normal, usual_low] = usual.queue_age;
        let settings = HealthSettings {
            latency: time("latency", fields.latency, usual.latency)?,
            memory_warning: share("memory_warning", fields.memory_warning, usual.memory_warning)?,
            memory_critical: share(
                "memory_critical",
                fields.memory_critical,
                usual.memory_critical,
            )?,
            hit_rate: share("hit_rate", fields.hit_rate, usual.hit_rate)?,
            connections: share("connections", fields.connections, usual.connections)?,
            pool: share("pool", fields.pool, usual.pool)?,
            lock_timeouts: fields.lock_timeouts.unwrap_or(usual.lock_timeouts),
            dead_letters: fields.dead_letters.unwrap_or(usual.dead_letters).max(1),
            queue_age: [
                time("queue_age.high", high, usual_high)?,
                time("queue_age.normal", normal, usual_normal)?,
                time("queue_age.low", low, usual_low)?,
            ],
            stuck_after: time("stuck_after", fields.stuck_after, usual.stuck_after)?,
            ledger_entries: fields.ledger_entries.unwrap_or(usual.ledger_entries),
        };
        if settings.memory_warning > settings.memory_critical {
            return Err(format!(
                "memory_warning = {} is above memory_critical = {}: the warning comes first",
                settings.memory_warning, settings.memory_critical
            ));
        }
        Ok(Self(settings))
    }
}

impl HealthSettings {
    /// The fields that are not as usual, as TOML.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let usual = Self::default();
        let [high, normal, low] = self.queue_age.map(span);
        // With their points: 1 would be read back as a whole number.
        changed([
            ("latency", self.latency != usual.latency, span(self.latency)),
            (
                "memory_warning",
                self.memory_warning != usual.memory_warning,
                format!("{:?}", self.memory_warning),
            ),
            (
                "memory_critical",
                self.memory_critical != usual.memory_critical,
                format!("{:?}", self.memory_critical),
            ),
            ("hit_rate", self.hit_rate != usual.hit_rate, format!("{:?}", self.hit_rate)),
            (
                "connections",
                self.connections != usual.connections,
                format!("{:?}", self.connections),
            ),
            ("pool", self.pool != usual.pool, format!("{:?}", self.pool)),
            (
                "lock_timeouts",
                self.lock_timeouts != usual.lock_timeouts,
                self.lock_timeouts.to_string(),
            ),
            (
                "dead_letters",
                self.dead_letters != usual.dead_letters,
                self.dead_letters.to_string(),
            ),
            (
                "queue_age",
                self.queue_age != usual.queue_age,
                format!("{{ high = {high}, normal = {normal}, low = {low} }}"),
            ),
            ("stuck_after", self.stuck_after != usual.stuck_after, span(self.stuck_after)),
            (
                "ledger_entries",
                self.ledger_entries != usual.ledger_entries,
                self.ledger_entries.to_string(),
            ),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DatabaseMap, DatabaseMapBuilder};

    const FILE: &str = r#"
        preset = "pipeline"
        [instances.primary]
        url = "memory://"
        [health]
        latency = "20ms"
        memory_critical = 0.95
        dead_letters = 5
        pool = 0.5
        lock_timeouts = 0
        queue_age = { normal = "2h" }
    "#;

    fn read(text: &str) -> crate::Result<DatabaseMap> {
        DatabaseMapBuilder::toml(text)?.build()
    }

    #[test]
    fn thresholds_are_read_and_read_back_and_the_rest_is_as_usual() {
        let map = read(FILE).unwrap();
        let health = map.health();
        assert_eq!((health.latency, health.memory_critical), (Duration::from_millis(20), 0.95));
        assert_eq!((health.memory_warning, health.dead_letters), (0.8, 5));
        assert_eq!((health.pool, health.lock_timeouts), (0.5, 0));
        assert_eq!(health.queue_age, [MINUTE, 2 * HOUR, HOUR]);
        let text = map.to_toml();
        assert_eq!(read(&text).unwrap(), map, "{text}");
        assert!(!text.contains("hit_rate"), "{text}");
    }

    #[test]
    fn a_wrong_threshold_says_which_would_be_right() {
        for (from, to, says) in [
            ("0.95", "1.5", "between 0 and 1"),
            ("0.95", "0.5", "the warning comes first"),
            ("\"20ms\"", "\"0s\"", "latency"),
            ("latency", "latensy", "did you mean `latency`?"),
            ("normal =", "usual =", "unknown field"),
        ] {
            let error = read(&FILE.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(says), "{from} -> {to}: {error}");
        }
    }
}
