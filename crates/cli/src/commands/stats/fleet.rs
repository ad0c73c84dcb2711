//! What the processes of the fleet publish about their databases in the database `metrics`.

use std::collections::BTreeMap;
use std::time::Duration;

use compartment::cache::FleetMetrics;
use compartment::clock::{Clock, SystemClock};
use compartment::database_map::Role;
use compartment::{DatabaseKind, Databases};
use compartment_admin::stats::Stats;
use serde::Serialize;

use crate::settings::Settings;

/// What the figures are over.
const WINDOW: Duration = Duration::from_secs(300);

/// Figures of one database, as its clients count them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FleetFigures {
    /// What they are over.
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

/// The figures of all databases.
pub(crate) struct Fleet {
    databases: Result<Databases, String>,
    figures: BTreeMap<String, FleetFigures>,
    /// Why there are none.
    problem: Option<String>,
}

impl Fleet {
    /// Opens the databases. A server that is away leaves the figures out.
    pub(crate) async fn open(settings: &Settings) -> Self {
        let opened = compartment::open(settings.map.clone()).await;
        let databases = opened.map_err(|error| error.to_string());
        Self { databases, figures: BTreeMap::new(), problem: None }
    }

    /// Reads the figures of the caches that have any.
    pub(crate) async fn read(&mut self, found: &Stats) {
        self.figures.clear();
        self.problem = None;
        let databases = match &self.databases {
            Ok(databases) => databases,
            Err(problem) => {
                self.problem = Some(problem.clone());
                return;
            }
        };
        let Ok(metrics) = databases.role(Role::Metrics) else { return };
        let caches = found.databases.iter().filter(|one| one.kind == DatabaseKind::Cache);
        for database in caches {
            match FleetMetrics::read(metrics, &database.name, WINDOW, SystemClock.now()).await {
                Ok(fleet) if fleet.since_ms.is_some() => {
                    self.figures.insert(database.name.clone(), figures(&fleet));
                }
                Ok(_) => {}
                Err(error) => self.problem = Some(error.to_string()),
            }
        }
    }

    /// The figures of a database; `None` where no process has published any.
    pub(crate) fn of(&self, database: &str) -> Option<&FleetFigures> {
        self.figures.get(database)
    }

    /// The figures that cannot be shown, with the reason.
    pub(crate) fn not_published(&self) -> Vec<String> {
        let mut missing = vec![
            "bytes a second, latency, and operations of databases that are no cache: no process \
             publishes them"
                .to_owned(),
            "expired and evicted keys by database: servers count them for all databases together"
                .to_owned(),
        ];
        if let Some(problem) = &self.problem {
            missing.push(format!("figures of caches: failed to {problem}"));
        }
        missing
    }
}

fn figures(fleet: &FleetMetrics) -> FleetFigures {
    let total = fleet.total();
    let reads = total.recent_hits + total.recent_misses;
    FleetFigures {
        window_seconds: fleet.window_seconds,
        reads_per_second: reads as f64 / fleet.window_seconds.max(1) as f64,
        hit_rate: fleet.hit_rate(),
        mean_load_ms: total.mean_load().map(|load| load.as_secs_f64() * 1_000.0),
        processes: fleet.processes.len(),
    }
}
