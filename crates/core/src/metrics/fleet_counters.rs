//! Counters that every process of a fleet adds to: sums since counting began, and sums of each minute.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{try_join, try_join_all};
use serde::de::DeserializeOwned;

use crate::{Codec, Database, Expiry, KeyTemplate, Result, Timestamp, escape_glob};

/// How long the counts of a minute are kept: the longest window.
pub const LONGEST_WINDOW: Duration = Duration::from_secs(24 * 3_600);
/// How long totals are kept after the last addition.
const TOTALS_TTL: Duration = Duration::from_secs(30 * 86_400);
const MINUTE_TTL: Duration = Duration::from_secs(25 * 3_600);
/// In the totals: when counting began, in milliseconds since 1970.
const SINCE: &str = ".since_ms";

/// Counters by field, with how much each has grown.
pub type Additions = Vec<(String, u64)>;

/// Where counters are in the database `metrics`: a hash of totals for each subject, and one for each minute.
///
/// An addition with an unknown outcome is not repeated: the sums may miss a little, but never count twice.
#[derive(Clone, Copy, Debug)]
pub struct FleetCounters {
    /// The key of the totals, with one placeholder: the subject.
    pub totals: &'static KeyTemplate<()>,
    /// The key of a minute, with two placeholders: the subject, and the minute since 1970.
    pub minutes: &'static KeyTemplate<()>,
}

/// The counters of one subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetCounts {
    /// When counting began, in milliseconds since 1970; `None` if nothing was counted.
    pub since_ms: Option<u64>,
    /// The sums since then.
    pub totals: BTreeMap<String, u64>,
    /// The sums of the minutes of the window, the current one included.
    pub recent: BTreeMap<String, u64>,
    /// The minutes of the window.
    pub minutes: u64,
    /// The time of the window in which something was counted, at least a second.
    pub counted_for: Duration,
}

impl FleetCounters {
    /// Notes that counting of `subject` began at `at`, unless it is noted.
    ///
    /// # Errors
    /// The metrics database's.
    pub async fn begin(&self, metrics: &Database, subject: &str, at: Timestamp) -> Result<()> {
        let key = self.totals.key(&[subject])?;
        let value = at.as_millis().to_string().into();
        let expiry = Expiry::After(TOTALS_TTL);
        metrics.hash().set_field_if_absent(key.as_str(), SINCE, value, expiry).await.map(drop)
    }

    /// Adds to the totals of `subject`, and to those of the minute of `at`.
    ///
    /// # Errors
    /// The metrics database's; some may have been added then.
    pub async fn add(
        &self,
        metrics: &Database,
        subject: &str,
        at: Timestamp,
        totals: Additions,
        minute: Additions,
    ) -> Result<()> {
        let totals_key = self.totals.key(&[subject])?;
        let minute_key = self.minutes.key(&[subject, &minute_of(at).to_string()])?;
        let totals = add_all(metrics, totals_key.as_str(), totals, TOTALS_TTL);
        let minute = add_all(metrics, minute_key.as_str(), minute, MINUTE_TTL);
        try_join(totals, minute).await.map(drop)
    }

    /// Reads the counters of `subject` as of `now`, and over `window`, at most a day.
    ///
    /// # Errors
    /// The metrics database's.
    pub async fn read(
        &self,
        metrics: &Database,
        subject: &str,
        window: Duration,
        now: Timestamp,
    ) -> Result<FleetCounts> {
        let minutes = window.min(LONGEST_WINDOW).as_secs().div_ceil(60).max(1);
        let mut counts = FleetCounts { minutes, ..FleetCounts::default() };
        let totals = metrics.hash().get_all(self.totals.key(&[subject])?.as_str()).await?;
        for (field, value) in totals {
            match field.as_str() {
                SINCE => counts.since_ms = Some(number(&value)),
                _ => drop(counts.totals.insert(field, number(&value))),
            }
        }
        let last = minute_of(now);
        let first = last.saturating_sub(minutes - 1);
        let keys = (first..=last)
            .map(|minute| self.minutes.key(&[subject, &minute.to_string()]))
            .collect::<Result<Vec<_>>>()?;
        let each = keys.iter().map(|key| metrics.hash().get_all(key.as_str()));
        for (field, value) in try_join_all(each).await?.into_iter().flatten() {
            let count = counts.recent.entry(field).or_default();
            *count = count.saturating_add(number(&value));
        }
        let began = Timestamp::from_millis((first * 60_000).max(counts.since_ms.unwrap_or(0)));
        counts.counted_for = now.since(began).max(Duration::from_secs(1));
        Ok(counts)
    }
}

/// The states that processes have published about `subject` under `template`, whose placeholders are the subject and
/// the process.
///
/// # Errors
/// The metrics database's.
pub async fn list_processes<T: DeserializeOwned>(
    metrics: &Database,
    template: &KeyTemplate<T>,
    subject: &[&str],
) -> Result<Vec<T>> {
    let parts: Vec<&str> = subject.iter().copied().chain(["-"]).collect();
    let any = template.key(&parts)?;
    let pattern = format!("{}*", escape_glob(any.as_str().trim_end_matches('-')));
    let mut scan = metrics.key_value().scan(&pattern);
    let mut keys = BTreeSet::new();
    while let Some(key) = scan.next().await {
        keys.insert(key?);
    }
    let keys: Vec<String> = keys.into_iter().collect();
    let values = metrics.key_value().get_many(&keys).await?;
    // Values of a newer version are left out.
    Ok(values.iter().flatten().filter_map(|value| Codec::decode(value).ok()).collect())
}

/// The minute of a moment, counted since 1970.
fn minute_of(at: Timestamp) -> u64 {
    at.as_millis() / 60_000
}

/// The largest count that is read: any program with access to the database may have written one, and counts are added
/// up.
const MAX_COUNT: u64 = 1 << 53;

fn number(value: &Bytes) -> u64 {
    let count: Option<u64> = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    count.map_or(0, |count| count.min(MAX_COUNT))
}

async fn add_all(metrics: &Database, key: &str, fields: Additions, ttl: Duration) -> Result<()> {
    let (store, expiry) = (metrics.hash(), Expiry::After(ttl));
    let each = fields.iter().filter(|(_, by)| *by > 0).map(|(field, by)| {
        let by = i64::try_from(*by).unwrap_or(i64::MAX);
        store.increment_field(key, field, by, expiry)
    });
    try_join_all(each).await.map(drop)
}
