//! The requests of a database, as all processes of a fleet count them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fleet_counters::{Additions, FleetCounters, list_processes};
use crate::names::is_name;
use crate::{Codec, Database, KeyTemplate, Result, Timestamp, TrafficSnapshot};

static TOTALS: KeyTemplate<()> =
    KeyTemplate::new("client_totals", "compartment:clients:totals:{database}", "metrics");
static MINUTES: KeyTemplate<()> =
    KeyTemplate::new("client_minute", "compartment:clients:minute:{database}:{minute}", "metrics");
/// The counters of a database, by its name.
pub(super) const COUNTERS: FleetCounters = FleetCounters { totals: &TOTALS, minutes: &MINUTES };
/// The state of one process.
pub(super) static PROCESS: KeyTemplate<ClientProcess> =
    KeyTemplate::new("client_process", "compartment:clients:process:{process}", "metrics")
        .with_codec(Codec::JSON);

/// The requests of one database, as all processes that publish them count them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientMetrics {
    /// The database's name.
    pub database: String,
    /// When counting began, in milliseconds since 1970; `None` if nobody publishes.
    pub since_ms: Option<u64>,
    /// The counters since then. The gauges in it are 0.
    pub total: TrafficSnapshot,
    /// The counters of the window. The gauges in it are 0.
    pub recent: TrafficSnapshot,
    /// The time that `recent` is over: whole minutes and the current one, from when counting began.
    pub window: Duration,
}

/// The state of a process, as it last reported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClientProcess {
    /// Its process id.
    pub pid: u32,
    /// When it reported, in milliseconds since 1970.
    pub at_ms: u64,
    /// Its connections, by instance.
    pub connections: BTreeMap<String, ConnectionUse>,
}

/// Connections of a process to one instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConnectionUse {
    /// Those that its databases and subscriptions have taken.
    pub taken: u64,
    /// The most it may take: `max_connections` of the instance.
    pub max: u64,
}

impl ConnectionUse {
    pub(super) fn new(taken: u64, max: u64) -> Self {
        Self { taken, max }
    }

    /// The share that is taken, 0 to 1; 0 without a limit.
    #[must_use]
    pub fn share(self) -> f64 {
        if self.max == 0 { 0.0 } else { self.taken as f64 / self.max as f64 }
    }
}

impl ClientMetrics {
    /// Reads what was published about the database `name` from the database `metrics`, as of `now`, with the counters
    /// of `window`, at most a day.
    ///
    /// # Errors
    /// The metrics database's.
    pub async fn read(
        metrics: &Database,
        name: &str,
        window: Duration,
        now: Timestamp,
    ) -> Result<Self> {
        let counts = COUNTERS.read(metrics, name, window, now).await?;
        Ok(Self {
            database: name.to_owned(),
            since_ms: counts.since_ms,
            total: snapshot(&counts.totals),
            recent: snapshot(&counts.recent),
            window: counts.counted_for,
        })
    }

    /// The processes that reported recently, from the database `metrics`.
    ///
    /// # Errors
    /// The metrics database's.
    pub async fn processes(metrics: &Database) -> Result<Vec<ClientProcess>> {
        let mut processes = list_processes(metrics, &PROCESS, &[]).await?;
        for process in &mut processes {
            // Any program with access to the database may have written them.
            process.connections.retain(|instance, _| is_name(instance));
        }
        Ok(processes)
    }

    /// A count of the window, a second.
    #[must_use]
    pub fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.window.as_secs_f64().max(1.0)
    }
}

/// A counter's field in the hashes, and its place.
type Figure = (&'static str, fn(&mut TrafficSnapshot) -> &mut u64);

const FIGURES: [Figure; 11] = [
    ("hits", |one| &mut one.hits),
    ("misses", |one| &mut one.misses),
    ("writes", |one| &mut one.writes),
    ("retries", |one| &mut one.retries),
    ("evicted", |one| &mut one.evicted),
    ("requests", |one| &mut one.requests),
    ("failures", |one| &mut one.failures),
    ("sent_bytes", |one| &mut one.sent_bytes),
    ("received_bytes", |one| &mut one.received_bytes),
    ("lock_timeouts", |one| &mut one.lock_timeouts),
    ("latency_micros", |one| &mut one.latencies.micros),
];

fn bucket_field(at: usize) -> String {
    format!("latency_{at}")
}

/// How much each counter has grown.
pub(super) fn growth(mut before: TrafficSnapshot, mut now: TrafficSnapshot) -> Additions {
    let mut additions = Vec::new();
    for (field, place) in FIGURES {
        let grown = place(&mut now).saturating_sub(*place(&mut before));
        additions.push((field.to_owned(), grown));
    }
    let buckets = now.latencies.buckets.iter().zip(before.latencies.buckets).enumerate();
    additions.extend(buckets.map(|(at, (now, old))| (bucket_field(at), now.saturating_sub(old))));
    additions.retain(|(_, grown)| *grown > 0);
    additions
}

fn snapshot(counts: &BTreeMap<String, u64>) -> TrafficSnapshot {
    let read = |field: &str| counts.get(field).copied().unwrap_or(0);
    let mut snapshot = TrafficSnapshot::default();
    for (field, place) in FIGURES {
        *place(&mut snapshot) = read(field);
    }
    for (at, bucket) in snapshot.latencies.buckets.iter_mut().enumerate() {
        *bucket = read(&bucket_field(at));
    }
    snapshot
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Traffic;

    #[test]
    fn growth_is_read_back_as_it_was_counted() {
        let traffic = Traffic::default();
        traffic.sent(4, 400);
        traffic.answered(90, Duration::from_millis(1));
        let before = traffic.snapshot();
        traffic.sent(2, 20);
        traffic.answered(10, Duration::from_micros(70));
        traffic.unanswered(1);
        traffic.lock_timed_out();
        traffic.read(true);
        traffic.connections_taken(3);
        let grown: BTreeMap<String, u64> = growth(before, traffic.snapshot()).into_iter().collect();
        let read = snapshot(&grown);
        assert_eq!((read.requests, read.sent_bytes, read.received_bytes), (2, 20, 10));
        assert_eq!((read.failures, read.lock_timeouts, read.hits), (1, 1, 1));
        assert_eq!(read.latencies.mean(), Some(Duration::from_micros(70)));
        assert_eq!(read.connections, 0, "a gauge is not added up");
        assert!(!grown.contains_key("writes"), "only growth is sent");
    }
}
