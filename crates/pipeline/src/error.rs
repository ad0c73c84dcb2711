//! Errors that end one document, and errors that end a whole run.

use std::fmt;

use compartment_core::Error;

/// Why a stage failed on one document. Other documents are not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct StageError {
    /// A short stable name of the reason, for counting and filtering.
    pub code: &'static str,
    /// What happened, and what to do.
    pub message: String,
    /// Whether the same document may succeed later without being changed.
    pub is_transient: bool,
}

impl StageError {
    /// A permanent failure of the document.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), is_transient: false }
    }

    /// A panic of a stage while it processed this document: a bug.
    #[must_use]
    pub fn panicked(stage: &str, panic: Box<dyn std::any::Any + Send>) -> Self {
        let said = match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(other) => {
                other.downcast_ref::<&str>().map(|text| (*text).to_owned()).unwrap_or_default()
            }
        };
        let what = format!(
            "stage {stage} panicked on this document ({said}); please report it with the file"
        );
        Self::new("panicked", what)
    }

    /// Marks the failure as transient: a later attempt may succeed.
    #[must_use]
    pub fn transient(mut self) -> Self {
        self.is_transient = true;
        self
    }
}

/// Why a stage gave no result. All waiters for one result get this error.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The document's own failure.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A store failed permanently, or for longer than the run waits: this ends the run.
    #[error(transparent)]
    Store(#[from] Error),
}

impl fmt::Debug for PipelineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        compartment_core::write_causes(self, f)
    }
}
