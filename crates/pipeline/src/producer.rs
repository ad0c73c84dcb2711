//! How a stage's result is had: made once, for each part of a document, or asked of somebody else.

use std::sync::Arc;

use async_trait::async_trait;

use crate::document_run::DocumentRun;
use crate::node::AnyResult;
use crate::{Document, ExternalStage, Needs, Node, PipelineError, Stage, StageError};

/// How a stage's result is had, whatever its types.
#[async_trait]
pub(crate) trait Producer: Send + Sync + 'static {
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
impl<S, D, F, I> Producer for Once<S, D, F>
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
impl<S, A, F, I> Producer for Each<S, A, F>
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
impl<S, D, F, I> Producer for External<S, D, F>
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
