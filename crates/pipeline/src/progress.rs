//! Progress of a run: counters per stage, events for an observer, and a copy in the batch database.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use compartment_core::{Database, Expiry, Result};

use crate::event::{Event, Observer, Origin};
use crate::{Patience, StageError};

/// The counters of one stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct StageFigures {
    /// Documents it will process.
    pub total: u64,
    /// Results computed.
    pub computed: u64,
    /// Results found in the cache.
    pub cached: u64,
    /// Documents it failed on.
    pub failed: u64,
    /// Time spent making results, summed over all tasks, in milliseconds.
    pub busy_ms: u64,
}

impl StageFigures {
    /// Documents the stage has finished with: computed, cached or failed.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.computed + self.cached + self.failed
    }
}

/// How many documents of a run are finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DocumentFigures {
    /// Documents expected.
    pub total: u64,
    /// Documents that have passed all stages or failed.
    pub finished: u64,
}

/// The counters of a run. Clones share them.
#[derive(Clone)]
pub struct Progress {
    shared: Arc<Shared>,
}

struct Shared {
    stages: Mutex<BTreeMap<&'static str, StageFigures>>,
    /// The stages in the order in which they were first named.
    order: Mutex<Vec<&'static str>>,
    documents: Mutex<DocumentFigures>,
    observer: Arc<dyn Observer>,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("stages", &self.figures()).finish_non_exhaustive()
    }
}

impl Progress {
    /// Counters at zero; `observer` sees every change.
    #[must_use]
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        Self {
            shared: Arc::new(Shared {
                stages: Mutex::default(),
                order: Mutex::default(),
                documents: Mutex::default(),
                observer,
            }),
        }
    }

    /// The observer.
    #[must_use]
    pub fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.shared.observer)
    }

    /// How many documents of a [`crate::LocalRun`] are finished.
    #[must_use]
    pub fn documents(&self) -> DocumentFigures {
        *self.shared.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn change_documents(&self, change: impl FnOnce(&mut DocumentFigures)) {
        change(&mut self.shared.documents.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The stages, in the order in which they were first named.
    #[must_use]
    pub fn stages(&self) -> Vec<&'static str> {
        self.shared.order.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets how many documents a stage will process.
    pub fn expect(&self, stage: &'static str, total: u64) {
        self.change(stage, |figures| figures.total = total);
        self.shared.observer.event(&Event::StageTotal { stage, total });
    }

    /// Reduces the number of documents that a stage will process by one.
    pub(crate) fn expect_one_less(&self, stage: &'static str) {
        let mut total = 0;
        self.change(stage, |figures| {
            figures.total = figures.total.saturating_sub(1);
            total = figures.total;
        });
        self.shared.observer.event(&Event::StageTotal { stage, total });
    }

    /// Counts a result.
    pub fn done(&self, stage: &'static str, origin: Origin, busy: Duration) {
        self.change(stage, |figures| match origin {
            Origin::Computed => {
                figures.computed += 1;
                figures.busy_ms += u64::try_from(busy.as_millis()).unwrap_or(u64::MAX);
            }
            Origin::Cached => figures.cached += 1,
        });
        self.shared.observer.event(&Event::StageDone { stage, origin });
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, stage: &'static str, document: &str, error: &StageError) {
        self.change(stage, |figures| figures.failed += 1);
        self.shared.observer.event(&Event::StageFailed { stage, document, error });
    }

    /// The current counters of every stage.
    #[must_use]
    pub fn figures(&self) -> BTreeMap<&'static str, StageFigures> {
        self.shared.stages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, stage: &'static str, change: impl FnOnce(&mut StageFigures)) {
        let mut stages = self.shared.stages.lock().unwrap_or_else(PoisonError::into_inner);
        if !stages.contains_key(stage) {
            self.shared.order.lock().unwrap_or_else(PoisonError::into_inner).push(stage);
        }
        change(stages.entry(stage).or_default());
    }

    /// Copies the counters into the hash `key` of the batch database. The values are absolute: a copy that is sent
    /// twice is still right, and the next one replaces a lost one.
    ///
    /// # Errors
    /// The store's, once `patience` has run out.
    pub async fn save(&self, batch: &Database, key: &str, patience: &Patience) -> Result<()> {
        let mut fields: Vec<(String, Bytes)> = Vec::new();
        for (stage, figures) in self.figures() {
            for (name, value) in [
                ("total", figures.total),
                ("computed", figures.computed),
                ("cached", figures.cached),
                ("failed", figures.failed),
            ] {
                fields.push((format!("{stage}.{name}"), value.to_string().into()));
            }
        }
        if fields.is_empty() {
            return Ok(());
        }
        patience
            .outlast(|| batch.hash().set_fields(key, fields.clone(), Expiry::DatabaseDefault))
            .await
            .map(drop)
    }

    /// Adds the changes since `before` to the counters of the metrics database. Counting is best effort, so that it
    /// never holds up a run.
    pub async fn count(
        &self,
        metrics: &Database,
        before: &BTreeMap<&'static str, StageFigures>,
    ) -> BTreeMap<&'static str, StageFigures> {
        let now = self.figures();
        let mut entries = Vec::new();
        for (stage, figures) in &now {
            let old = before.get(stage).copied().unwrap_or_default();
            for (name, added) in [
                ("computed", figures.computed - old.computed),
                ("cached", figures.cached - old.cached),
                ("failed", figures.failed - old.failed),
                ("busy_ms", figures.busy_ms - old.busy_ms),
            ] {
                if added > 0 {
                    let added = i64::try_from(added).unwrap_or(i64::MAX);
                    entries.push((format!("compartment:stage:{stage}:{name}"), added));
                }
            }
        }
        if entries.is_empty() {
            return now;
        }
        match metrics.counter().increment_many(entries, Expiry::DatabaseDefault).await {
            Ok(_) => now,
            Err(error) => {
                tracing::warn!(%error, "the metrics could not be counted yet");
                before.clone()
            }
        }
    }
}
