//! What went through a cache in this process: by template and tier, since the start and of late.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use compartment_core::Timestamp;

use crate::breaker::BreakerState;

/// The window of the hit rate: so many slots of so long.
const SLOTS: usize = 30;
const SLOT: Duration = Duration::from_secs(10);
/// Threads share so many sets of counters.
const STRIPES: usize = 4;

/// One template's counters. Counting is relaxed: figures for people.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) second_hits: AtomicU64,
    pub(crate) stale_hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    pub(crate) loads: AtomicU64,
    pub(crate) failed_loads: AtomicU64,
    pub(crate) load_micros: AtomicU64,
    pub(crate) sets: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) superseded: AtomicU64,
    pub(crate) bytes: AtomicU64,
    stripes: [Stripe; STRIPES],
}

/// What every read counts: apart for threads, so that they do not wait for each other's cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    first_hits: AtomicU64,
    window: [Slot; SLOTS],
}

#[derive(Debug, Default)]
struct Slot {
    /// Which stretch of time it counts.
    number: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

pub(crate) fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

impl Counters {
    /// Counts a read that the first tier answered.
    pub(crate) fn first_hit(&self, now: Timestamp) {
        let stripe = self.stripe();
        add(&stripe.first_hits, 1);
        stripe.read(now, true);
    }

    /// Counts a read in the window.
    pub(crate) fn read(&self, now: Timestamp, hit: bool) {
        self.stripe().read(now, hit);
    }

    fn stripe(&self) -> &Stripe {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static MINE: usize = THREADS.fetch_add(1, Ordering::Relaxed) % STRIPES;
        }
        // The index is below the length.
        &self.stripes[MINE.with(|mine| *mine)]
    }
    fn snapshot(&self, now: Timestamp) -> TemplateMetrics {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (mut hits, mut misses) = (0, 0);
        let last = slot_number(now);
        for slot in self.stripes.iter().flat_map(|stripe| &stripe.window) {
            let number = get(&slot.number);
            if number <= last && number + SLOTS as u64 > last {
                hits += get(&slot.hits);
                misses += get(&slot.misses);
            }
        }
        TemplateMetrics {
            first_tier_hits: self.stripes.iter().map(|stripe| get(&stripe.first_hits)).sum(),
            second_tier_hits: get(&self.second_hits),
            stale_hits: get(&self.stale_hits),
            misses: get(&self.misses),
            loads: get(&self.loads),
            failed_loads: get(&self.failed_loads),
            load_time: Duration::from_micros(get(&self.load_micros)),
            sets: get(&self.sets),
            refused: get(&self.refused),
            superseded: get(&self.superseded),
            bytes_written: get(&self.bytes),
            recent_hits: hits,
            recent_misses: misses,
        }
    }
}

impl Stripe {
    fn read(&self, now: Timestamp, hit: bool) {
        let number = slot_number(now);
        let Some(slot) = self.window.get((number % SLOTS as u64) as usize) else { return };
        if slot.number.load(Ordering::Relaxed) != number {
            // Two that come first at once may lose a count of each other.
            slot.number.store(number, Ordering::Relaxed);
            slot.hits.store(0, Ordering::Relaxed);
            slot.misses.store(0, Ordering::Relaxed);
        }
        add(if hit { &slot.hits } else { &slot.misses }, 1);
    }
}

fn slot_number(now: Timestamp) -> u64 {
    now.as_millis() / SLOT.as_millis() as u64
}

/// All templates' counters.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    templates: RwLock<HashMap<&'static str, Arc<Counters>>>,
    /// Removals of keys, documents, tags and patterns.
    pub(crate) invalidations: AtomicU64,
    /// Times that the first tier was distrusted.
    pub(crate) distrusted: AtomicU64,
}

impl Metrics {
    pub(crate) fn of(&self, template: &'static str) -> Arc<Counters> {
        let templates = self.templates.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = templates.get(template) {
            return Arc::clone(counters);
        }
        drop(templates);
        let mut templates = self.templates.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(templates.entry(template).or_default())
    }

    pub(crate) fn templates(&self, now: Timestamp) -> BTreeMap<String, TemplateMetrics> {
        let templates = self.templates.read().unwrap_or_else(PoisonError::into_inner);
        templates.iter().map(|(name, c)| ((*name).to_owned(), c.snapshot(now))).collect()
    }
}

/// One template's figures, in this process since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    /// What all loads took together.
    pub load_time: Duration,
    /// Values stored in the database.
    pub sets: u64,
    /// Values not kept: too large, or their document is marked.
    pub refused: u64,
    /// Values not kept because their key was written or invalidated while they were loaded.
    pub superseded: u64,
    /// Bytes of the values stored.
    pub bytes_written: u64,
    /// Hits, stale ones too, of the last five minutes.
    pub recent_hits: u64,
    /// Misses of the last five minutes.
    pub recent_misses: u64,
}

impl TemplateMetrics {
    /// Hits among reads of the last five minutes, 0 to 1; `None` where nobody read.
    #[must_use]
    pub fn hit_rate(&self) -> Option<f64> {
        let reads = self.recent_hits + self.recent_misses;
        (reads > 0).then(|| self.recent_hits as f64 / reads as f64)
    }
}

/// A cache's figures at one moment.
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
        let sum = |count: fn(&TemplateMetrics) -> u64| self.templates.values().map(count).sum();
        let (hits, misses): (u64, u64) = (sum(|t| t.recent_hits), sum(|t| t.recent_misses));
        (hits + misses > 0).then(|| hits as f64 / (hits + misses) as f64)
    }

    /// The figures in Prometheus's text format.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let mut text = String::new();
        let database = escape(&self.database);
        type Figure = (&'static str, &'static str, &'static str, fn(&TemplateMetrics) -> f64);
        let figures: [Figure; 9] = [
            ("misses_total", "counter", "Reads that found nothing.", |t| t.misses as f64),
            ("stale_hits_total", "counter", "Reads answered stale.", |t| t.stale_hits as f64),
            ("loads_total", "counter", "Keys loaded.", |t| t.loads as f64),
            ("failed_loads_total", "counter", "Loads that failed.", |t| t.failed_loads as f64),
            ("load_seconds_total", "counter", "Time of all loads.", |t| t.load_time.as_secs_f64()),
            ("sets_total", "counter", "Values stored.", |t| t.sets as f64),
            ("refused_total", "counter", "Values too large or marked.", |t| t.refused as f64),
            ("superseded_total", "counter", "Loads come too late.", |t| t.superseded as f64),
            ("written_bytes_total", "counter", "Bytes stored.", |t| t.bytes_written as f64),
        ];
        head(&mut text, "hits_total", "counter", "Reads answered fresh, by tier.");
        for (template, metrics) in &self.templates {
            let tiers = [("first", metrics.first_tier_hits), ("second", metrics.second_tier_hits)];
            for (tier, hits) in tiers {
                let template = escape(template);
                let _ = writeln!(
                    text,
                    "compartment_cache_hits_total{{database=\"{database}\",template=\"{template}\",\
                     tier=\"{tier}\"}} {hits}"
                );
            }
        }
        for (name, kind, help, figure) in figures {
            head(&mut text, name, kind, help);
            for (template, metrics) in &self.templates {
                let (template, value) = (escape(template), figure(metrics));
                let _ = writeln!(
                    text,
                    "compartment_cache_{name}{{database=\"{database}\",template=\"{template}\"}} \
                     {value}"
                );
            }
        }
        let breaker = match self.breaker {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        };
        let whole: [(&str, &str, &str, u64); 8] = [
            ("first_tier_entries", "gauge", "Entries in process.", self.first_tier_entries),
            ("first_tier_bytes", "gauge", "Bytes in process.", self.first_tier_bytes),
            ("evicted_total", "counter", "Entries given up in process.", self.evicted),
            ("invalidations_total", "counter", "Invalidations.", self.invalidations),
            ("trusted", "gauge", "Whether news of others arrives.", u64::from(self.trusted)),
            ("breaker_state", "gauge", "0 closed, 1 half-open, 2 open.", breaker),
            ("breaker_opened_total", "counter", "Openings.", self.breaker_opened),
            ("pending_removals", "gauge", "Removals to deliver.", self.pending_removals),
        ];
        for (name, kind, help, value) in whole {
            head(&mut text, name, kind, help);
            let _ = writeln!(text, "compartment_cache_{name}{{database=\"{database}\"}} {value}");
        }
        text
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "# HELP compartment_cache_{name} {help}");
    let _ = writeln!(text, "# TYPE compartment_cache_{name} {kind}");
}

/// A label's value as the format wants it.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hit_rate_forgets_what_is_long_ago() {
        let metrics = Metrics::default();
        let counters = metrics.of("doc");
        let start = Timestamp::from_millis(1_000_000_000_000);
        for _ in 0..10 {
            counters.read(start, false);
        }
        let later = start.after(SLOT * 10);
        counters.read(later, true);
        let at = |now| metrics.templates(now)["doc"].hit_rate();
        assert_eq!(at(later), Some(1.0 / 11.0));
        assert_eq!(at(start.after(SLOT * 30)), Some(1.0));
        assert_eq!(at(start.after(SLOT * 41)), None);
    }
}
