//! Warming: background reads until the cache is full.

use std::fmt;
use std::time::Duration;

use futures_util::StreamExt;

use crate::cache::Cache;

/// Options for warming a cache.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WarmOptions {
    /// Concurrent reads.
    pub concurrency: usize,
    /// Warming stops when the first tier holds this many bytes; by default its whole size.
    pub first_tier_bytes: Option<u64>,
    /// Warming stops when the database holds this share (0 to 1) of its memory budget, if it has one: above it,
    /// loaded values would evict existing ones.
    pub budget_share: f64,
}

impl Default for WarmOptions {
    fn default() -> Self {
        Self { concurrency: 8, first_tier_bytes: None, budget_share: 0.95 }
    }
}

impl WarmOptions {
    /// Sets the number of concurrent reads.
    #[must_use]
    pub fn concurrency(mut self, reads: usize) -> Self {
        self.concurrency = reads.max(1);
        self
    }

    /// Sets the size of the first tier, in bytes, at which warming stops.
    #[must_use]
    pub fn first_tier_bytes(mut self, bytes: u64) -> Self {
        self.first_tier_bytes = Some(bytes);
        self
    }
}

/// The result of warming.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct WarmReport {
    /// Reads that found or loaded a value.
    pub found: u64,
    /// Reads without a value.
    pub missing: u64,
    /// Reads whose load failed.
    pub failed: u64,
    /// Reads that were skipped because a budget was reached.
    pub left_out: u64,
    /// The elapsed time, in milliseconds.
    pub elapsed_ms: u64,
}

/// The database's size is checked after this many reads.
const ASK_EVERY: u64 = 64;

impl Cache {
    /// Performs `reads` in order, several at a time, until the first tier or the database's budget is full; `watch`
    /// is called after each. A read returns whether it found a value; it may also load one.
    ///
    /// Other reads of the cache continue meanwhile.
    pub async fn warm<R, E>(
        &self,
        reads: impl IntoIterator<Item = R>,
        options: &WarmOptions,
        mut watch: impl FnMut(&WarmReport),
    ) -> WarmReport
    where
        R: Future<Output = Result<bool, E>>,
        E: fmt::Display,
    {
        let clock = &self.inner.options.clock;
        let started = clock.monotonic();
        let mut report = WarmReport::default();
        let evicted_before = self.inner.first.evicted();
        let mut full = self.is_full(options).await;
        let mut reads = reads.into_iter();
        let mut under_way = futures_util::stream::FuturesUnordered::new();
        let mut asked = 0;
        loop {
            while !full && under_way.len() < options.concurrency.max(1) {
                let Some(read) = reads.next() else { break };
                under_way.push(read);
            }
            let Some(outcome) = under_way.next().await else { break };
            match outcome {
                Ok(true) => report.found += 1,
                Ok(false) => report.missing += 1,
                Err(error) => {
                    tracing::debug!(%error, "a value could not be warmed");
                    report.failed += 1;
                }
            }
            watch(&report);
            asked += 1;
            // Single entries may be evicted before the tier is completely full.
            let evicted = self.inner.first.evicted() - evicted_before;
            full = full || self.first_tier_is_full(options) || evicted > report.found / 16;
            if !full && asked % ASK_EVERY == 0 {
                full = self.is_full(options).await;
            }
        }
        report.left_out = reads.count() as u64;
        let elapsed: Duration = clock.monotonic().since(started);
        report.elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        report
    }

    fn first_tier_is_full(&self, options: &WarmOptions) -> bool {
        let inner = &self.inner;
        let limit = options.first_tier_bytes.unwrap_or(inner.options.first_tier_bytes);
        inner.first.bytes() >= limit.min(inner.options.first_tier_bytes).saturating_mul(98) / 100
    }

    async fn is_full(&self, options: &WarmOptions) -> bool {
        if self.first_tier_is_full(options) {
            return true;
        }
        let Some(budget) = self.inner.database.contract().memory_budget else { return false };
        // If the database does not report its size, warming continues: reads fail open.
        match self.inner.call(self.inner.database.usage().usage()).await {
            // A share that is not a number stops warming at once, as the report shows.
            Ok(usage) => {
                let share = options.budget_share;
                share.is_nan() || usage.bytes as f64 >= budget as f64 * share
            }
            Err(_) => false,
        }
    }
}
