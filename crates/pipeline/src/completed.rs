//! The completed batch that the work at completion is called with.

use std::collections::BTreeSet;
use std::sync::Arc;

use compartment_core::{
    BatchProgress, BatchStore, BatchUpkeepStore, Database, Error, ErrorKind, FencingToken,
    MAX_AT_ONCE,
};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};

use crate::document_run::{DocumentRun, Stages};
use crate::{Document, Node, PipelineError};

/// A completed batch. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Completed {
    batch: Arc<str>,
    stages: Arc<dyn Stages>,
    /// The database's name.
    database: String,
    store: Arc<dyn BatchStore>,
    upkeep: Arc<dyn BatchUpkeepStore>,
}

impl Completed {
    pub(crate) fn new(batch: &str, stages: Arc<dyn Stages>, store: Database) -> Self {
        let (own, upkeep) = (Arc::clone(store.batch()), Arc::clone(store.batch_upkeep()));
        Self { batch: batch.into(), stages, database: store.name().to_owned(), store: own, upkeep }
    }

    /// Restricts it to the batch born with this token: a later batch of the same name is not read.
    #[must_use]
    pub fn born_as(mut self, token: FencingToken) -> Self {
        (self.store, self.upkeep) = (self.store.born_as(token), self.upkeep.born_as(token));
        self
    }

    /// The batch's name.
    #[must_use]
    pub fn batch(&self) -> &str {
        &self.batch
    }

    /// The batch's final progress.
    ///
    /// # Errors
    /// The store's; [`ErrorKind::Unknown`] if the batch has been removed.
    pub async fn progress(&self) -> Result<BatchProgress, PipelineError> {
        let progress = self.store.progress(&self.batch).await?;
        progress.ok_or_else(|| {
            let what = format!("batch {:?} has been removed", self.batch);
            Error::new(ErrorKind::Unknown, "read batch", what).in_database(&self.database).into()
        })
    }

    /// The ordinals of the documents that are dead.
    ///
    /// # Errors
    /// The store's.
    pub async fn dead(&self) -> Result<BTreeSet<u32>, PipelineError> {
        let failures = self.store.failures(&self.batch);
        Ok(failures.map_ok(|failure| failure.ordinal).try_collect().await?)
    }

    /// The documents, in order, read in pages. A document with a malformed entry is left out; it is dead.
    pub fn documents(&self) -> BoxStream<'static, Result<Document, PipelineError>> {
        let completed = self.clone();
        let pages = futures_util::stream::try_unfold(0, move |from| {
            let completed = completed.clone();
            async move {
                let entries = completed.upkeep.entries(&completed.batch, from, MAX_AT_ONCE).await?;
                let next = from + u32::try_from(entries.len()).unwrap_or(u32::MAX);
                if entries.is_empty() {
                    return Ok::<_, PipelineError>(None);
                }
                let named = entries.into_iter().zip(from..).filter_map(|(entry, ordinal)| {
                    completed.stages.document(&completed.batch, ordinal, entry).ok().map(Ok)
                });
                let page: Vec<_> = named.collect();
                Ok(Some((futures_util::stream::iter(page), next)))
            }
        });
        pages.try_flatten().boxed()
    }

    /// A stage's result for a document.
    ///
    /// # Errors
    /// As [`crate::Engine::value`].
    pub async fn value<T: Send + Sync + 'static>(
        &self,
        node: Node<T>,
        document: &Document,
    ) -> Result<Arc<T>, PipelineError> {
        let run = DocumentRun::new(Arc::clone(&self.stages), document.clone());
        run.value(node).await
    }
}
