//! The results that a stage works on.

use std::sync::Arc;

use async_trait::async_trait;

use crate::document_run::DocumentRun;
use crate::{Node, PipelineError};

/// The stages whose results a stage needs: none `()`, one [`Node`], a tuple or a vector of them.
#[async_trait]
pub trait Needs: Send + Sync + 'static {
    /// Their results.
    type Values: Send + 'static;

    /// The indexes of these stages in the pipeline.
    fn indexes(&self) -> Vec<usize>;

    /// Their results for a document, stored or newly computed.
    async fn values(&self, run: &DocumentRun) -> Result<Self::Values, PipelineError>;
}

#[async_trait]
impl Needs for () {
    type Values = ();

    fn indexes(&self) -> Vec<usize> {
        Vec::new()
    }

    async fn values(&self, _: &DocumentRun) -> Result<(), PipelineError> {
        Ok(())
    }
}

#[async_trait]
impl<T: Send + Sync + 'static> Needs for Node<T> {
    type Values = Arc<T>;

    fn indexes(&self) -> Vec<usize> {
        vec![self.index]
    }

    async fn values(&self, run: &DocumentRun) -> Result<Arc<T>, PipelineError> {
        run.value(*self).await
    }
}

#[async_trait]
impl<N: Needs> Needs for Vec<N> {
    type Values = Vec<N::Values>;

    fn indexes(&self) -> Vec<usize> {
        self.iter().flat_map(Needs::indexes).collect()
    }

    async fn values(&self, run: &DocumentRun) -> Result<Self::Values, PipelineError> {
        let mut values = Vec::with_capacity(self.len());
        for need in self {
            values.push(need.values(run).await?);
        }
        Ok(values)
    }
}

#[async_trait]
impl<A: Needs, B: Needs> Needs for (A, B)
where
    A::Values: Send,
    B::Values: Send,
{
    type Values = (A::Values, B::Values);

    fn indexes(&self) -> Vec<usize> {
        [self.0.indexes(), self.1.indexes()].concat()
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

    fn indexes(&self) -> Vec<usize> {
        [self.0.indexes(), self.1.indexes(), self.2.indexes()].concat()
    }

    async fn values(&self, run: &DocumentRun) -> Result<Self::Values, PipelineError> {
        Ok((self.0.values(run).await?, self.1.values(run).await?, self.2.values(run).await?))
    }
}
