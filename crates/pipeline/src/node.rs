//! A handle to a stage, typed by the stage's result.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use compartment_core::{Error, ErrorKind};

use crate::PipelineError;

/// A result of any type.
pub(crate) type AnyResult = Arc<dyn Any + Send + Sync>;

/// A handle to a stage, typed by the stage's result. Later stages name their needs with it.
pub struct Node<T> {
    pub(crate) index: usize,
    result: PhantomData<fn() -> T>,
}

impl<T> Node<T> {
    pub(crate) fn at(index: usize) -> Self {
        Self { index, result: PhantomData }
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
        write!(f, "Node({})", self.index)
    }
}

/// Downcasts a result to the type of its node; fails if the node belongs to another pipeline.
pub(crate) fn typed<T: Send + Sync + 'static>(result: AnyResult) -> Result<Arc<T>, PipelineError> {
    result.downcast().map_err(|_| {
        let what = "the stage returns another type: does it belong to another pipeline?";
        Error::new(ErrorKind::InvalidArgument, "read stage result", what).into()
    })
}
