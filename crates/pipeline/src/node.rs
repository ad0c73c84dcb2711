//! A stage in its pipeline: what it needs, and how its result is had.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use compartment_core::Error;
use compartment_core::ErrorKind;

use crate::engine::DocumentRun;
use crate::{Document, ExternalStage, PipelineError, Stage, StageError};

/// A result of any type.
pub(crate) type AnyResult = Arc<dyn Any + Send + Sync>;

/// A stage of a pipeline, by the type of its result: what later stages name when they need it.
pub struct Node<T> {
    pub(crate) place: usize,
    result: PhantomData<fn() -> T>,
}

impl<T> Node<T> {
    pub(crate) fn at(place: usize) -> Self {
        Self { place, result: PhantomData }
    }
}

impl<T> Clone for Node<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Node<T> {}

impl<T> fmt::Debug for Node<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.place)
    }
}

/// The stages whose results a stage works on: none `()`, one [`Node`], or a tuple of them.
#[async_trait]
pub trait Needs: Send + Sync + 'static {
    /// Their results.
    type Values: Send;

    /// Where they are in the pipeline.
    fn places(&self) -> Vec<usize>;

    /// Their results for a document: those that are kept, and those that are not made anew.
    async fn values(&self, run: &DocumentRun) -> Result<Self::Values, PipelineError>;
}

#[async_trait]
impl Needs for () {
    type Values = ();

    fn places(&self) -> Vec<usize> {
        Vec::new()
    }

    async fn values(&self, _: &DocumentRun) -> Result<(), PipelineError> {
        Ok(())
    }
}

#[async_trait]
impl<T: Send + Sync + 'static> Needs for Node<T> {
    type Values = Arc<T>;

    fn places(&self) -> Vec<usize> {
        vec![self.place]
    }

    async fn values(&self, run: &DocumentRun) -> Result<Arc<T>, PipelineError> {
        run.value(*self).await
    }
}

#[async_trait]
impl<A: Needs, B: Needs> Needs for (A, B)
where
    A::Values: Send,
    B::Values: Send,
{
    type Values = (A::Values, B::Values);

    fn places(&self) -> Vec<usize> {
        [self.0.places(), self.1.places()].concat()
    }

    async fn values(&self, run: &DocumentRun) -> Result<Self::Values, PipelineError> {
        Ok((self.0.values(run).await?, self.1.values(run).await?))
    }
}

#[async_trait]
impl<A: Needs, B: Needs, C: Needs> Needs for (A, B, C)
where
    A::Values: Send,
    B::Values: Send,
    C::Values: Send,
{
    type Values = (A::Values, B::Values, C::Values);

    fn places(&self) -> Vec<usize> {
        [self.0.places(), self.1.places(), self.2.places()].concat()
    }

    async fn values(&self, run: &DocumentRun) -> Result<Self::Values, PipelineError> {
        Ok((self.0.values(run).await?, self.1.values(run).await?, self.2.values(run).await?))
    }
}

/// How a stage's result is had, whatever its types.
#[async_trait]
pub(crate) trait AnyNode: Send + Sync + 'static {
    async fn produce(self: Arc<Self>, run: &DocumentRun) -> Result<AnyResult, PipelineError>;
}

/// From results to what a stage works on.
pub(crate) struct Adapted<S, D, F> {
    pub(crate) stage: Arc<S>,
    pub(crate) needs: D,
    pub(crate) input: F,
    pub(crate) place: usize,
}

/// A stage that works on a document once.
pub(crate) struct Once<S, D, F>(pub(crate) Adapted<S, D, F>);

#[async_trait]
impl<S, D, F, I> AnyNode for Once<S, D, F>
where
    S: Stage,
    D: Needs,
    F: Fn(&Document, D::Values) -> Result<I, StageError> + Send + Sync + 'static,
    I: Into<Arc<S::Input>> + Send + 'static,
{
    async fn produce(self: Arc<Self>, run: &DocumentRun) -> Result<AnyResult, PipelineError> {
        let (node, of) = (Arc::clone(&self), run.clone());
        let input = async move {
            let values = node.0.needs.values(&of).await?;
            of.permit(node.0.place).await?;
            Ok((node.0.input)(of.document(), values)?.into())
        };
        if run.is_inline(self.0.place) {
            let input = input.await?;
            return Ok(Arc::new(self.0.stage.run(&input)?));
        }
        let (subject, name) = (run.document().subject(), run.document().name());
        let runner = run.runner(self.0.place);
        Ok(runner.run(&self.0.stage, subject, name, input).await?.value)
    }
}

/// A stage that works on each part of a document: all of them, or the document has failed.
pub(crate) struct Each<S, A, F> {
    pub(crate) stage: Arc<S>,
    pub(crate) of: Node<Vec<A>>,
    pub(crate) input: F,
    pub(crate) place: usize,
}

/// Parts of one document that are worked on at the same time; the worker's places bound them too.
const PARTS_AT_ONCE: usize = 16;

#[async_trait]
impl<S, A, F, I> AnyNode for Each<S, A, F>
where
    S: Stage,
    A: Send + Sync + 'static,
    F: Fn(&Document, usize, &A) -> Result<I, StageError> + Send + Sync + 'static,
    I: Into<Arc<S::Input>> + Send + 'static,
{
    async fn produce(self: Arc<Self>, run: &DocumentRun) -> Result<AnyResult, PipelineError> {
        use futures_util::{StreamExt, TryStreamExt};

        let parts = run.value(self.of).await?;
        let works = (0..parts.len()).map(|at| {
            let (node, run, parts) = (Arc::clone(&self), run.clone(), Arc::clone(&parts));
            async move {
                // A part is kept by its place: what it is follows from the document's content.
                let subject = format!("{}:{at}", run.document().subject());
                let (of, made) = (run.clone(), Arc::clone(&node));
                let input = async move {
                    of.permit(made.place).await?;
                    let part = parts.get(at).ok_or_else(|| {
                        StageError::new("interrupted", "a part of it went away").transient()
                    })?;
                    Ok((made.input)(of.document(), at, part)?.into())
                };
                let (runner, name) = (run.runner(node.place), run.document().name());
                Ok::<_, PipelineError>(runner.run(&node.stage, &subject, name, input).await?.value)
            }
        });
        let results: Vec<Arc<S::Output>> =
            futures_util::stream::iter(works).buffered(PARTS_AT_ONCE).try_collect().await?;
        Ok(Arc::new(results))
    }
}

/// A stage that asks somebody else.
pub(crate) struct External<S, D, F>(pub(crate) Adapted<S, D, F>);

#[async_trait]
impl<S, D, F, I> AnyNode for External<S, D, F>
where
    S: ExternalStage,
    D: Needs,
    F: Fn(&Document, D::Values) -> Result<I, StageError> + Send + Sync + 'static,
    I: Into<Arc<S::Input>> + Send + 'static,
{
    async fn produce(self: Arc<Self>, run: &DocumentRun) -> Result<AnyResult, PipelineError> {
        let (node, of) = (Arc::clone(&self), run.clone());
        let answer = async move {
            let values = node.0.needs.values(&of).await?;
            let input = (node.0.input)(of.document(), values)?.into();
            of.permit(node.0.place).await?;
            Ok(node.0.stage.call(&input).await?)
        };
        let (subject, name) = (run.document().subject(), run.document().name());
        let runner = run.runner(self.0.place);
        Ok(runner.call(self.0.stage.as_ref(), subject, name, answer).await?.value)
    }
}

/// The result as its type says; a node of another pipeline may be of another.
pub(crate) fn typed<T: Send + Sync + 'static>(result: AnyResult) -> Result<Arc<T>, PipelineError> {
    result.downcast().map_err(|_| {
        let what = "the stage that was named makes another type: is it of another pipeline?";
        Error::new(ErrorKind::InvalidArgument, "read stage result", what).into()
    })
}
