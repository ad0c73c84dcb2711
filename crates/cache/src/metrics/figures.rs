//! The metrics of a cache: their names, meanings and sums.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::second::breaker::BreakerState;

/// The metrics of one template, of one process since its start or of all processes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[non_exhaustive]
pub struct TemplateMetrics {
    /// Reads answered by the first tier with a fresh value.
    pub first_tier_hits: u64,
    /// Reads answered by the database with a fresh value.
    pub second_tier_hits: u64,
    /// Reads answered with an expired value.
    pub stale_hits: u64,
    /// Reads that found no value to serve.
    pub misses: u64,
    /// Keys loaded, including background loads.
    pub loads: u64,
    /// Loads that failed or timed out.
    pub failed_loads: u64,
    /// The total time of all loads, in microseconds.
    pub load_micros: u64,
    /// Values stored in the database.
    pub sets: u64,
    /// Values not stored because they are too large.
    pub refused: u64,
    /// Values not stored because their document reached its limit.
    pub refused_document: u64,
    /// Values not stored because their document is marked.
    pub refused_no_cache: u64,
    /// Values not stored because their key was written or invalidated while they were loaded.
    pub superseded: u64,
    /// Entries not decoded, because that could take more memory than the policy allows; each is a miss too.
    pub oversized: u64,
    /// Bytes of the values stored.
    pub bytes_written: u64,
    /// Recent hits, including stale ones: of the last five minutes or of the given window.
    pub recent_hits: u64,
    /// Recent misses, in the same window.
    pub recent_misses: u64,
}

/// A counter: its name, its meaning and its field.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) place: fn(&mut TemplateMetrics) -> &mut u64,
}

/// All counters of a template except the recent ones.
pub(crate) const FIGURES: [Figure; 14] = [
    figure("first_hits", "Reads answered by the process.", |t| &mut t.first_tier_hits),
    figure("second_hits", "Reads answered by the database.", |t| &mut t.second_tier_hits),
    figure("stale_hits", "Reads answered stale.", |t| &mut t.stale_hits),
    figure("misses", "Reads that found nothing.", |t| &mut t.misses),
    figure("loads", "Keys loaded.", |t| &mut t.loads),
    figure("failed_loads", "Loads that failed.", |t| &mut t.failed_loads),
    figure("load_micros", "Time of all loads.", |t| &mut t.load_micros),
    figure("sets", "Values stored.", |t| &mut t.sets),
    figure("refused", "Values too large to cache.", |t| &mut t.refused),
    figure("refused_document", "Values over the limit of their document.", |t| {
        &mut t.refused_document
    }),
    figure("refused_no_cache", "Values of documents marked as not cacheable.", |t| {
        &mut t.refused_no_cache
    }),
    figure("superseded", "Values superseded before they were stored.", |t| &mut t.superseded),
    figure("oversized", "Entries that could take too much memory.", |t| &mut t.oversized),
    figure("written_bytes", "Bytes stored.", |t| &mut t.bytes_written),
];

const fn figure(
    name: &'static str,
    help: &'static str,
    place: fn(&mut TemplateMetrics) -> &mut u64,
) -> Figure {
    Figure { name, help, place }
}

impl TemplateMetrics {
    /// The share of hits among recent reads, 0 to 1; `None` without reads.
    #[must_use]
    pub fn hit_rate(&self) -> Option<f64> {
        rate(self.recent_hits, self.recent_misses)
    }

    /// Reads answered from the cache, including stale ones, since counting began.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.first_tier_hits + self.second_tier_hits + self.stale_hits
    }

    /// The mean duration of a load; `None` without loads.
    #[must_use]
    pub fn mean_load(&self) -> Option<Duration> {
        (self.loads > 0).then(|| Duration::from_micros(self.load_micros / self.loads))
    }

    /// Adds the metrics of another template or process.
    pub(crate) fn add(&mut self, mut other: Self) {
        for figure in &FIGURES {
            *(figure.place)(self) += *(figure.place)(&mut other);
        }
        self.recent_hits += other.recent_hits;
        self.recent_misses += other.recent_misses;
    }
}

/// The share of hits among reads, 0 to 1; `None` without reads.
pub(crate) fn rate(hits: u64, misses: u64) -> Option<f64> {
    let reads = hits + misses;
    (reads > 0).then(|| hits as f64 / reads as f64)
}

/// The metrics of all templates together.
pub(crate) fn sum(templates: &BTreeMap<String, TemplateMetrics>) -> TemplateMetrics {
    templates.values().fold(TemplateMetrics::default(), |mut sum, each| {
        sum.add(*each);
        sum
    })
}

/// The metrics of a cache in this process at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheMetrics {
    /// The database's name.
    pub database: String,
    /// The metrics of each template.
    pub templates: BTreeMap<String, TemplateMetrics>,
    /// Entries in the first tier.
    pub first_tier_entries: u64,
    /// Bytes of the first tier.
    pub first_tier_bytes: u64,
    /// Entries evicted from the first tier.
    pub evicted: u64,
    /// Invalidations of keys, documents, tags and patterns.
    pub invalidations: u64,
    /// Whether messages of other processes arrive, so that the first tier can be trusted.
    pub trusted: bool,
    /// How often the first tier was distrusted.
    pub distrusted: u64,
    /// The state of the breaker.
    pub breaker: BreakerState,
    /// How often the breaker opened.
    pub breaker_opened: u64,
    /// Undelivered removals.
    pub pending_removals: u64,
}

impl CacheMetrics {
    /// The share of hits among reads of the last five minutes over all templates, 0 to 1.
    #[must_use]
    pub fn hit_rate(&self) -> Option<f64> {
        self.total().hit_rate()
    }

    /// The metrics of all templates together.
    #[must_use]
    pub fn total(&self) -> TemplateMetrics {
        sum(&self.templates)
    }
}
