//! A pipeline: typed stages, what each works on, and how each is run, declared in one place.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use compartment_core::{BatchPlan, Error, ErrorKind, MAX_QUEUE_NAME, Result};
use futures_util::future::BoxFuture;

use crate::completed::Completed;
use crate::producer::{Adapted, Each, External, Once, Producer};
use crate::{
    Document, ExternalStage, Identity, Needs, Node, PipelineError, Stage, StageError, StageOptions,
};

/// Says whose document an entry is.
type Identify = Arc<dyn Fn(&[u8]) -> std::result::Result<Identity, StageError> + Send + Sync>;
/// What is done once every document of a batch is done or dead.
pub(crate) type AtCompletion = Arc<
    dyn Fn(Completed) -> BoxFuture<'static, std::result::Result<(), PipelineError>> + Send + Sync,
>;

/// One stage in its place.
pub(crate) struct Placed {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    pub(crate) options: StageOptions,
    pub(crate) after: Vec<usize>,
    pub(crate) producer: Arc<dyn Producer>,
}

/// Stages and how they hang together. Cheap to clone.
///
/// What a stage makes is kept under the document's subject and the stage's version, and a later stage
/// reads it from there. Where it is gone, evicted or flushed, it is made again on the way.
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
    stages: Vec<Placed>,
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

    /// Its name.
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
        let version = |stage: &Placed| (stage.name.to_owned(), stage.version.clone());
        self.inner.stages.iter().map(version).collect()
    }

    /// The place of a stage.
    #[must_use]
    pub fn place(&self, stage: &str) -> Option<usize> {
        self.inner.stages.iter().position(|known| known.name == stage)
    }

    /// The queue of a stage's single tasks.
    #[must_use]
    pub fn queue_of(&self, place: usize) -> Option<String> {
        let stage = self.inner.stages.get(place)?;
        let own = || format!("{}.{}", self.inner.name, stage.name);
        Some(stage.options.queue.clone().unwrap_or_else(own))
    }

    /// What a batch of this pipeline goes through.
    #[must_use]
    pub fn plan(&self) -> BatchPlan {
        let most = self.inner.stages.iter().map(|stage| stage.options.max_attempts).max();
        let plan = BatchPlan::new().max_attempts(most.unwrap_or(1));
        self.inner.stages.iter().fold(plan, |plan, stage| plan.stage(stage.name, &stage.after))
    }

    /// Whose document an entry is.
    ///
    /// # Errors
    /// The document's failure, where the entry is malformed.
    pub fn identify(&self, entry: &[u8]) -> std::result::Result<Identity, StageError> {
        (self.inner.identify)(entry)
    }

    pub(crate) fn placed(&self, place: usize) -> Option<&Placed> {
        self.inner.stages.get(place)
    }

    pub(crate) fn all(&self) -> &[Placed] {
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
    stages: Vec<Placed>,
    identify: Identify,
    at_completion: Option<AtCompletion>,
}

impl fmt::Debug for PipelineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PipelineBuilder {
    /// How an entry names its document; unless told the entry itself is name and subject.
    pub fn identify(
        &mut self,
        identify: impl Fn(&[u8]) -> std::result::Result<Identity, StageError> + Send + Sync + 'static,
    ) {
        self.identify = Arc::new(identify);
    }

    /// Adds a stage that works on what `input` makes of the results it needs.
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
        let (name, version, after) = (stage.name(), stage.version(), needs.places());
        let (stage, place) = (Arc::new(stage), self.stages.len());
        let producer = Arc::new(Once(Adapted { stage, needs, input, place }));
        self.add(Placed { name, version, options, after, producer })
    }

    /// Adds a stage that works on each part of a document, several at a time: what comes after it
    /// has all the parts' results, in order. A part that fails fails the document; when it is tried
    /// again, parts that are done are not worked on anew.
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
        let (name, version, after) = (stage.name(), stage.version(), vec![of.place]);
        let (stage, place) = (Arc::new(stage), self.stages.len());
        let producer = Arc::new(Each { stage, of, input, place });
        self.add(Placed { name, version, options, after, producer })
    }

    /// Adds a stage that asks somebody else. Its answers are kept, so a run that is repeated asks
    /// for none again.
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
        let (name, version, after) = (stage.name(), stage.version(), needs.places());
        let (stage, place) = (Arc::new(stage), self.stages.len());
        let producer = Arc::new(External(Adapted { stage, needs, input, place }));
        self.add(Placed { name, version, options, after, producer })
    }

    /// What is done once every document of a batch is done or dead: by one worker at a time, and again
    /// if that one does not live to its end.
    pub fn at_completion<F>(&mut self, work: impl Fn(Completed) -> F + Send + Sync + 'static)
    where
        F: Future<Output = std::result::Result<(), PipelineError>> + Send + 'static,
    {
        self.at_completion = Some(Arc::new(move |completed| Box::pin(work(completed))));
    }

    /// The pipeline.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for no or too many stages, names that cannot be or are taken
    /// twice, a stage that needs one of another pipeline, or options that cannot be.
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
        for queue in (0..pipeline.inner.stages.len()).filter_map(|place| pipeline.queue_of(place)) {
            if queue.is_empty() || queue.len() > MAX_QUEUE_NAME {
                return Err(wrong(format!(
                    "queue {queue:?}: a name has 1 to {MAX_QUEUE_NAME} bytes"
                )));
            }
        }
        Ok(pipeline)
    }

    fn add<T>(&mut self, placed: Placed) -> Node<T> {
        self.stages.push(placed);
        Node::at(self.stages.len() - 1)
    }
}
