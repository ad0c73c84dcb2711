//! Metrics in Prometheus's text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::metrics::figures::{CacheMetrics, FIGURES, TemplateMetrics};
use crate::second::breaker::BreakerState;

impl CacheMetrics {
    /// The metrics in Prometheus's text format.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let mut text = Text::of(&self.database);
        text.templates(&self.templates);
        let breaker = match self.breaker {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        };
        text.gauge("first_tier_entries", "Entries in the process.", self.first_tier_entries);
        text.gauge("first_tier_bytes", "Bytes in the process.", self.first_tier_bytes);
        text.counter("evicted_total", "Entries evicted in the process.", self.evicted);
        text.counter("invalidations_total", "Invalidations.", self.invalidations);
        text.gauge(
            "trusted",
            "Whether invalidations of other processes arrive.",
            u64::from(self.trusted),
        );
        text.counter(
            "distrusted_total",
            "Times that the first tier lost its invalidations.",
            self.distrusted,
        );
        text.gauge("breaker_state", "0 closed, 1 half-open, 2 open.", breaker);
        text.counter("breaker_opened_total", "Openings.", self.breaker_opened);
        text.gauge("pending_removals", "Removals to deliver.", self.pending_removals);
        text.finish()
    }
}

/// The text of one database's metrics, built up line by line.
pub(crate) struct Text {
    text: String,
    database: String,
}

impl Text {
    pub(crate) fn of(database: &str) -> Self {
        Self { text: String::new(), database: escape(database) }
    }

    /// The metrics of templates. Hits have one name with a label for the tier; times are in seconds.
    pub(crate) fn templates(&mut self, templates: &BTreeMap<String, TemplateMetrics>) {
        self.head("hits_total", "counter", "Reads answered fresh, by tier.");
        for (template, figures) in templates {
            let template = escape(template);
            let tiers = [("first", figures.first_tier_hits), ("second", figures.second_tier_hits)];
            for (tier, hits) in tiers {
                let labels = format!("template=\"{template}\",tier=\"{tier}\"");
                self.line("hits_total", &labels, hits as f64);
            }
        }
        // The first two are the hits, written above.
        for figure in FIGURES.iter().skip(2) {
            let is_time = figure.name == "load_micros";
            let name = if is_time { "load_seconds" } else { figure.name };
            let name = format!("{name}_total");
            self.head(&name, "counter", figure.help);
            for (template, figures) in templates {
                let value = *(figure.place)(&mut figures.clone()) as f64;
                let value = if is_time { value / 1e6 } else { value };
                self.line(&name, &format!("template=\"{}\"", escape(template)), value);
            }
        }
    }

    pub(crate) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "counter", help);
        self.line(name, "", value as f64);
    }

    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "gauge", help);
        self.line(name, "", value as f64);
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "# HELP compartment_cache_{name} {help}");
        let _ = writeln!(self.text, "# TYPE compartment_cache_{name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: f64) {
        let comma = if labels.is_empty() { "" } else { "," };
        let database = &self.database;
        let _ = writeln!(
            self.text,
            "compartment_cache_{name}{{database=\"{database}\"{comma}{labels}}} {value}"
        );
    }
}

/// Escapes a label's value.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
