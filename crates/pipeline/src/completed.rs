//! A batch whose documents are all done or dead, as the work at its completion sees it.

use std::collections::BTreeSet;
use std::sync::Arc;

use compartment_core::{BatchProgress, Database, Error, ErrorKind, MAX_AT_ONCE};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};

use crate::{Document, Engine, Node, PipelineError};

/// A completed batch. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Completed {
    batch: Arc<str>,
    engine: Engine,
    store: Database,
}

impl Completed {
    /// The batch of this name in the database `store`, for work that `engine` does with it.
    #[must_use]
    pub fn new(batch: &str, engine: Engine, store: Database) -> Self {
        Self { batch: batch.into(), engine, store }
    }

    /// The batch's name.
    #[must_use]
    pub fn batch(&self) -> &str {
        &self.batch
    }

    /// How it ended.
    ///
    /// # Errors
    /// The store's; [`ErrorKind::Unknown`] where the batch has been removed.
    pub async fn progress(&self) -> Result<BatchProgress, PipelineError> {
        let progress = self.store.batch().progress(&self.batch).await?;
        progress.ok_or_else(|| {
            let what = format!("batch {:?} has been removed", self.batch);
            Error::new(ErrorKind::Unknown, "read batch", what).in_database(self.store.name()).into()
        })
    }

    /// The ordinals of the documents that are dead.
    ///
    /// # Errors
    /// The store's.
    pub async fn dead(&self) -> Result<BTreeSet<u32>, PipelineError> {
        let failures = self.store.batch().failures(&self.batch);
        Ok(failures.map_ok(|failure| failure.ordinal).try_collect().await?)
    }

    /// The documents, in order, read in pages. One whose entry is malformed is left out: it is dead.
    pub fn documents(&self) -> BoxStream<'static, Result<Document, PipelineError>> {
        let completed = self.clone();
        let pages = futures_util::stream::try_unfold(0, move |from| {
            let completed = completed.clone();
            async move {
                let store = completed.store.batch_upkeep();
                let entries = store.entries(&completed.batch, from, MAX_AT_ONCE).await?;
                let next = from + u32::try_from(entries.len()).unwrap_or(u32::MAX);
                if entries.is_empty() {
                    return Ok::<_, PipelineError>(None);
                }
                let named = entries.into_iter().zip(from..).filter_map(|(entry, ordinal)| {
                    completed.engine.document(&completed.batch, ordinal, entry).ok().map(Ok)
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
    /// As [`Engine::value`].
    pub async fn value<T: Send + Sync + 'static>(
        &self,
        node: Node<T>,
        document: &Document,
    ) -> Result<Arc<T>, PipelineError> {
        self.engine.value(node, document).await
    }
}
