//! One document on its way through the stages of an engine, with its results so far.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::{FencingToken, Timestamp};
use tracing::Instrument;

use crate::node::{AnyResult, typed};
use crate::runner::Runner;
use crate::{Document, Node, PipelineError, StageError, trace};

/// The parts of an engine that a document's run uses.
#[async_trait]
pub(crate) trait Stages: fmt::Debug + Send + Sync {
    /// The document that an entry names.
    fn document(&self, batch: &str, ordinal: u32, entry: Bytes) -> Result<Document, StageError>;

    /// The stored result of the stage at `index`, or a new one.
    async fn produce(&self, index: usize, run: &DocumentRun) -> Result<AnyResult, PipelineError>;

    /// The stored result of the stage at `index`, if there is one.
    async fn find(
        &self,
        index: usize,
        run: &DocumentRun,
    ) -> Result<Option<AnyResult>, PipelineError>;

    /// The name of the stage.
    fn name(&self, index: usize) -> &str;

    /// Whether the stage runs in the calling task and its result is not stored.
    fn is_inline(&self, index: usize) -> bool;

    /// The runner of the stage.
    fn runner(&self, index: usize) -> &Runner;

    /// Waits for a permit to compute a result, if the stage has a rate limit.
    async fn permit(&self, index: usize) -> Result<(), PipelineError>;

    /// Counts a document that the stage failed on.
    fn failed(&self, index: usize, document: &Document, error: &StageError);

    /// The stages whose results the stage at `index` needs.
    fn needs(&self, index: usize) -> &[usize];

    /// The time now.
    fn now(&self) -> Timestamp;
}

/// A result of one stage, with its times.
#[derive(Clone)]
struct Had {
    result: AnyResult,
    times: Times,
}

/// When a stage's result was requested, and when it was available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) started: Timestamp,
    pub(crate) completed: Timestamp,
}

/// The results of a run so far, and where it failed.
#[derive(Default)]
struct Results {
    /// By the stage's index; as long as needed so far.
    had: Vec<Option<Had>>,
    failed_at: Option<(usize, Times)>,
}

/// One document on its way through an engine. Each result is requested once. Cheap to clone; clones share the
/// results.
#[derive(Clone)]
pub struct DocumentRun {
    stages: Arc<dyn Stages>,
    document: Document,
    results: Arc<Mutex<Results>>,
    /// For each stage, the side stages that run as soon as it has its result, although no caller asks for theirs.
    sides: Arc<[Vec<usize>]>,
    is_guarded: bool,
}

impl fmt::Debug for DocumentRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentRun").field("document", &self.document).finish_non_exhaustive()
    }
}

impl DocumentRun {
    pub(crate) fn new(stages: Arc<dyn Stages>, document: Document) -> Self {
        let (results, sides) = (Arc::default(), Arc::default());
        Self { stages, document, results, sides, is_guarded: false }
    }

    /// Sets the side stages: `sides[i]` run as soon as stage `i` has its result.
    pub(crate) fn with_sides(mut self, sides: Arc<[Vec<usize>]>) -> Self {
        self.sides = sides;
        self
    }

    /// This run, after it was decided whether it needs the document's lock; with the token of the lock if it is held.
    pub(crate) fn guarded(&self, fence: Option<FencingToken>) -> Self {
        let document =
            fence.map_or_else(|| self.document.clone(), |token| self.document.fenced(token));
        Self { document, is_guarded: true, ..self.clone() }
    }

    /// Whether it was decided that this run has the lock that it needs.
    pub(crate) fn is_guarded(&self) -> bool {
        self.is_guarded
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The stored result of a stage, or a new one.
    ///
    /// # Errors
    /// As [`crate::Engine::value`].
    pub async fn value<T: Send + Sync + 'static>(
        &self,
        node: Node<T>,
    ) -> Result<Arc<T>, PipelineError> {
        typed(self.produce(node.index).await?)
    }

    pub(crate) async fn produce(&self, index: usize) -> Result<AnyResult, PipelineError> {
        if let Some(result) = self.result(index) {
            return Ok(result);
        }
        let started = self.stages.now();
        let span = trace::stage(self.stages.name(index), &self.document);
        let produced = self.stages.produce(index, self).instrument(span.clone()).await;
        trace::stage_ended(&span, &produced);
        match &produced {
            Ok(result) => {
                self.keep(index, started, result);
                self.run_sides(index).await?;
            }
            Err(PipelineError::Stage(error)) => self.fail(index, started, error),
            Err(PipelineError::Store(_)) => {}
        }
        produced
    }

    /// Runs the side stages whose needs are complete now. They run before a later result is stored, so that their
    /// failure is repeated by every run.
    async fn run_sides(&self, index: usize) -> Result<(), PipelineError> {
        for side in self.sides.get(index).into_iter().flatten() {
            let is_due = self.stages.needs(*side).iter().all(|need| self.times(*need).is_some());
            if is_due && self.times(*side).is_none() {
                Box::pin(self.produce(*side)).await?;
            }
        }
        Ok(())
    }

    /// The stage's result, if this run has it or it is stored.
    pub(crate) async fn find(&self, index: usize) -> Result<Option<AnyResult>, PipelineError> {
        if let Some(result) = self.result(index) {
            return Ok(Some(result));
        }
        let started = self.stages.now();
        let found = self.stages.find(index, self).await?;
        if let Some(result) = &found {
            self.keep(index, started, result);
        }
        Ok(found)
    }

    /// Whether the results that a stage needs are stored. They are kept in the run; nothing is computed.
    pub(crate) async fn finds_needs(&self, index: usize) -> Result<bool, PipelineError> {
        for need in self.stages.needs(index) {
            let is_there = match self.is_inline(*need) {
                true => Box::pin(self.finds_needs(*need)).await?,
                false => self.find(*need).await?.is_some(),
            };
            if !is_there {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn keep(&self, index: usize, started: Timestamp, result: &AnyResult) {
        let times = Times { started, completed: self.stages.now() };
        let mut results = self.lock();
        if results.had.len() <= index {
            results.had.resize(index + 1, None);
        }
        results.had[index] = Some(Had { result: Arc::clone(result), times });
    }

    /// Records and counts the failure of a stage, unless another stage has failed before: a stage whose input could
    /// not be computed has not failed itself.
    pub(crate) fn fail(&self, index: usize, started: Timestamp, error: &StageError) {
        let times = Times { started, completed: self.stages.now() };
        let mut results = self.lock();
        if results.failed_at.is_some() {
            return;
        }
        results.failed_at = Some((index, times));
        drop(results);
        self.stages.failed(index, &self.document, error);
    }

    fn result(&self, index: usize) -> Option<AnyResult> {
        let results = self.lock();
        let had = results.had.get(index)?.as_ref()?;
        Some(Arc::clone(&had.result))
    }

    /// When the result was requested and available, if the run has it.
    pub(crate) fn times(&self, index: usize) -> Option<Times> {
        self.lock().had.get(index)?.as_ref().map(|had| had.times)
    }

    /// The stage that failed, and its times.
    pub(crate) fn failed_at(&self) -> Option<(usize, Times)> {
        self.lock().failed_at
    }

    pub(crate) fn is_inline(&self, index: usize) -> bool {
        self.stages.is_inline(index)
    }

    pub(crate) fn runner(&self, index: usize) -> &Runner {
        self.stages.runner(index)
    }

    pub(crate) async fn permit(&self, index: usize) -> Result<(), PipelineError> {
        self.stages.permit(index).await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
