//! A run in this process: documents through all stages of an engine, without a batch or workers.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::{Error, ErrorKind, Result, Timestamp};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};

use crate::attempt::{ASKING, Left};
use crate::document_run::{DocumentRun, Times};
use crate::event::Origin;
use crate::pipeline::{DeclaredStage, with_needs};
use crate::{
    Document, DocumentState, Engine, Identity, Needs, PipelineError, StageError, StageStatus,
};

/// The outcome of one stage for a document of a [`LocalRun`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StageOutcome {
    /// The stage's name.
    pub stage: &'static str,
    /// Whether the stage produced its result, or how it failed.
    pub status: StageStatus,
    /// Whether the same document may succeed later without being changed.
    pub may_succeed_later: bool,
    /// When the result was requested.
    pub started: Timestamp,
    /// When the result was available, or the stage failed.
    pub completed: Timestamp,
}

/// The outcome of a document in a [`LocalRun`].
#[derive(Debug)]
#[non_exhaustive]
pub struct DocumentOutcome<V> {
    /// The document.
    pub document: Document,
    /// The outcome of each stage, in the pipeline's order. Stages that did not run because of a failure are left out.
    pub stages: Vec<StageOutcome>,
    /// The requested results, or the failure of the document.
    pub results: std::result::Result<V, StageError>,
}

impl<V> DocumentOutcome<V> {
    /// The state of the document after the run.
    #[must_use]
    pub fn state(&self) -> DocumentState {
        let stages = self.stages.iter();
        DocumentState::new(self.document.name())
            .with_stages(stages.map(|stage| (stage.stage.to_owned(), stage.status.clone())))
    }
}

/// Records the outcomes of a [`LocalRun`]'s documents, for example in the ledger.
#[async_trait]
pub trait RunRecorder: fmt::Debug + Send + Sync {
    /// Called when a document has passed all stages or failed.
    ///
    /// # Errors
    /// The store's: the run ends with it.
    async fn record(&self, document: &Document, stages: &[StageOutcome]) -> Result<()>;

    /// Called when the run has ended, after every document (`is_complete`) or early. Writes the waiting outcomes.
    ///
    /// # Errors
    /// The store's.
    async fn finish(&self, is_complete: bool) -> Result<()>;
}

/// Runs every stage of an [`Engine`]'s pipeline for documents in this process, once for each document.
///
/// `D` names the stages whose results the caller wants: a [`crate::Node`] or a tuple of them. These are requested
/// first. Other stages run as soon as the results that they need are available, before anything else is computed from
/// those. A second run reads the wanted results only: whatever they were made of has been through its stages before.
///
/// An attempt at a stage includes the stages it needs. It may take as long as the time-outs of all stages that the
/// document has not passed, added up.
///
/// A failed document is not retried within the run; the next run does that. If a permit or a lock cannot be obtained,
/// the document fails and may succeed later; any other failure of a store ends the run.
///
/// ```
/// # use compartment_pipeline::{Engine, LocalRun, Node, DocumentOutcome};
/// # use futures_util::{StreamExt, TryStreamExt};
/// # async fn example(engine: Engine, words: Node<usize>) -> compartment_core::Result<()> {
/// let run = LocalRun::new(engine, words);
/// let entries = futures_util::stream::iter(["to be", "or not to be"]).map(|text| text.into());
/// let mut outcomes = run.outcomes(entries);
/// while let Some(outcome) = outcomes.try_next().await? {
///     println!("{}: {:?}", outcome.document.name(), outcome.results);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LocalRun<D> {
    engine: Engine,
    wanted: Arc<D>,
    /// For each stage, the stages that need it and that no wanted result is computed from.
    sides: Arc<[Vec<usize>]>,
    recorder: Option<Arc<dyn RunRecorder>>,
}

// Written by hand because `D` need not be `Clone`.
impl<D> Clone for LocalRun<D> {
    fn clone(&self) -> Self {
        let (engine, wanted) = (self.engine.clone(), Arc::clone(&self.wanted));
        let (sides, recorder) = (Arc::clone(&self.sides), self.recorder.clone());
        Self { engine, wanted, sides, recorder }
    }
}

impl<D: Needs> LocalRun<D> {
    /// Runs documents through `engine`, for the results of the stages `wanted`.
    #[must_use]
    pub fn new(engine: Engine, wanted: D) -> Self {
        let sides = sides(engine.pipeline().all(), wanted.indexes());
        Self { engine, wanted: Arc::new(wanted), sides, recorder: None }
    }

    /// Sets the recorder of the documents' outcomes.
    #[must_use]
    pub fn recorder(mut self, recorder: Arc<dyn RunRecorder>) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Documents in progress at the same time: twice the engine's concurrency, so that one document is read and
    /// looked up while another is computed.
    #[must_use]
    pub fn documents_at_once(&self) -> usize {
        self.engine.concurrency() * 2
    }

    /// Sets how many documents are expected, for the counters.
    pub fn expect(&self, documents: u64) {
        self.engine.progress().change_documents(|figures| figures.total = documents);
        for stage in self.engine.pipeline().stages() {
            self.engine.progress().expect(stage, documents);
        }
    }

    /// Reduces the number of expected documents by one.
    pub fn expect_one_less(&self) {
        self.engine
            .progress()
            .change_documents(|figures| figures.total = figures.total.saturating_sub(1));
        for stage in self.engine.pipeline().stages() {
            self.engine.progress().expect_one_less(stage);
        }
    }

    /// Runs the documents of these entries through all stages, several at a time, and yields each outcome when it is
    /// complete. An entry that does not name a document yields a failed document.
    pub fn outcomes(
        &self,
        entries: impl Stream<Item = Bytes> + Send + 'static,
    ) -> BoxStream<'static, Result<DocumentOutcome<D::Values>>> {
        let run = self.clone();
        let works = entries.enumerate().map(move |(at, entry)| {
            let run = run.clone();
            async move {
                let ordinal = u32::try_from(at).unwrap_or(u32::MAX);
                match run.engine.document("", ordinal, entry.clone()) {
                    Ok(document) => run.document(document).await,
                    Err(error) => {
                        let identity = Identity::of_entry(&entry)
                            .unwrap_or_else(|_| Identity::new(String::new(), String::new()));
                        run.refuse(Document::new("", ordinal, entry, identity), error).await
                    }
                }
            }
        });
        works.buffer_unordered(self.documents_at_once()).boxed()
    }

    /// Runs one document through all stages.
    ///
    /// # Errors
    /// A store's. The document's own failure is part of the outcome.
    pub async fn document(&self, document: Document) -> Result<DocumentOutcome<D::Values>> {
        let run = self.engine.run_of(document).with_sides(Arc::clone(&self.sides));
        let results = match self.through(&run).await {
            Ok(values) => Ok(values),
            Err(PipelineError::Stage(error)) => Err(error),
            Err(PipelineError::Store(error)) => return Err(error),
        };
        let stages = self.tally(&run, results.as_ref().err());
        self.ended(run.document().clone(), stages, results).await
    }

    /// Records a document that cannot be processed as a failure of the first stage.
    ///
    /// # Errors
    /// The recorder's.
    pub async fn refuse(
        &self,
        document: Document,
        error: StageError,
    ) -> Result<DocumentOutcome<D::Values>> {
        let run = self.engine.run_of(document);
        run.fail(0, self.engine.now(), &error);
        let stages = self.tally(&run, Some(&error));
        self.ended(run.document().clone(), stages, Err(error)).await
    }

    async fn ended(
        &self,
        document: Document,
        stages: Vec<StageOutcome>,
        results: std::result::Result<D::Values, StageError>,
    ) -> Result<DocumentOutcome<D::Values>> {
        if let Some(recorder) = &self.recorder {
            recorder.record(&document, &stages).await?;
        }
        self.engine.progress().change_documents(|figures| figures.finished += 1);
        Ok(DocumentOutcome { document, stages, results })
    }

    async fn through(&self, run: &DocumentRun) -> std::result::Result<D::Values, PipelineError> {
        let wanted = BTreeSet::from_iter(self.wanted.indexes());
        for index in &wanted {
            self.attempt(*index, run).await?;
        }
        for (index, stage) in self.engine.pipeline().all().iter().enumerate() {
            // Exclusive stages are not side stages. A lookup shows whether an earlier run has done this one.
            let is_left = run.times(index).is_none() && stage.options.exclusive;
            if is_left && run.find(index).await?.is_none() {
                self.attempt(index, run).await?;
            }
        }
        self.wanted.values(run).await
    }

    /// The sum of the time-outs of this stage and of those that run with it: the stages that it needs and the document
    /// has not passed, and their side stages.
    fn limit(&self, index: usize, run: &DocumentRun) -> Duration {
        let stages = self.engine.pipeline().all();
        let mut left = with_needs(stages, [index]);
        left.retain(|index| run.times(*index).is_none());
        let beside: Vec<usize> =
            left.iter().filter_map(|index| self.sides.get(*index)).flatten().copied().collect();
        left.extend(beside);
        let limits = left.iter().map(|index| stages[*index].options.timeout);
        limits.fold(Duration::ZERO, Duration::saturating_add)
    }

    async fn attempt(
        &self,
        index: usize,
        run: &DocumentRun,
    ) -> std::result::Result<(), PipelineError> {
        let started = self.engine.now();
        match self.engine.attempt_in(index, run, self.limit(index, run)).await {
            Left::Done => Ok(()),
            Left::Failed(error) => Err(error.into()),
            Left::Untried(error) if is_denied(&error) => {
                let error = StageError::new("denied", error.to_string()).transient();
                run.fail(index, started, &error);
                Err(error.into())
            }
            Left::Untried(error) => Err(error.into()),
        }
    }

    /// The outcome of each stage. A stage whose result was not needed counts as cached; a stage that did not run
    /// because of a failure is no longer expected to process the document.
    fn tally(&self, run: &DocumentRun, failure: Option<&StageError>) -> Vec<StageOutcome> {
        let failed_at = failure.and(run.failed_at());
        let stages = self.engine.pipeline().all();
        let had = (0..stages.len()).filter(|index| run.times(*index).is_some());
        let needed = with_needs(stages, had);
        let now = self.engine.now();
        let at_once = Times { started: now, completed: now };
        let mut outcomes = Vec::new();
        for (index, stage) in stages.iter().enumerate() {
            let progress = self.engine.progress();
            let done = |times| (StageStatus::Done { version: stage.version.clone() }, times);
            let (status, times) = match (run.times(index), failed_at, failure) {
                (Some(times), ..) => done(times),
                (None, Some((at, times)), Some(error)) if at == index => {
                    (StageStatus::of(error), times)
                }
                (None, ..) if failure.is_none() || needed.contains(&index) => {
                    progress.done(stage.name, Origin::Cached, Duration::ZERO);
                    done(at_once)
                }
                _ => {
                    progress.expect_one_less(stage.name);
                    continue;
                }
            };
            let may_succeed_later = matches!(&status, StageStatus::Failed { .. })
                && failure.is_some_and(|error| error.is_transient);
            let Times { started, completed } = times;
            let stage = stage.name;
            outcomes.push(StageOutcome { stage, status, may_succeed_later, started, completed });
        }
        outcomes
    }
}

/// For each stage, the stages that need it and that no wanted result is computed from. Exclusive stages are left out,
/// because they run separately.
fn sides(stages: &[DeclaredStage], wanted: Vec<usize>) -> Arc<[Vec<usize>]> {
    let on_the_way = with_needs(stages, wanted);
    let mut sides = vec![Vec::new(); stages.len()];
    for (index, stage) in stages.iter().enumerate() {
        if !on_the_way.contains(&index) && !stage.options.exclusive {
            stage.after.iter().for_each(|need| sides[*need].push(index));
        }
    }
    sides.into()
}

/// Whether a permit or a lock could not be obtained.
fn is_denied(error: &Error) -> bool {
    error.kind() == ErrorKind::NotReady && ASKING.contains(&error.operation())
}
