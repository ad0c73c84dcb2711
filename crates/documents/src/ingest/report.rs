//! The report of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use compartment_cache::TemplateMetrics;
use compartment_pipeline::StageFigures;
use serde::Serialize;

use crate::extractors::{Agreement, Spent};
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
    /// Number of entities over all documents, by kind.
    pub entities: BTreeMap<EntityKind, u64>,
    /// Number of relationships over all documents, by kind.
    pub relationships: BTreeMap<RelationshipKind, u64>,
    /// The entities named in the most documents.
    pub foremost: Vec<Foremost>,
    /// The extractors beside the rules: their agreement and cost; `None` if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extractors: Option<ExtractorsReport>,
    /// Each stage's counts.
    pub stages: BTreeMap<&'static str, StageFigures>,
    /// The stages in the order in which they run.
    #[serde(skip)]
    pub(super) order: Vec<&'static str>,
    /// This process's cache metrics.
    pub cache: TemplateMetrics,
    /// Duration of the run in milliseconds.
    pub elapsed_ms: u64,
    /// Documents done or failed per second.
    pub documents_per_second: f64,
}

/// What extractors beside the rules did in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExtractorsReport {
    /// The cost of this run, by the extractor's name. Answers from the cache cost nothing, failed requests count.
    pub spent: BTreeMap<&'static str, Spent>,
    /// The sums over all documents. Its cost is what their answers have cost in whatever run asked for them.
    pub agreement: Agreement,
}

/// Documents by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DocumentCounts {
    /// Documents found.
    pub total: u64,
    /// Documents done, in this run or an earlier one.
    pub done: u64,
    /// Documents failed.
    pub failed: u64,
    /// Documents with the content of another document of the run, counted as done with it.
    pub duplicates: u64,
    /// Files skipped because their extension is not that of a document.
    pub skipped: u64,
}

/// A document that failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// The document's name.
    pub document: String,
    /// The stable code of the reason.
    pub code: String,
    /// The reason as text.
    pub reason: String,
    /// Whether the document may succeed later without being changed.
    pub may_succeed_later: bool,
}

impl IngestReport {
    /// The duration of the run.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms)
    }

    /// Each stage's counts, in the order in which the stages run.
    pub fn stages_in_order(&self) -> impl Iterator<Item = (&'static str, StageFigures)> {
        self.order.iter().filter_map(|stage| Some((*stage, *self.stages.get(stage)?)))
    }

    /// The share of results found in the cache, 0 to 1; `None` without results.
    #[must_use]
    pub fn answered_from_cache(&self) -> Option<f64> {
        let cached: u64 = self.stages.values().map(|figures| figures.cached).sum();
        let computed: u64 = self.stages.values().map(|figures| figures.computed).sum();
        (cached + computed > 0).then(|| cached as f64 / (cached + computed) as f64)
    }
}
