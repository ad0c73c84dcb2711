//! Why a load returned no value.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Any error of a loader.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A load that returned no value while no stale one could be served. All waiters get this error.
#[derive(Clone)]
#[non_exhaustive]
pub enum LoadError {
    /// The loader failed.
    Failed(SharedError),
    /// The key belongs to another database or was not written by a cache, a label is invalid, or the handle's policy
    /// is out of bounds.
    Misuse(Arc<compartment_core::Error>),
    /// The load exceeded the policy's hard time-out and was cancelled.
    TimedOut(Duration),
    /// The loader panicked with this message.
    Panicked(Arc<str>),
    /// The loader's runtime has ended or is blocked.
    Ended,
    /// The loader waits for the value that it loads, directly or through other loads.
    WaitsForItself,
    /// This process also uses the key for values of another type.
    OtherType,
    /// The loader returned another number of values than requested.
    OtherCount {
        /// Keys requested.
        wanted: usize,
        /// Values returned.
        given: usize,
    },
}

/// A loader's error, shared by all waiters.
#[derive(Clone)]
pub struct SharedError(Arc<dyn std::error::Error + Send + Sync>);

impl From<compartment_core::Error> for LoadError {
    fn from(error: compartment_core::Error) -> Self {
        Self::Misuse(Arc::new(error))
    }
}

impl LoadError {
    pub(crate) fn failed(error: impl Into<BoxError>) -> Self {
        Self::Failed(SharedError(error.into().into()))
    }

    /// The error of a panic; its payload is usually text.
    pub(crate) fn panicked(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self::Panicked(text.unwrap_or("it panicked with a value that is not text").into())
    }

    /// The loader's own error, if it failed with a `T`.
    #[must_use]
    pub fn downcast_ref<T: std::error::Error + 'static>(&self) -> Option<&T> {
        match self {
            Self::Failed(SharedError(error)) => error.downcast_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misuse(error) => return error.fmt(f),
            Self::OtherCount { wanted, given } => {
                return write!(
                    f,
                    "load values for the cache: the loader was asked for {wanted} values and returned {given}"
                );
            }
            _ => f.write_str("load a value for the cache: ")?,
        }
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::TimedOut(limit) => {
                write!(f, "no value within {limit:?}, the policy's hard time-out")
            }
            Self::Panicked(text) => write!(f, "the loader panicked: {text}"),
            Self::Ended => f.write_str("the loader's runtime has ended or is blocked"),
            Self::WaitsForItself => f.write_str(
                "its loader reads the key that it loads, directly or through other loads, and \
                 would wait for itself: read the source instead",
            ),
            _ => f.write_str("the key is also used for values of another type"),
        }
    }
}

impl fmt::Debug for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        compartment_core::write_causes(self, f)
    }
}

impl std::error::Error for LoadError {
    // The message includes the error itself, so the chain continues with the error's source.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => error.source(),
            Self::Misuse(error) => error.source(),
            _ => None,
        }
    }
}

impl fmt::Debug for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for SharedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// The database did not answer, or its breaker is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Away;

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    #[test]
    fn a_chain_says_each_cause_once() {
        let cause = compartment_core::Error::new(
            compartment_core::ErrorKind::Decode,
            "read the court's file",
            "cut off",
        )
        .caused_by(std::io::Error::other("the disk is full"));
        let error = LoadError::failed(cause);
        let mut said = vec![error.to_string()];
        let mut next = error.source();
        while let Some(cause) = next {
            said.push(cause.to_string());
            next = cause.source();
        }
        assert_eq!(format!("{error:?}"), said.join("\ncaused by: "));
        assert_eq!(
            said,
            ["load a value for the cache: read the court's file: cut off", "the disk is full"]
        );
    }

    #[test]
    fn a_panic_keeps_its_words() {
        let text: Box<dyn Any + Send> = Box::new("no page 7".to_owned());
        let said = LoadError::panicked(&*text).to_string();
        assert_eq!(said, "load a value for the cache: the loader panicked: no page 7");
    }
}
