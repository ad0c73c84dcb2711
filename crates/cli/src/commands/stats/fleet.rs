//! What the processes of the fleet publish about their databases in the database `metrics`.

use std::collections::BTreeMap;
use std::time::Duration;

use compartment::cache::FleetMetrics;
use compartment::clock::{Clock, SystemClock};
use compartment::database_map::Role;
use compartment::{DatabaseKind, DatabaseMap, Databases, Error};
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
    /// The database of figures by itself, so that no connection to another is opened.
    map: Option<DatabaseMap>,
    opened: Option<Databases>,
    figures: BTreeMap<String, FleetFigures>,
    /// Why there are none.
    problem: Option<String>,
}

impl Fleet {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { map: map(settings), opened: None, figures: BTreeMap::new(), problem: None }
    }

    /// Reads the figures of the caches that have any. A server that is away leaves them out.
    pub(crate) async fn read(&mut self, found: &Stats) {
        self.figures.clear();
        self.problem = self.try_read(found).await.err().map(|error| error.to_string());
    }

    async fn try_read(&mut self, found: &Stats) -> Result<(), Error> {
        let Some(map) = &self.map else { return Ok(()) };
        if self.opened.is_none() {
            self.opened = Some(compartment::open(map.clone()).await?);
        }
        let Some(databases) = &self.opened else { return Ok(()) };
        let Some(contract) = databases.map().databases().first() else { return Ok(()) };
        let metrics = databases.get(&contract.name)?;
        let caches = found.databases.iter().filter(|one| one.kind == DatabaseKind::Cache);
        for database in caches {
            let now = SystemClock.now();
            let fleet = FleetMetrics::read(metrics, &database.name, WINDOW, now).await?;
            if fleet.since_ms.is_some() {
                self.figures.insert(database.name.clone(), figures(&fleet));
            }
        }
        Ok(())
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
