//! One document on its way through the stages of an engine.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::node::{AnyResult, typed};
use crate::{Document, Node, PipelineError, Runner, StageError};

/// What a document's run needs of its engine.
#[async_trait]
pub(crate) trait Stages: fmt::Debug + Send + Sync {
    /// The document that an entry names.
    fn document(&self, batch: &str, ordinal: u32, entry: Bytes) -> Result<Document, StageError>;

    /// The result of the stage at `place`: the one that is kept, or a new one.
    async fn produce(&self, place: usize, run: &DocumentRun) -> Result<AnyResult, PipelineError>;

    /// Whether the stage runs where it is, without a task or a result that is kept.
    fn is_inline(&self, place: usize) -> bool;

    /// How the results of the stage are made.
    fn runner(&self, place: usize) -> &Runner;

    /// Waits for a permit to make a result, where the stage has a limit.
    async fn permit(&self, place: usize) -> Result<(), PipelineError>;
}

/// One document on its way through an engine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DocumentRun {
    stages: Arc<dyn Stages>,
    document: Document,
}

impl DocumentRun {
    pub(crate) fn new(stages: Arc<dyn Stages>, document: Document) -> Self {
        Self { stages, document }
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The result of a stage: the one that is kept, or a new one.
    ///
    /// # Errors
    /// As [`crate::Engine::value`].
    pub async fn value<T: Send + Sync + 'static>(
        &self,
        node: Node<T>,
    ) -> Result<Arc<T>, PipelineError> {
        typed(self.produce(node.place).await?)
    }

    pub(crate) async fn produce(&self, place: usize) -> Result<AnyResult, PipelineError> {
        self.stages.produce(place, self).await
    }

    pub(crate) fn is_inline(&self, place: usize) -> bool {
        self.stages.is_inline(place)
    }

    pub(crate) fn runner(&self, place: usize) -> &Runner {
        self.stages.runner(place)
    }

    pub(crate) async fn permit(&self, place: usize) -> Result<(), PipelineError> {
        self.stages.permit(place).await
    }
}
