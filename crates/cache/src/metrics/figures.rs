//! The figures of a cache: their names, their meaning and their sums.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::second::breaker::BreakerState;

/// One template's figures: of one process since its start, or of all processes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct TemplateMetrics {
    /// Reads answered by the first tier, fresh.
    pub first_tier_hits: u64,
    /// Reads answered by the database, fresh.
    pub second_tier_hits: u64,
    /// Reads answered with a value that had ended.
    pub stale_hits: u64,
    /// Reads that found nothing to serve.
    pub misses: u64,
    /// Keys that were loaded, in the background too.
    pub loads: u64,
    /// Loads that failed or took too long.
    pub failed_loads: u64,
    /// The total time of all loads, in microseconds.
    pub load_micros: u64,
    /// Values stored in the database.
    pub sets: u64,
    /// Values not kept because they are too large.
    pub refused: u64,
    /// Values not kept because their document has as much as it may.
    pub refused_document: u64,
    /// Values not kept because their document is marked.
    pub refused_no_cache: u64,
    /// Values not kept because their key was written or invalidated while they were loaded.
    pub superseded: u64,
    /// Bytes of the values stored.
    pub bytes_written: u64,
    /// Recent hits, including stale ones: of the last five minutes or of the given window.
    pub recent_hits: u64,
    /// Misses of the same time.
    pub recent_misses: u64,
}

/// A figure that only grows: its name, what it means, and where it is.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) place: fn(&mut TemplateMetrics) -> &mut u64,
}

/// Every figure of a template that only grows, but those of late.
pub(crate) const FIGURES: [Figure; 13] = [
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

    /// Reads answered from the cache, stale ones too, since counting began.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.first_tier_hits + self.second_tier_hits + self.stale_hits
    }

    /// The mean time of a load; `None` without loads.
    #[must_use]
    pub fn mean_load(&self) -> Option<Duration> {
        (self.loads > 0).then(|| Duration::from_micros(self.load_micros / self.loads))
    }

    /// Adds another's figures.
    pub(crate) fn add(&mut self, mut other: Self) {
        for figure in &FIGURES {
            *(figure.place)(self) += *(figure.place)(&mut other);
        }
        self.recent_hits += other.recent_hits;
        self.recent_misses += other.recent_misses;
    }
}

/// Hits among reads, 0 to 1.
pub(crate) fn rate(hits: u64, misses: u64) -> Option<f64> {
    let reads = hits + misses;
    (reads > 0).then(|| hits as f64 / reads as f64)
}

/// The figures of all templates together.
pub(crate) fn sum(templates: &BTreeMap<String, TemplateMetrics>) -> TemplateMetrics {
    templates.values().fold(TemplateMetrics::default(), |mut sum, each| {
        sum.add(*each);
        sum
    })
}

/// The figures of a cache in this process at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheMetrics {
    /// The database's name.
    pub database: String,
    /// By template.
    pub templates: BTreeMap<String, TemplateMetrics>,
    /// Entries in the first tier.
    pub first_tier_entries: u64,
    /// Bytes of the first tier.
    pub first_tier_bytes: u64,
    /// Entries that the first tier gave up for others.
    pub evicted: u64,
    /// Invalidations of keys, documents, tags and patterns.
    pub invalidations: u64,
    /// Whether news of other processes arrives, so that the first tier can be trusted.
    pub trusted: bool,
    /// Times that it could not be trusted any more.
    pub distrusted: u64,
    /// Whether the database is asked.
    pub breaker: BreakerState,
    /// Times that the breaker opened.
    pub breaker_opened: u64,
    /// Removals that have not been delivered yet.
    pub pending_removals: u64,
}

impl CacheMetrics {
    /// Hits among reads of the last five minutes over all templates, 0 to 1.
    #[must_use]
    pub fn hit_rate(&self) -> Option<f64> {
        self.total().hit_rate()
    }

    /// The figures of all templates together.
    #[must_use]
    pub fn total(&self) -> TemplateMetrics {
        sum(&self.templates)
    }
}
