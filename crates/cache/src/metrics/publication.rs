//! Adds a process's metrics to those of all processes, in the `metrics` database.
//!
//! Totals have a field for each template and counter, to which every process adds its changes since the last time; the
//! minutes have hits and misses. State that cannot be added (bytes in process, the breaker) is a short-lived value for
//! each process.

use std::sync::{Arc, Weak};

use compartment_core::metrics::{Additions, FleetCounters};
use compartment_core::{Codec, Database, KeyTemplate, Result, SetOptions, Timestamp};
use serde::{Deserialize, Serialize};

use crate::inner::Inner;
use crate::metrics::figures::{CacheMetrics, FIGURES};
use crate::second::breaker::BreakerState;

/// After this many missed intervals a process is no longer listed.
const MISSED: u32 = 3;

/// Sums since counting began: fields `<template>.<figure>`, and `.<figure>` for the whole cache.
static TOTALS: KeyTemplate<()> =
    KeyTemplate::new("cache_totals", "compartment:cache:totals:{database}", "metrics");
/// The hits and misses of one minute: fields `<template>.hits` and `<template>.misses`.
static MINUTE: KeyTemplate<()> =
    KeyTemplate::new("cache_minute", "compartment:cache:minute:{database}:{minute}", "metrics");
/// The counters of a cache, by its database's name.
pub(crate) const COUNTERS: FleetCounters = FleetCounters { totals: &TOTALS, minutes: &MINUTE };
/// The state of one process.
pub(crate) const PROCESS: KeyTemplate<ProcessMetrics> =
    KeyTemplate::new("cache_process", "compartment:cache:process:{database}:{process}", "metrics")
        .with_codec(Codec::JSON);

/// The state of a process, as it last reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProcessMetrics {
    /// Its process id.
    pub pid: u32,
    /// When it reported, in milliseconds since 1970.
    pub at_ms: u64,
    /// Entries in its first tier.
    pub first_tier_entries: u64,
    /// Bytes of its first tier.
    pub first_tier_bytes: u64,
    /// Whether messages of other processes arrive.
    pub trusted: bool,
    /// The state of its breaker.
    pub breaker: BreakerState,
    /// Its undelivered removals.
    pub pending_removals: u64,
}

/// Counters of the whole cache, by field name.
pub(crate) type Whole = [(&'static str, u64); 4];

pub(crate) fn whole(metrics: &CacheMetrics) -> Whole {
    [
        ("evicted", metrics.evicted),
        ("invalidations", metrics.invalidations),
        ("distrusted", metrics.distrusted),
        ("breaker_opened", metrics.breaker_opened),
    ]
}

impl Inner {
    pub(crate) async fn publish_figures(&self) -> Result<()> {
        let Some(metrics) = self.options.metrics.as_ref() else { return Ok(()) };
        let at = self.options.clock.now();
        let name = self.database.name();
        // Repeatable requests first: an unavailable database is noticed before anything is added.
        self.say_state(metrics, &self.figures(), at).await?;
        if self.published.said().is_none() {
            COUNTERS.begin(metrics, name, at).await?;
        }
        // A failure from here on loses counts rather than counting them twice. The lock is not held across an await.
        let (totals, minute) = {
            let mut said = self.published.said();
            let now = self.figures();
            let grown = additions(said.as_ref(), &now);
            *said = Some(now);
            grown
        };
        COUNTERS.add(metrics, name, at, totals, minute).await
    }

    pub(crate) fn process_key(&self) -> Result<String> {
        let process = format!("{:x}", self.sender);
        Ok(PROCESS.key(&[self.database.name(), &process])?.as_str().to_owned())
    }

    async fn say_state(&self, metrics: &Database, now: &CacheMetrics, at: Timestamp) -> Result<()> {
        let process = ProcessMetrics {
            pid: std::process::id(),
            at_ms: at.as_millis(),
            first_tier_entries: now.first_tier_entries,
            first_tier_bytes: now.first_tier_bytes,
            trusted: now.trusted,
            breaker: now.breaker,
            pending_removals: now.pending_removals,
        };
        let key = self.process_key()?;
        let options = SetOptions::expiring(self.options.metrics_every.saturating_mul(MISSED));
        let value = PROCESS.codec().encode(&process)?;
        metrics.key_value().set(&key, value, options).await.map(drop)
    }
}

/// The changes since `before`, for the totals and for the minute.
fn additions(before: Option<&CacheMetrics>, now: &CacheMetrics) -> (Additions, Additions) {
    let (mut totals, mut minute) = (Vec::new(), Vec::new());
    let note = |list: &mut Additions, field: String, grown: u64| {
        if grown > 0 {
            list.push((field, grown));
        }
    };
    for (template, figures) in &now.templates {
        let old = before.and_then(|before| before.templates.get(template));
        let (mut figures, mut old) = (*figures, old.copied().unwrap_or_default());
        let (hits, misses) = (figures.hits() - old.hits(), figures.misses - old.misses);
        note(&mut minute, format!("{template}.hits"), hits);
        note(&mut minute, format!("{template}.misses"), misses);
        for figure in &FIGURES {
            let grown = (figure.place)(&mut figures).saturating_sub(*(figure.place)(&mut old));
            note(&mut totals, format!("{template}.{}", figure.name), grown);
        }
    }
    let old = before.map(whole);
    for (at, (name, value)) in whole(now).into_iter().enumerate() {
        let old = old.as_ref().map_or(0, |old| old[at].1);
        note(&mut totals, format!(".{name}"), value.saturating_sub(old));
    }
    (totals, minute)
}

/// Publishes at the configured interval until the cache is dropped.
pub(crate) async fn publish_regularly(inner: Weak<Inner>) {
    loop {
        let Some(strong) = inner.upgrade() else { return };
        let sleep = strong.options.clock.sleep(strong.options.metrics_every);
        drop(strong);
        sleep.await;
        let Some(strong) = inner.upgrade() else { return };
        if let Err(error) = strong.publish_figures().await {
            tracing::debug!(%error, "the cache's figures could not be added to the metrics");
        }
    }
}

/// Starts publishing if there is a metrics database.
pub(crate) fn start(inner: &Arc<Inner>) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    if inner.options.metrics.is_some() {
        let task = runtime.spawn(publish_regularly(Arc::downgrade(inner)));
        inner.keep_task(task.abort_handle());
    }
}
