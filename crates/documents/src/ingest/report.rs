//! The report of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use compartment_cache::TemplateMetrics;
use compartment_pipeline::StageFigures;
use serde::Serialize;

use crate::model::{EntityKind, RelationshipKind};
use crate::set_summary::Foremost;

/// The report of a run.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct IngestReport {
    /// The project that the documents belong to.
    pub project: String,
    /// Documents by outcome.
    pub documents: DocumentCounts,
    /// Every document that failed, with its reason, by name.
    pub failures: Vec<Failure>,
    /// Things found over all documents, by kind.
    pub entities: BTreeMap<EntityKind, u64>,
    /// Relationships found over all documents, by kind.
    pub relationships: BTreeMap<RelationshipKind, u64>,
    /// The things named in the most documents.
    pub foremost: Vec<Foremost>,
    /// Each stage's figures.
    pub stages: BTreeMap<&'static str, StageFigures>,
    /// The stages in the order in which they run.
    #[serde(skip)]
    pub(super) order: Vec<&'static str>,
    /// What this process read from the cache and kept in it.
    pub cache: TemplateMetrics,
    /// How long the run took, in milliseconds.
    pub elapsed_ms: u64,
    /// Documents done or failed, a second.
    pub documents_per_second: f64,
}

/// Documents by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DocumentCounts {
    /// Documents found.
    pub total: u64,
    /// Done, in this run or an earlier one.
    pub done: u64,
    /// Failed.
    pub failed: u64,
    /// Of the same content as another document of the run, and counted as done with it.
    pub duplicates: u64,
    /// Files that are no documents by their ending, and were not looked at.
    pub skipped: u64,
}

/// A document that failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// The document's name.
    pub document: String,
    /// The reason's stable name.
    pub code: String,
    /// The reason in words.
    pub reason: String,
    /// Whether the same document may succeed later without being changed.
    pub may_succeed_later: bool,
}

impl IngestReport {
    /// How long the run took.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms)
    }

    /// Each stage's figures, in the order in which the stages run.
    pub fn stages_in_order(&self) -> impl Iterator<Item = (&'static str, StageFigures)> {
        self.order.iter().filter_map(|stage| Some((*stage, *self.stages.get(stage)?)))
    }

    /// Results found in the cache among all results, 0 to 1; `None` if there were none.
    #[must_use]
    pub fn answered_from_cache(&self) -> Option<f64> {
        let cached: u64 = self.stages.values().map(|figures| figures.cached).sum();
        let computed: u64 = self.stages.values().map(|figures| figures.computed).sum();
        (cached + computed > 0).then(|| cached as f64 / (cached + computed) as f64)
    }
}
