//! The stage in which an extractor beside the rules is asked about each window, within the limits of the fleet.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{
    Clock, Codec, Database, Databases, Expiry, KeyTemplate, RateLimitStoreExt, Result, Role,
};
use compartment_pipeline::{ExternalStage, StageError};

use super::extractor::{Asked, Extractor, Findings, Outcome, Window};
use super::options::Spending;
use super::spent::Spent;

/// The findings of an extractor beside the rules in a window of a document.
pub const MODEL_MENTIONS: KeyTemplate<Findings> =
    KeyTemplate::new("doc_model_mentions", "doc:model_mentions:{content_hash}:{version}", "cache")
        .with_codec(Codec::MESSAGE_PACK);

/// Requests about one window until its document fails.
const MAX_REQUESTS: u32 = 5;
/// Requests about one window until its answer is given up.
const MAX_ANSWERS: u32 = 2;
/// A service that wants to be left alone for longer is asked again when the document is.
const MAX_PAUSE: Duration = Duration::from_secs(120);
/// How long a further request waits for a permit.
const PERMIT_WAIT: Duration = Duration::from_secs(600);

/// The databases that all workers share.
#[derive(Clone)]
pub(crate) struct Fleet {
    limits: Database,
    metrics: Database,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").finish_non_exhaustive()
    }
}

impl Fleet {
    pub(crate) fn of(databases: &Databases, clock: Arc<dyn Clock>) -> Result<Self> {
        let limits = databases.role(Role::RateLimit)?.clone();
        Ok(Self { limits, metrics: databases.role(Role::Metrics)?.clone(), clock })
    }

    /// Waits for a permit for a further request. The first one has the permit of its stage.
    async fn permit(&self, extractor: &dyn Extractor) -> std::result::Result<(), StageError> {
        let Some((key, limit)) = extractor.rate_limit() else { return Ok(()) };
        let (limits, clock) = (self.limits.rate_limit(), self.clock.as_ref());
        let asked = limits.acquire_within(&key, limit, 1, clock, PERMIT_WAIT).await;
        let why = match asked {
            Ok(decision) if decision.is_allowed => return Ok(()),
            Ok(_) => format!("no permit for {key:?} within {PERMIT_WAIT:?}"),
            Err(error) => error.to_string(),
        };
        Err(StageError::new("no_permit", why).transient())
    }

    /// Adds to the counters of the fleet. Counting is best effort.
    async fn count(&self, extractor: &str, figures: &[(&'static str, u64)]) {
        let entries: Vec<(String, i64)> = figures
            .iter()
            .filter(|(_, added)| *added > 0)
            .map(|(name, added)| {
                let added = i64::try_from(*added).unwrap_or(i64::MAX);
                (format!("compartment:extractor:{extractor}:{name}"), added)
            })
            .collect();
        if entries.is_empty() {
            return;
        }
        let counters = self.metrics.counter();
        if let Err(error) = counters.increment_many(entries, Expiry::DatabaseDefault).await {
            tracing::warn!(%error, extractor, "the cost of a request could not be counted");
        }
    }
}

/// The stage of an extractor beside the rules.
#[derive(Debug)]
pub(crate) struct ExtractorStage {
    pub(crate) extractor: Arc<dyn Extractor>,
    pub(crate) fleet: Fleet,
    pub(crate) spending: Spending,
    /// The versions of the windows.
    pub(crate) of: String,
}

#[async_trait]
impl ExternalStage for ExtractorStage {
    type Input = Window;
    type Output = Findings;

    fn name(&self) -> &'static str {
        self.extractor.name()
    }

    fn version(&self) -> String {
        format!("{}-{}-{}", self.extractor.name(), self.extractor.version(), self.of)
    }

    fn template(&self) -> KeyTemplate<Findings> {
        MODEL_MENTIONS
    }

    async fn call(&self, window: &Window) -> std::result::Result<Findings, StageError> {
        let mut spent = Spent::default();
        let (mut requests, mut refusals) = (0, 0);
        let pauses = self.extractor.pauses();
        loop {
            let Asked { spent: more, outcome } = self.extractor.find(window).await;
            requests += 1;
            self.spending.add(self.name(), &more);
            spent.add(&more);
            self.fleet.count(self.name(), &more.figures()).await;
            let pause = match outcome {
                Outcome::Found(findings) => return Ok(self.ended(findings, spent).await),
                Outcome::Failed(error) => return Err(error),
                Outcome::Refused(why) => {
                    tracing::warn!(extractor = self.name(), why, "an answer cannot be used");
                    refusals += 1;
                    if refusals == MAX_ANSWERS || requests == MAX_REQUESTS {
                        let refused = Findings { refused: 1, ..Findings::default() };
                        return Ok(self.ended(refused, spent).await);
                    }
                    Duration::ZERO
                }
                Outcome::Again { error, after } => {
                    let pause = after.unwrap_or_else(|| pauses.after(requests));
                    if requests == MAX_REQUESTS || pause > MAX_PAUSE {
                        return Err(error);
                    }
                    pause
                }
            };
            self.fleet.clock.sleep(pause).await;
            self.fleet.permit(self.extractor.as_ref()).await?;
        }
    }
}

impl ExtractorStage {
    async fn ended(&self, findings: Findings, spent: Spent) -> Findings {
        let figures = [("unfounded", findings.unfounded), ("refused", findings.refused)];
        self.fleet.count(self.name(), &figures).await;
        Findings { spent, ..findings }
    }
}
