//! What the processes of the fleet publish about their databases in the database `metrics`.

use std::collections::BTreeMap;
use std::time::Duration;

use compartment::cache::FleetMetrics;
use compartment::clock::{Clock, SystemClock};
use compartment::database_map::Role;
use compartment::metrics::{ClientMetrics, ClientProcess};
use compartment::{DatabaseKind, DatabaseMap, Databases, Error};
use compartment_admin::stats::Stats;
use serde::Serialize;

use crate::settings::Settings;

/// The time that figures are over.
const WINDOW: Duration = Duration::from_secs(300);
const HOUR: Duration = Duration::from_secs(3_600);

/// Figures of one cache, as its processes count them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CacheFigures {
    /// The time that they are over.
    pub(crate) window_seconds: u64,
    /// Reads through caches, a second.
    pub(crate) reads_per_second: f64,
    /// Reads that were answered from a cache, 0 to 1.
    pub(crate) hit_rate: Option<f64>,
    /// How long a load takes on average, in milliseconds.
    pub(crate) mean_load_ms: Option<f64>,
    /// Processes that reported in the last minutes.
    pub(crate) processes: usize,
}

/// Requests of one database, as its clients count them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ClientFigures {
    /// The time that they are over.
    pub(crate) window_seconds: f64,
    pub(crate) requests_per_second: f64,
    /// Bytes of arguments, a second.
    pub(crate) sent_bytes_per_second: f64,
    /// Bytes of values in answers, a second.
    pub(crate) received_bytes_per_second: f64,
    /// How long an answer takes on average, in microseconds.
    pub(crate) mean_latency_us: Option<u64>,
    /// The time that 99 of 100 answers take at most, in microseconds: the limit of a bucket, less than twice the time.
    pub(crate) p99_latency_us: Option<u64>,
    /// Reads that found their key, 0 to 1.
    pub(crate) hit_rate: Option<f64>,
    /// Requests without an answer.
    pub(crate) failures: u64,
    /// All requests since counting began, and their bytes.
    pub(crate) requests_total: u64,
    pub(crate) sent_bytes_total: u64,
    pub(crate) received_bytes_total: u64,
    pub(crate) lock_timeouts_total: u64,
}

/// The figures of all databases.
pub(crate) struct Fleet {
    /// The database of figures by itself, so that no connection to another is opened.
    map: Option<DatabaseMap>,
    opened: Option<Databases>,
    caches: BTreeMap<String, CacheFigures>,
    clients: BTreeMap<String, ClientFigures>,
    /// Why there are none.
    problem: Option<String>,
}

impl Fleet {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            map: map(settings),
            opened: None,
            caches: BTreeMap::new(),
            clients: BTreeMap::new(),
            problem: None,
        }
    }

    /// Reads the figures of the databases that have any. A server that is away leaves them out.
    pub(crate) async fn read(&mut self, found: &Stats) {
        self.caches.clear();
        self.clients.clear();
        self.problem = self.try_read(found).await.err().map(|error| error.to_string());
    }

    async fn try_read(&mut self, found: &Stats) -> Result<(), Error> {
        if self.opened.is_none() {
            let Some(map) = &self.map else { return Ok(()) };
            self.opened = Some(compartment::open(map.clone()).await?);
        }
        let Some(metrics) = self.opened.as_ref().and_then(|opened| opened.iter().next()) else {
            return Ok(());
        };
        for database in &found.databases {
            let (name, now) = (&database.name, SystemClock.now());
            let clients = ClientMetrics::read(metrics, name, WINDOW, now).await?;
            if clients.since_ms.is_some() {
                self.clients.insert(name.clone(), client_figures(&clients));
            }
            if database.kind == DatabaseKind::Cache {
                let fleet = FleetMetrics::read(metrics, name, WINDOW, now).await?;
                if fleet.since_ms.is_some() {
                    self.caches.insert(name.clone(), cache_figures(&fleet));
                }
            }
        }
        Ok(())
    }

    /// The figures of a cache; `None` where no process has published any.
    pub(crate) fn of_cache(&self, database: &str) -> Option<&CacheFigures> {
        self.caches.get(database)
    }

    /// The requests of a database; `None` where no process has published any.
    pub(crate) fn of_clients(&self, database: &str) -> Option<&ClientFigures> {
        self.clients.get(database)
    }

    /// The figures that cannot be shown, with the reason.
    pub(crate) fn not_published(&self) -> Vec<String> {
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

/// What the processes of the fleet report for `health`.
pub(crate) struct FleetHealth {
    /// The callers that waited for a lock in vain in the last hour, by database; `None` where nobody publishes.
    pub(crate) lock_timeouts: Option<BTreeMap<String, u64>>,
    /// The processes that reported recently.
    pub(crate) processes: Vec<ClientProcess>,
}

impl FleetHealth {
    pub(crate) async fn read(databases: &Databases) -> Result<Self, Error> {
        let metrics = databases.role(Role::Metrics)?;
        let mut timeouts = BTreeMap::new();
        for database in databases.iter() {
            let (name, now) = (database.name(), SystemClock.now());
            let clients = ClientMetrics::read(metrics, name, HOUR, now).await?;
            if clients.since_ms.is_some() {
                timeouts.insert(name.to_owned(), clients.recent.lock_timeouts);
            }
        }
        let lock_timeouts = Some(timeouts).filter(|timeouts| !timeouts.is_empty());
        Ok(Self { lock_timeouts, processes: ClientMetrics::processes(metrics).await? })
    }
}

/// The map's database of figures, and nothing else of the map.
fn map(settings: &Settings) -> Option<DatabaseMap> {
    let map = &settings.map;
    let metrics = map.database(map.roles().database(Role::Metrics))?;
    let instance = metrics.placement.instance();
    let builder = DatabaseMap::builder()
        .instance(instance, map.instances().get(instance)?.clone())
        .database(metrics.clone());
    builder.build().ok()
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
    }
}
