//! How a stage's result is produced: once, for each part of a document, or by another service.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use compartment_core::KeyTemplate;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::document_run::DocumentRun;
use crate::node::{AnyResult, typed};
use crate::{Document, ExternalStage, Needs, Node, PipelineError, Stage, StageError};

/// Produces a stage's result, independently of the stage's types.
#[async_trait]
pub(crate) trait Producer: Send + Sync + 'static {
    /// The stored result, or a new one.
    async fn produce(self: Arc<Self>, run: &DocumentRun) -> Result<AnyResult, PipelineError>;

    /// The stored result, if there is one; nothing is computed.
    async fn find(&self, run: &DocumentRun) -> Result<Option<AnyResult>, PipelineError>;

    /// Whether a document has one result, computed in this process under one of the engine's permits.
    fn is_one_computation(&self) -> bool {
        false
    }
}

/// The stored result of a stage for the document, for stages that produce one result.
async fn kept<T: Serialize + DeserializeOwned + Send + Sync + 'static>(
    run: &DocumentRun,
    index: usize,
    stage: &'static str,
    template: KeyTemplate<T>,
    version: &str,
) -> Result<Option<AnyResult>, PipelineError> {
    let subject = run.document().subject();
    let found = run.runner(index).find(stage, template, subject, version).await?;
    Ok(found.map(|value| value as AnyResult))
}

/// A stage with the function that derives its input from the results it needs.
pub(crate) struct Adapted<S, D, F> {
    pub(crate) stage: Arc<S>,
    pub(crate) needs: D,
    pub(crate) input: F,
    pub(crate) index: usize,
}

/// A stage that is run once for each document.
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
            of.permit(node.0.index).await?;
            Ok((node.0.input)(of.document(), values)?.into())
        };
        if run.is_inline(self.0.index) {
            let input = input.await?;
            let started = Instant::now();
            let result = Arc::new(self.0.stage.run(&input)?);
            run.runner(self.0.index).made(self.0.stage.name(), started.elapsed());
            return Ok(result);
        }
        let (runner, subject) = (run.runner(self.0.index), run.document().subject());
        Ok(runner.run(&self.0.stage, subject, input).await?)
    }

    async fn find(&self, run: &DocumentRun) -> Result<Option<AnyResult>, PipelineError> {
        let Adapted { stage, index, .. } = &self.0;
        if run.is_inline(*index) {
            return Ok(None);
        }
        kept(run, *index, stage.name(), stage.template(), &stage.version()).await
    }

    fn is_one_computation(&self) -> bool {
        true
    }
}

/// A stage that is run for each part of a document. If a part fails, the document fails.
pub(crate) struct Each<S, A, F> {
    pub(crate) stage: Arc<S>,
    pub(crate) of: Node<Vec<A>>,
    pub(crate) input: F,
    pub(crate) index: usize,
}

/// Parts of one document that are processed at the same time; the engine's permits limit them further.
const PARTS_AT_ONCE: usize = 16;

/// The subject of a part's result: its index in the document, since the document determines its content.
fn part_of(document: &Document, at: usize) -> String {
    format!("{}:{at}", document.subject())
}

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
                let subject = part_of(run.document(), at);
                let (of, made) = (run.clone(), Arc::clone(&node));
                let input = async move {
                    of.permit(made.index).await?;
                    let part = parts.get(at).ok_or_else(|| {
                        StageError::new("interrupted", "a part of it went away").transient()
                    })?;
                    Ok((made.input)(of.document(), at, part)?.into())
                };
                run.runner(node.index).run(&node.stage, &subject, input).await
            }
        });
        let results: Vec<Arc<S::Output>> =
            futures_util::stream::iter(works).buffered(PARTS_AT_ONCE).try_collect().await?;
        Ok(Arc::new(results))
    }

    async fn find(&self, run: &DocumentRun) -> Result<Option<AnyResult>, PipelineError> {
        let Self { stage, of, index, .. } = self;
        kept_parts(run, *of, *index, stage.name(), stage.template(), &stage.version()).await
    }
}

/// The stored results of a stage for all parts of the document.
async fn kept_parts<A: Send + Sync + 'static, T>(
    run: &DocumentRun,
    of: Node<Vec<A>>,
    index: usize,
    stage: &'static str,
    template: KeyTemplate<T>,
    version: &str,
) -> Result<Option<AnyResult>, PipelineError>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    // An inline stage stores nothing, and running it costs less than a lookup, unless what it needs is to be made first.
    let parts = if run.is_inline(of.index) {
        if !run.finds_needs(of.index).await? {
            return Ok(None);
        }
        run.produce(of.index).await?
    } else {
        let Some(parts) = run.find(of.index).await? else { return Ok(None) };
        parts
    };
    let parts = typed::<Vec<A>>(parts)?;
    let runner = run.runner(index);
    let mut results = Vec::with_capacity(parts.len());
    for at in 0..parts.len() {
        let subject = part_of(run.document(), at);
        match runner.find(stage, template, &subject, version).await? {
            Some(result) => results.push(result),
            None => return Ok(None),
        }
    }
    Ok(Some(Arc::new(results)))
}

/// A stage that calls another service for each part of a document. If a part fails, the document fails; answers that
/// arrived are kept.
pub(crate) struct ExternalEach<S, A, F> {
    pub(crate) stage: Arc<S>,
    pub(crate) of: Node<Vec<A>>,
    pub(crate) input: F,
    pub(crate) index: usize,
}

/// Calls for one document at the same time: services count connections too.
const CALLS_AT_ONCE: usize = 4;

#[async_trait]
impl<S, A, F, I> Producer for ExternalEach<S, A, F>
where
    S: ExternalStage,
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
                let subject = part_of(run.document(), at);
                let (of, asked) = (run.clone(), Arc::clone(&node));
                let answer = async move {
                    let part = parts.get(at).ok_or_else(|| {
                        StageError::new("interrupted", "a part of it went away").transient()
                    })?;
                    let input = (asked.input)(of.document(), at, part)?.into();
                    of.permit(asked.index).await?;
                    Ok(asked.stage.call(&input).await?)
                };
                run.runner(node.index).call(node.stage.as_ref(), &subject, answer).await
            }
        });
        let results: Vec<Arc<S::Output>> =
            futures_util::stream::iter(works).buffered(CALLS_AT_ONCE).try_collect().await?;
        Ok(Arc::new(results))
    }

    async fn find(&self, run: &DocumentRun) -> Result<Option<AnyResult>, PipelineError> {
        let Self { stage, of, index, .. } = self;
        kept_parts(run, *of, *index, stage.name(), stage.template(), &stage.version()).await
    }
}

/// A stage that calls another service.
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
            of.permit(node.0.index).await?;
            Ok(node.0.stage.call(&input).await?)
        };
        let (runner, subject) = (run.runner(self.0.index), run.document().subject());
        Ok(runner.call(self.0.stage.as_ref(), subject, answer).await?)
    }

    async fn find(&self, run: &DocumentRun) -> Result<Option<AnyResult>, PipelineError> {
        let Adapted { stage, index, .. } = &self.0;
        kept(run, *index, stage.name(), stage.template(), &stage.version()).await
    }
}
