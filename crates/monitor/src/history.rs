//! Figures of databases and servers over the time that the monitor has run.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use compartment_admin::stats::DatabaseStats;
use compartment_operations::Look;

/// Samples that are kept: an hour of looks at 5 s.
const MAX_SAMPLES: usize = 720;

/// Figures at one moment. What is not known is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sample {
    pub(crate) at_ms: u64,
    pub(crate) keys: Option<f64>,
    pub(crate) bytes: Option<f64>,
    /// A second.
    pub(crate) requests: Option<f64>,
    /// 0 to 1.
    pub(crate) hit_rate: Option<f64>,
    /// Of 99 of 100 answers, in microseconds.
    pub(crate) latency: Option<f64>,
}

/// The newest samples, the oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(VecDeque<Sample>);

impl History {
    fn push(&mut self, sample: Sample) {
        if self.0.len() == MAX_SAMPLES {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    /// One figure over time.
    pub(crate) fn of(&self, figure: impl Fn(&Sample) -> Option<f64>) -> Vec<Option<f64>> {
        self.0.iter().map(figure).collect()
    }

    /// The time from the first sample to the last, in milliseconds.
    pub(crate) fn span_ms(&self) -> u64 {
        let ends = self.0.front().zip(self.0.back());
        ends.map_or(0, |(first, last)| last.at_ms.saturating_sub(first.at_ms))
    }
}

/// Why a server does not answer, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Away {
    pub(crate) since_ms: u64,
    pub(crate) why: String,
}

/// What is known from earlier looks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// By database.
    pub(crate) databases: BTreeMap<String, History>,
    /// Commands a second and memory in use, by instance.
    pub(crate) instances: BTreeMap<String, History>,
    /// Instances that did not answer at the last look.
    pub(crate) away: BTreeMap<String, Away>,
    /// The last look whose batches, workers and queues could be read.
    pub(crate) work: Option<Arc<Look>>,
    /// The last figures of each database, and when they were read.
    last: BTreeMap<String, (DatabaseStats, u64)>,
}

impl Known {
    pub(crate) fn note(&mut self, look: &Arc<Look>) {
        if look.work.as_ref().is_some_and(|work| work.problem.is_none()) {
            self.work = Some(Arc::clone(look));
        }
        for instance in &look.stats.instances {
            match &instance.problem {
                Some(why) => {
                    let since_ms =
                        self.away.get(&instance.name).map_or(look.at_ms, |one| one.since_ms);
                    self.away.insert(instance.name.clone(), Away { since_ms, why: why.clone() });
                }
                None => drop(self.away.remove(&instance.name)),
            }
            let sum = |figure: fn(&compartment_admin::stats::NodeStats) -> Option<f64>| {
                instance.nodes.iter().filter_map(figure).reduce(|one, other| one + other)
            };
            let sample = Sample {
                at_ms: look.at_ms,
                bytes: sum(|node| Some(node.memory.used? as f64)),
                requests: sum(|node| node.work.commands_per_second),
                ..Sample::default()
            };
            self.instances.entry(instance.name.clone()).or_default().push(sample);
        }
        for database in &look.stats.databases {
            let content = database.content.as_ref();
            let clients = look.fleet.clients.get(&database.name);
            let sample = Sample {
                at_ms: look.at_ms,
                keys: content.map(|one| one.keys as f64),
                bytes: content.and_then(|one| one.bytes).map(|one| one.bytes as f64),
                requests: clients.map(|one| one.requests_per_second),
                hit_rate: hit_rate(look, &database.name),
                latency: clients.and_then(|one| one.p99_latency_us).map(|one| one as f64),
            };
            self.databases.entry(database.name.clone()).or_default().push(sample);
            if database.content.is_some() {
                self.last.insert(database.name.clone(), (database.clone(), look.at_ms));
            }
        }
    }

    /// The figures of a database: those of the look, or if its server is away the last ones, with the time that they
    /// are of.
    pub(crate) fn newest<'a>(
        &'a self,
        found: &'a DatabaseStats,
    ) -> (&'a DatabaseStats, Option<u64>) {
        match self.last.get(&found.name) {
            Some((last, at_ms)) if found.content.is_none() => (last, Some(*at_ms)),
            _ => (found, None),
        }
    }
}

/// The hit rate of a database, as caches count it, or else as clients do.
pub(crate) fn hit_rate(look: &Look, database: &str) -> Option<f64> {
    let cache = look.fleet.caches.get(database).and_then(|one| one.hit_rate);
    cache.or_else(|| look.fleet.clients.get(database)?.hit_rate)
}
