//! Why a load gave no value.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Whatever a loader fails with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A load that gave no value, and no stale one could be served. All who waited get the same.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The loader failed.
    #[error("load a value for the cache: {0}")]
    Failed(#[source] Shared),
    /// The key is of another database, or its labels cannot be.
    #[error(transparent)]
    Misuse(Arc<compartment_core::Error>),
    /// It took longer than the policy's hard time-out, and was given up.
    #[error("load a value for the cache: no value within {0:?}, the policy's hard time-out")]
    TimedOut(Duration),
    /// It panicked, or its runtime ended.
    #[error("load a value for the cache: the loader panicked, or its runtime ended")]
    Ended,
    /// The key is loaded as another type elsewhere in this process.
    #[error("load a value for the cache: the key is used for values of another type as well")]
    OtherType,
    /// It gave another number of values than it was asked for.
    #[error("load values for the cache: {wanted} were asked for, and {given} were given")]
    OtherCount {
        /// Keys asked for.
        wanted: usize,
        /// Values given.
        given: usize,
    },
}

/// A loader's error, shared by all who waited.
#[derive(Clone)]
pub struct Shared(Arc<dyn std::error::Error + Send + Sync>);

impl From<compartment_core::Error> for LoadError {
    fn from(error: compartment_core::Error) -> Self {
        Self::Misuse(Arc::new(error))
    }
}

impl LoadError {
    pub(crate) fn failed(error: impl Into<BoxError>) -> Self {
        Self::Failed(Shared(error.into().into()))
    }

    /// The loader's own error, if it failed with a `T`.
    #[must_use]
    pub fn downcast_ref<T: std::error::Error + 'static>(&self) -> Option<&T> {
        match self {
            Self::Failed(Shared(error)) => error.downcast_ref(),
            _ => None,
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
