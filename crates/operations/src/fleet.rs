//! What the processes of the fleet publish about their databases in the database `metrics`.

use std::collections::BTreeMap;
use std::time::Duration;

use compartment::DatabaseKind;
use compartment::cache::{FleetMetrics, TemplateMetrics};
use compartment::clock::{Clock, SystemClock};
use compartment::metrics::{ClientMetrics, Latencies};
use serde::{Deserialize, Serialize};

use crate::{Operations, Result};

/// The time that figures are over.
const WINDOW: Duration = Duration::from_secs(300);

/// Figures of one cache, as its processes count them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CacheFigures {
    /// The time that they are over.
    pub window_seconds: u64,
    /// Reads through caches, a second.
    pub reads_per_second: f64,
    /// Reads that were answered from a cache, 0 to 1.
    pub hit_rate: Option<f64>,
    /// How long a load takes on average, in milliseconds.
    pub mean_load_ms: Option<f64>,
    /// Processes that reported in the last minutes.
    pub processes: usize,
    /// The figures of each template, since counting began.
    #[serde(default)]
    pub templates: BTreeMap<String, TemplateMetrics>,
}

/// Requests of one database, as its clients count them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClientFigures {
    /// The time that they are over.
    pub window_seconds: f64,
    /// Requests, a second.
    pub requests_per_second: f64,
    /// Bytes of arguments, a second.
    pub sent_bytes_per_second: f64,
    /// Bytes of values in answers, a second.
    pub received_bytes_per_second: f64,
    /// How long an answer takes on average, in microseconds.
    pub mean_latency_us: Option<u64>,
    /// The time that 99 of 100 answers take at most, in microseconds: the limit of a bucket, less than twice the time.
    pub p99_latency_us: Option<u64>,
    /// Reads that found their key, 0 to 1.
    pub hit_rate: Option<f64>,
    /// Requests without an answer.
    pub failures: u64,
    /// All requests since counting began.
    pub requests_total: u64,
    /// Bytes of their arguments.
    pub sent_bytes_total: u64,
    /// Bytes of values in their answers.
    pub received_bytes_total: u64,
    /// Callers that waited for a lock in vain.
    pub lock_timeouts_total: u64,
    /// How long answers took since counting began.
    #[serde(skip)]
    pub latencies: Latencies,
}

/// The figures of all databases, by database.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fleet {
    /// Requests, where a process publishes them.
    pub clients: BTreeMap<String, ClientFigures>,
    /// Caches, where a process publishes figures of them.
    pub caches: BTreeMap<String, CacheFigures>,
    /// Why there are none, if they could not be read.
    pub problem: Option<String>,
}

impl Fleet {
    /// Reads the figures of the databases that have any. A server that is away leaves them out.
    pub(crate) async fn read(operations: &Operations) -> Self {
        let mut fleet = Self::default();
        if let Err(error) = fleet.try_read(operations).await {
            fleet.problem = Some(error.to_string());
        }
        fleet
    }

    async fn try_read(&mut self, operations: &Operations) -> Result<()> {
        let Some(metrics) = operations.metrics_database().await? else { return Ok(()) };
        for database in operations.map().databases() {
            let (name, now) = (&database.name, SystemClock.now());
            let clients = ClientMetrics::read(&metrics, name, WINDOW, now).await?;
            if clients.since_ms.is_some() {
                self.clients.insert(name.clone(), client_figures(&clients));
            }
            if database.kind == DatabaseKind::Cache {
                let fleet = FleetMetrics::read(&metrics, name, WINDOW, now).await?;
                if fleet.since_ms.is_some() {
                    self.caches.insert(name.clone(), cache_figures(&fleet));
                }
            }
        }
        Ok(())
    }

    /// The figures that cannot be shown, with the reason.
    #[must_use]
    pub fn not_published(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.clients.is_empty() && self.problem.is_none() {
            missing.push(
                "requests, bytes a second and latency by database: no process publishes them \
                 (workers do, and programs with `ClientMetricsPublisher`)"
                    .to_owned(),
            );
        }
        missing.push(
            "expired and evicted keys by database: servers count them for all databases together"
                .to_owned(),
        );
        if let Some(problem) = &self.problem {
            missing.push(format!("figures of the fleet: failed to {problem}"));
        }
        missing
    }
}

fn cache_figures(fleet: &FleetMetrics) -> CacheFigures {
    let total = fleet.total();
    let reads = total.recent_hits + total.recent_misses;
    CacheFigures {
        window_seconds: fleet.window_seconds,
        reads_per_second: reads as f64 / fleet.window_seconds.max(1) as f64,
        hit_rate: fleet.hit_rate(),
        mean_load_ms: total.mean_load().map(|load| load.as_secs_f64() * 1_000.0),
        processes: fleet.processes.len(),
        templates: fleet.templates.clone(),
    }
}

fn client_figures(clients: &ClientMetrics) -> ClientFigures {
    let ClientMetrics { recent, total, .. } = clients;
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    ClientFigures {
        window_seconds: clients.window.as_secs_f64(),
        requests_per_second: clients.per_second(recent.requests),
        sent_bytes_per_second: clients.per_second(recent.sent_bytes),
        received_bytes_per_second: clients.per_second(recent.received_bytes),
        mean_latency_us: recent.latencies.mean().map(micros),
        p99_latency_us: recent.latencies.at_most(0.99).map(micros),
        hit_rate: recent.hit_rate(),
        failures: recent.failures,
        requests_total: total.requests,
        sent_bytes_total: total.sent_bytes,
        received_bytes_total: total.received_bytes,
        lock_timeouts_total: total.lock_timeouts,
        latencies: total.latencies,
    }
}
