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
use crate::pipeline::DeclaredStage;
use crate::{
    Document, DocumentState, Engine, Identity, Needs, PipelineError, StageError, StageStatus,
};

/// How one stage left a document of a [`LocalRun`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StageOutcome {
    /// The stage's name.
    pub stage: &'static str,
    /// Whether it made its result, or how it failed.
    pub status: StageStatus,
    /// Whether the same document may succeed later without being changed.
    pub may_succeed_later: bool,
    /// When the result was asked for.
    pub started: Timestamp,
    /// When it was there, or the stage had failed.
    pub completed: Timestamp,
}

/// How a document came through a [`LocalRun`].
#[derive(Debug)]
#[non_exhaustive]
pub struct DocumentOutcome<V> {
    /// The document.
    pub document: Document,
    /// How each stage left it, in the pipeline's order. Stages that a failure kept from running are not in it.
    pub stages: Vec<StageOutcome>,
    /// The results that the run was to give, or why there are none.
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

/// Keeps what became of the documents of a [`LocalRun`], as the ledger does.
#[async_trait]
pub trait RunRecorder: fmt::Debug + Send + Sync {
    /// One document is through, or has failed.
    ///
    /// # Errors
    /// The store's: the run ends with it.
    async fn record(&self, document: &Document, stages: &[StageOutcome]) -> Result<()>;

    /// The run has ended, with every document through (`is_complete`) or before that: what waits is
    /// written.
    ///
    /// # Errors
    /// The store's.
    async fn finish(&self, is_complete: bool) -> Result<()>;
}

/// Takes documents through every stage of an [`Engine`]'s pipeline in this process, each once.
///
/// `D` names the stages whose results the caller wants: a [`crate::Node`] or a tuple of them. They are
/// asked for first. A stage that is not on the way to them runs as soon as the results that it needs are
/// read or made, before anything else is made of these. Where they are not needed, an earlier run has done
/// so: a second run reads the wanted results and nothing else.
///
/// What a stage needs is made within its attempt. The attempt may take as long as the time-outs of all
/// stages that the document has not been through allow together.
///
/// A document that fails is not tried again: the next run does that. A permit or a lock that is not to be
/// had is a failure of the document, which may succeed later; any other failure of a store ends the run.
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
    /// For each stage those that nothing wanted is made of, and that need it.
    sides: Arc<[Vec<usize>]>,
    recorder: Option<Arc<dyn RunRecorder>>,
}

// Whatever `D` is: it is shared.
impl<D> Clone for LocalRun<D> {
    fn clone(&self) -> Self {
        let (engine, wanted) = (self.engine.clone(), Arc::clone(&self.wanted));
        let (sides, recorder) = (Arc::clone(&self.sides), self.recorder.clone());
        Self { engine, wanted, sides, recorder }
    }
}

impl<D: Needs> LocalRun<D> {
    /// Runs documents through `engine` for the results of the stages `wanted`.
    #[must_use]
    pub fn new(engine: Engine, wanted: D) -> Self {
        let sides = sides(engine.pipeline().all(), wanted.indexes());
        Self { engine, wanted: Arc::new(wanted), sides, recorder: None }
    }

    /// Keeps what became of each document with `recorder`.
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

    /// Documents that are worked on at the same time: twice as many as results are made, so that one is
    /// read and looked up while another is worked on.
    #[must_use]
    pub fn documents_at_once(&self) -> usize {
        self.engine.concurrency() * 2
    }

    /// Says how many documents come, for the figures.
    pub fn expect(&self, documents: u64) {
        self.engine.progress().change_documents(|figures| figures.total = documents);
        for stage in self.engine.pipeline().stages() {
            self.engine.progress().expect(stage, documents);
        }
    }

    /// Says that one of the documents that were expected does not come.
    pub fn expect_one_less(&self) {
        self.engine
            .progress()
            .change_documents(|figures| figures.total = figures.total.saturating_sub(1));
        for stage in self.engine.pipeline().stages() {
            self.engine.progress().expect_one_less(stage);
        }
    }

    /// The documents of these entries through all stages, several at a time, as they are through. An
    /// entry that names no document is a document that failed.
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

    /// One document through all stages.
    ///
    /// # Errors
    /// A store's. The document's own failure is in the outcome.
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

    /// A document that cannot be begun, as one that the first stage failed on.
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
            // One that needs a lock runs by itself. It is looked for, since nothing follows from it.
            let is_left = run.times(index).is_none() && stage.options.exclusive;
            if is_left && run.find(index).await?.is_none() {
                self.attempt(index, run).await?;
            }
        }
        self.wanted.values(run).await
    }

    /// The time-outs of all stages that the document has not been through, together.
    fn limit(&self, run: &DocumentRun) -> Duration {
        let stages = self.engine.pipeline().all().iter().enumerate();
        let left = stages.filter(|(index, _)| run.times(*index).is_none());
        left.fold(Duration::ZERO, |sum, (_, stage)| sum.saturating_add(stage.options.timeout))
    }

    async fn attempt(
        &self,
        index: usize,
        run: &DocumentRun,
    ) -> std::result::Result<(), PipelineError> {
        let started = self.engine.now();
        match self.engine.attempt_in(index, run, self.limit(run)).await {
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

    /// How each stage left the document. One whose result was not needed counts as cached; one that a
    /// failure kept from running is not going to see the document.
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

/// These stages and all that they are made of, directly or not.
fn with_needs(stages: &[DeclaredStage], these: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
    let mut all = BTreeSet::from_iter(these);
    // A stage needs only those before it.
    for (index, stage) in stages.iter().enumerate().rev() {
        if all.contains(&index) {
            all.extend(stage.after.iter().copied());
        }
    }
    all
}

/// For each stage those that need it and that nothing wanted is made of. One that needs a lock is none of
/// them: it runs by itself.
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

/// Whether a permit or a lock was not to be had.
fn is_denied(error: &Error) -> bool {
    error.kind() == ErrorKind::NotReady && ASKING.contains(&error.operation())
}
