//! A pipeline: typed stages, the results each needs, and how each is run, declared in one place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use compartment_core::backend::{MAX_NAME, is_name};
use compartment_core::{BatchPlan, Error, ErrorKind, Result};
use futures_util::future::BoxFuture;

use crate::completed::Completed;
use crate::producer::{Adapted, Each, External, ExternalEach, Once, Producer};
use crate::{
    Document, ExternalStage, Identity, Needs, Node, PipelineError, Stage, StageError, StageOptions,
};

/// Derives a document's identity from its entry.
type Identify = Arc<dyn Fn(&[u8]) -> std::result::Result<Identity, StageError> + Send + Sync>;
/// The work at completion, once every document of a batch is done or dead.
pub(crate) type AtCompletion = Arc<
    dyn Fn(Completed) -> BoxFuture<'static, std::result::Result<(), PipelineError>> + Send + Sync,
>;

/// One stage of a pipeline.
pub(crate) struct DeclaredStage {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    pub(crate) options: StageOptions,
    pub(crate) after: Vec<usize>,
    pub(crate) producer: Arc<dyn Producer>,
}

/// Stages and their dependencies. Cheap to clone.
///
/// A stage's result is stored under the document's subject and the stage's version, where later stages
/// read it. A result that was evicted or flushed is computed again when it is needed.
///
/// # Example
/// ```
/// use compartment_core::KeyTemplate;
/// use compartment_pipeline::{Pipeline, Stage, StageError, StageOptions};
///
/// /// Counts the words of a text.
/// struct Words;
///
/// impl Stage for Words {
///     type Input = String;
///     type Output = usize;
///
///     fn name(&self) -> &'static str {
///         "words"
///     }
///
///     fn version(&self) -> String {
///         "1".into()
///     }
///
///     fn template(&self) -> KeyTemplate<usize> {
///         KeyTemplate::new("words", "words:{text}:{version}", "cache")
///     }
///
///     fn run(&self, text: &String) -> Result<usize, StageError> {
///         Ok(text.split_whitespace().count())
///     }
/// }
///
/// let mut builder = Pipeline::builder("count");
/// builder.stage(Words, StageOptions::default(), (), |document, ()| Ok(document.text()?.to_owned()));
/// let pipeline = builder.build()?;
/// assert_eq!(pipeline.stages().collect::<Vec<_>>(), ["words"]);
/// # Ok::<(), compartment_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Pipeline {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    stages: Vec<DeclaredStage>,
    identify: Identify,
    at_completion: Option<AtCompletion>,
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stages: Vec<&str> = self.inner.stages.iter().map(|stage| stage.name).collect();
        f.debug_struct("Pipeline").field("name", &self.inner.name).field("stages", &stages).finish()
    }
}

impl Pipeline {
    /// Begins a pipeline of this name.
    pub fn builder(name: impl Into<String>) -> PipelineBuilder {
        PipelineBuilder {
            name: name.into(),
            stages: Vec::new(),
            identify: Arc::new(Identity::of_entry),
            at_completion: None,
        }
    }

    /// The pipeline's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The stages' names, in order.
    pub fn stages(&self) -> impl Iterator<Item = &'static str> {
        self.inner.stages.iter().map(|stage| stage.name)
    }

    /// The version of each stage in this code.
    #[must_use]
    pub fn versions(&self) -> BTreeMap<String, String> {
        let version = |stage: &DeclaredStage| (stage.name.to_owned(), stage.version.clone());
        self.inner.stages.iter().map(version).collect()
    }

    /// The index of a stage.
    #[must_use]
    pub fn index_of(&self, stage: &str) -> Option<usize> {
        self.inner.stages.iter().position(|known| known.name == stage)
    }

    /// The queue of a stage's single tasks.
    #[must_use]
    pub fn queue_of(&self, index: usize) -> Option<String> {
        let stage = self.inner.stages.get(index)?;
        let own = || format!("{}.{}", self.inner.name, stage.name);
        Some(stage.options.queue.clone().unwrap_or_else(own))
    }

    /// The plan of a batch of this pipeline.
    #[must_use]
    pub fn plan(&self) -> BatchPlan {
        let max = self.inner.stages.iter().map(|stage| stage.options.max_attempts).max();
        let plan = BatchPlan::new().max_attempts(max.unwrap_or(1));
        self.inner.stages.iter().fold(plan, |plan, stage| plan.stage(stage.name, &stage.after))
    }

    /// The identity of an entry's document.
    ///
    /// # Errors
    /// The document's failure if the entry is malformed.
    pub fn identify(&self, entry: &[u8]) -> std::result::Result<Identity, StageError> {
        (self.inner.identify)(entry)
    }

    pub(crate) fn declared(&self, index: usize) -> Option<&DeclaredStage> {
        self.inner.stages.get(index)
    }

    pub(crate) fn all(&self) -> &[DeclaredStage] {
        &self.inner.stages
    }

    pub(crate) fn at_completion(&self) -> Option<&AtCompletion> {
        self.inner.at_completion.as_ref()
    }
}

/// Declares the stages of a [`Pipeline`].
#[must_use]
pub struct PipelineBuilder {
    name: String,
    stages: Vec<DeclaredStage>,
    identify: Identify,
    at_completion: Option<AtCompletion>,
}

impl fmt::Debug for PipelineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PipelineBuilder {
    /// Sets how an entry names its document; by default the entry itself is name and subject.
    pub fn identify(
        &mut self,
        identify: impl Fn(&[u8]) -> std::result::Result<Identity, StageError> + Send + Sync + 'static,
    ) {
        self.identify = Arc::new(identify);
    }

    /// Adds a stage. `input` derives its input from the results that it needs.
    pub fn stage<S, D, F, I>(
        &mut self,
        stage: S,
        options: StageOptions,
        needs: D,
        input: F,
    ) -> Node<S::Output>
    where
        S: Stage,
        D: Needs,
        F: Fn(&Document, D::Values) -> std::result::Result<I, StageError> + Send + Sync + 'static,
        I: Into<Arc<S::Input>> + Send + 'static,
    {
        let (name, version, after) = (stage.name(), stage.version(), needs.indexes());
        let (stage, index) = (Arc::new(stage), self.stages.len());
        let producer = Arc::new(Once(Adapted { stage, needs, input, index }));
        self.add(DeclaredStage { name, version, options, after, producer })
    }

    /// Adds a stage that processes each part of a document, several at a time. Stages after it get the
    /// results of all parts, in order. If a part fails, the document fails; a retry does not repeat
    /// finished parts.
    pub fn each<S, A, F, I>(
        &mut self,
        stage: S,
        options: StageOptions,
        of: Node<Vec<A>>,
        input: F,
    ) -> Node<Vec<Arc<S::Output>>>
    where
        S: Stage,
        A: Send + Sync + 'static,
        F: Fn(&Document, usize, &A) -> std::result::Result<I, StageError> + Send + Sync + 'static,
        I: Into<Arc<S::Input>> + Send + 'static,
    {
        let (name, version, after) = (stage.name(), stage.version(), vec![of.index]);
        let (stage, index) = (Arc::new(stage), self.stages.len());
        let producer = Arc::new(Each { stage, of, input, index });
        self.add(DeclaredStage { name, version, options, after, producer })
    }

    /// Adds a stage that calls another service. Its answers are stored, so a repeated run does not ask
    /// again.
    pub fn external<S, D, F, I>(
        &mut self,
        stage: S,
        options: StageOptions,
        needs: D,
        input: F,
    ) -> Node<S::Output>
    where
        S: ExternalStage,
        D: Needs,
        F: Fn(&Document, D::Values) -> std::result::Result<I, StageError> + Send + Sync + 'static,
        I: Into<Arc<S::Input>> + Send + 'static,
    {
        let (name, version, after) = (stage.name(), stage.version(), needs.indexes());
        let (stage, index) = (Arc::new(stage), self.stages.len());
        let producer = Arc::new(External(Adapted { stage, needs, input, index }));
        self.add(DeclaredStage { name, version, options, after, producer })
    }

    /// Adds a stage that calls another service for each part of a document, several at a time, each with a permit of
    /// its rate limit. Stages after it get all answers, in order. If a part fails, the document fails; a retry does not
    /// ask again for the parts that were answered.
    pub fn external_each<S, A, F, I>(
        &mut self,
        stage: S,
        options: StageOptions,
        of: Node<Vec<A>>,
        input: F,
    ) -> Node<Vec<Arc<S::Output>>>
    where
        S: ExternalStage,
        A: Send + Sync + 'static,
        F: Fn(&Document, usize, &A) -> std::result::Result<I, StageError> + Send + Sync + 'static,
        I: Into<Arc<S::Input>> + Send + 'static,
    {
        let (name, version, after) = (stage.name(), stage.version(), vec![of.index]);
        let (stage, index) = (Arc::new(stage), self.stages.len());
        let producer = Arc::new(ExternalEach { stage, of, input, index });
        self.add(DeclaredStage { name, version, options, after, producer })
    }

    /// Sets the work at completion, once every document of a batch is done or dead. One worker at a
    /// time runs it, and it runs again if that worker dies.
    pub fn at_completion<F>(&mut self, work: impl Fn(Completed) -> F + Send + Sync + 'static)
    where
        F: Future<Output = std::result::Result<(), PipelineError>> + Send + 'static,
    {
        self.at_completion = Some(Arc::new(move |completed| Box::pin(work(completed))));
    }

    /// Builds the pipeline.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if there are no stages or too many, if a name is invalid or used twice, if a
    /// stage needs one of another pipeline, or if options are out of bounds.
    pub fn build(self) -> Result<Pipeline> {
        let Self { name, stages, identify, at_completion } = self;
        let wrong = |what: String| Error::new(ErrorKind::InvalidArgument, "build pipeline", what);
        for stage in &stages {
            let refused = |why: String| wrong(format!("stage {:?}: {why}", stage.name));
            stage.options.check().map_err(refused)?;
        }
        let pipeline =
            Pipeline { inner: Arc::new(Inner { name, stages, identify, at_completion }) };
        pipeline.plan().check()?;
        for queue in (0..pipeline.inner.stages.len()).filter_map(|index| pipeline.queue_of(index)) {
            if !is_name(&queue) {
                return Err(wrong(format!(
                    "queue {queue:?}: a name has 1 to {MAX_NAME} bytes without control characters"
                )));
            }
        }
        Ok(pipeline)
    }

    fn add<T>(&mut self, declared: DeclaredStage) -> Node<T> {
        self.stages.push(declared);
        Node::at(self.stages.len() - 1)
    }
}

/// These stages and all stages that they need, directly or indirectly.
pub(crate) fn with_needs(
    stages: &[DeclaredStage],
    these: impl IntoIterator<Item = usize>,
) -> BTreeSet<usize> {
    let mut all = BTreeSet::from_iter(these);
    // A stage needs only earlier ones.
    for (index, stage) in stages.iter().enumerate().rev() {
        if all.contains(&index) {
            all.extend(stage.after.iter().copied());
        }
    }
    all
}
