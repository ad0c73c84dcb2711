//! Counters of a cache in this process: by template and tier, since the start and recently.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use compartment_core::MonotonicInstant;

use crate::metrics::figures::TemplateMetrics;

/// The window of the hit rate: the number of slots and the length of each.
const SLOTS: usize = 30;
const SLOT: Duration = Duration::from_secs(10);
/// Sets of counters, shared by the threads.
const STRIPES: usize = 4;

/// The counters of one template. They use relaxed ordering: they are metrics only.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    stale_hits: AtomicU64,
    misses: AtomicU64,
    pub(crate) loads: AtomicU64,
    pub(crate) failed_loads: AtomicU64,
    pub(crate) load_micros: AtomicU64,
    pub(crate) sets: AtomicU64,
    refused: [AtomicU64; 3],
    pub(crate) superseded: AtomicU64,
    pub(crate) oversized: AtomicU64,
    pub(crate) bytes: AtomicU64,
    stripes: [Stripe; STRIPES],
}

/// The counters of every read, separated by threads to avoid contention on cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    first_hits: AtomicU64,
    second_hits: AtomicU64,
    window: [Slot; SLOTS],
}

#[derive(Debug, Default)]
struct Slot {
    /// The period that the slot counts.
    number: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Why a value is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is too large, or cannot be encoded.
    Entry,
    /// Its document reached its limit.
    Document,
    /// Its document is marked.
    NoCache,
}

pub(crate) fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

impl Counters {
    /// Counts a read answered by the first tier.
    pub(crate) fn first_hit(&self, now: MonotonicInstant) {
        let stripe = self.stripe();
        add(&stripe.first_hits, 1);
        stripe.read(now, true);
    }

    /// Counts a read answered by the database.
    pub(crate) fn second_hit(&self, now: MonotonicInstant) {
        let stripe = self.stripe();
        add(&stripe.second_hits, 1);
        stripe.read(now, true);
    }

    /// Counts a read answered with an expired value.
    pub(crate) fn stale_hit(&self, now: MonotonicInstant) {
        add(&self.stale_hits, 1);
        self.read(now, true);
    }

    /// Counts a read that found no value to serve.
    pub(crate) fn miss(&self, now: MonotonicInstant) {
        add(&self.misses, 1);
        self.read(now, false);
    }

    /// Counts a value that is not stored.
    pub(crate) fn refuse(&self, why: Refusal) {
        let [entry, document, no_cache] = &self.refused;
        let counter = match why {
            Refusal::Entry => entry,
            Refusal::Document => document,
            Refusal::NoCache => no_cache,
        };
        add(counter, 1);
    }

    /// Counts a read in the window.
    fn read(&self, now: MonotonicInstant, hit: bool) {
        self.stripe().read(now, hit);
    }

    fn stripe(&self) -> &Stripe {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static MINE: usize = THREADS.fetch_add(1, Ordering::Relaxed) % STRIPES;
        }
        // The remainder is below the length.
        &self.stripes[MINE.with(|mine| *mine)]
    }

    fn snapshot(&self, now: MonotonicInstant) -> TemplateMetrics {
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
            second_tier_hits: self.stripes.iter().map(|stripe| get(&stripe.second_hits)).sum(),
            stale_hits: get(&self.stale_hits),
            misses: get(&self.misses),
            loads: get(&self.loads),
            failed_loads: get(&self.failed_loads),
            load_micros: get(&self.load_micros),
            sets: get(&self.sets),
            refused: get(&self.refused[0]),
            refused_document: get(&self.refused[1]),
            refused_no_cache: get(&self.refused[2]),
            superseded: get(&self.superseded),
            oversized: get(&self.oversized),
            bytes_written: get(&self.bytes),
            recent_hits: hits,
            recent_misses: misses,
        }
    }
}

impl Stripe {
    fn read(&self, now: MonotonicInstant, hit: bool) {
        let number = slot_number(now);
        let Some(slot) = self.window.get((number % SLOTS as u64) as usize) else { return };
        if slot.number.load(Ordering::Relaxed) != number {
            // Two threads that reset a slot at the same time may lose a count.
            slot.number.store(number, Ordering::Relaxed);
            slot.hits.store(0, Ordering::Relaxed);
            slot.misses.store(0, Ordering::Relaxed);
        }
        add(if hit { &slot.hits } else { &slot.misses }, 1);
    }
}

fn slot_number(now: MonotonicInstant) -> u64 {
    now.since(MonotonicInstant::default()).as_secs() / SLOT.as_secs()
}

/// The counters of all templates.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    templates: Page,
    /// Removals of keys, documents, tags and patterns.
    pub(crate) invalidations: AtomicU64,
    /// How often the first tier was distrusted.
    pub(crate) distrusted: AtomicU64,
}

impl Metrics {
    pub(crate) fn of(&self, template: &'static str) -> &Arc<Counters> {
        let mut page = &self.templates;
        loop {
            for slot in &page.slots {
                let (name, counters) = slot.get_or_init(|| (template, Arc::default()));
                if *name == template {
                    return counters;
                }
            }
            page = page.next.get_or_init(Box::default);
        }
    }

    pub(crate) fn templates(&self, now: MonotonicInstant) -> BTreeMap<String, TemplateMetrics> {
        let pages = std::iter::successors(Some(&self.templates), |page| Some(&**page.next.get()?));
        let templates = pages.flat_map(|page| &page.slots).filter_map(OnceLock::get);
        templates.map(|(name, c)| ((*name).to_owned(), c.snapshot(now))).collect()
    }
}

/// Templates in the order in which they were first used. There are few and none is removed, so they are found without
/// a lock, which threads would write to on each read.
#[derive(Debug, Default)]
struct Page {
    slots: [OnceLock<(&'static str, Arc<Counters>)>; 16],
    next: OnceLock<Box<Page>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hit_rate_forgets_what_is_long_ago() {
        let metrics = Metrics::default();
        let counters = metrics.of("doc");
        let start = MonotonicInstant::since_beginning(Duration::from_secs(1_000_000));
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

    #[test]
    fn each_template_has_its_own_counters_however_many_there_are() {
        let metrics = Metrics::default();
        let names: Vec<&'static str> = (0..40).map(|n| &*format!("{n}").leak()).collect();
        for (at, name) in names.iter().enumerate() {
            add(&metrics.of(name).loads, at as u64);
        }
        let templates = metrics.templates(MonotonicInstant::default());
        assert_eq!(templates.len(), names.len());
        assert!(names.iter().enumerate().all(|(at, name)| templates[*name].loads == at as u64));
    }
}
