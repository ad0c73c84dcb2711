//! The metrics of all processes together, read from the `metrics` database.

use std::collections::BTreeMap;
use std::time::Duration;

use compartment_core::backend::is_name;
use compartment_core::metrics::list_processes;
use compartment_core::{Database, Result, Timestamp};
use serde::Serialize;

use crate::metrics::figures::{FIGURES, TemplateMetrics, sum};
use crate::metrics::prometheus::Text;
use crate::metrics::publication::{COUNTERS, PROCESS, ProcessMetrics};

/// The metrics of all processes that use a cache database.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FleetMetrics {
    /// The cache database's name.
    pub database: String,
    /// When counting began, in milliseconds since 1970; `None` if nothing was counted.
    pub since_ms: Option<u64>,
    /// The window of `recent_hits` and `recent_misses`, in seconds: whole minutes, including the
    /// current one.
    pub window_seconds: u64,
    /// The metrics of each template.
    pub templates: BTreeMap<String, TemplateMetrics>,
    /// Entries evicted from first tiers.
    pub evicted: u64,
    /// Invalidations of keys, documents, tags and patterns.
    pub invalidations: u64,
    /// How often a first tier was distrusted.
    pub distrusted: u64,
    /// How often a breaker opened.
    pub breaker_opened: u64,
    /// The processes that reported recently.
    pub processes: Vec<ProcessMetrics>,
}

impl FleetMetrics {
    /// Reads the metrics of the cache database `name` from the database `metrics`, as of `now`. The hit rate covers
    /// `window`, at most a day.
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
        let (database, since_ms) = (name.to_owned(), counts.since_ms);
        let window_seconds = counts.minutes * 60;
        let mut fleet = Self { database, since_ms, window_seconds, ..Self::default() };
        for (field, value) in &counts.totals {
            fleet.take_total(field, *value);
        }
        for (field, value) in &counts.recent {
            let Some((template, what)) = field.rsplit_once('.') else { continue };
            if !is_name(template) {
                continue;
            }
            let figures = fleet.templates.entry(template.into()).or_default();
            match what {
                "hits" => figures.recent_hits += value,
                "misses" => figures.recent_misses += value,
                _ => {}
            }
        }
        fleet.processes = list_processes(metrics, &PROCESS, &[name]).await?;
        Ok(fleet)
    }

    fn take_total(&mut self, field: &str, value: u64) {
        let Some((template, what)) = field.rsplit_once('.') else { return };
        if !template.is_empty() && !is_name(template) {
            // No cache wrote it: any program with access to the database may have.
            return;
        }
        if template.is_empty() {
            match what {
                "evicted" => self.evicted = value,
                "invalidations" => self.invalidations = value,
                "distrusted" => self.distrusted = value,
                "breaker_opened" => self.breaker_opened = value,
                // A newer version has more counters.
                _ => {}
            }
        } else if let Some(figure) = FIGURES.iter().find(|figure| figure.name == what) {
            *(figure.place)(self.templates.entry(template.into()).or_default()) = value;
        }
    }

    /// The share of hits among reads in the window over all templates, 0 to 1.
    #[must_use]
    pub fn hit_rate(&self) -> Option<f64> {
        self.total().hit_rate()
    }

    /// The metrics of all templates together.
    #[must_use]
    pub fn total(&self) -> TemplateMetrics {
        sum(&self.templates)
    }

    /// The metrics in Prometheus's text format.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let mut text = Text::of(&self.database);
        text.templates(&self.templates);
        let all = |figure: fn(&ProcessMetrics) -> u64| self.processes.iter().map(figure).sum();
        let open = |process: &ProcessMetrics| u64::from(!process.breaker.is_closed());
        text.gauge("processes", "Processes that reported recently.", self.processes.len() as u64);
        text.gauge("first_tier_entries", "Entries in processes.", all(|p| p.first_tier_entries));
        text.gauge("first_tier_bytes", "Bytes in processes.", all(|p| p.first_tier_bytes));
        text.counter("evicted_total", "Entries evicted in processes.", self.evicted);
        text.counter("invalidations_total", "Invalidations.", self.invalidations);
        text.gauge(
            "distrusting",
            "Processes that do not receive invalidations.",
            all(|p| u64::from(!p.trusted)),
        );
        text.counter(
            "distrusted_total",
            "Times that a first tier lost its invalidations.",
            self.distrusted,
        );
        text.gauge("breakers_open", "Processes whose breaker is not closed.", all(open));
        text.counter("breaker_opened_total", "Openings.", self.breaker_opened);
        text.gauge("pending_removals", "Removals to deliver.", all(|p| p.pending_removals));
        text.finish()
    }
}
