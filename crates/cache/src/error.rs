//! Why a load gave no value.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Whatever a loader fails with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A load that gave no value, and no stale one could be served. All who waited get the same.
#[derive(Clone)]
#[non_exhaustive]
pub enum LoadError {
    /// The loader failed.
    Failed(SharedError),
    /// The key is of another database or was not written by a cache, its labels cannot be, or the
    /// handle's policy is refused.
    Misuse(Arc<compartment_core::Error>),
    /// It took longer than the policy's hard time-out, and was given up.
    TimedOut(Duration),
    /// The loader panicked, with these words.
    Panicked(Arc<str>),
    /// The loader's runtime has ended or is blocked.
    Ended,
    /// The loader waits for the value that it loads, directly or through other loads.
    WaitsForItself,
    /// The key is used as another type elsewhere in this process.
    OtherType,
    /// It gave another number of values than it was asked for.
    OtherCount {
        /// Keys asked for.
        wanted: usize,
        /// Values given.
        given: usize,
    },
}

/// A loader's error, shared by all who waited.
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

    /// Of what a loader panicked with: text, as a rule.
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
    // The error itself stands in the text already: a chain goes on with its cause.
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

/// The database did not answer, or is left alone.
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
