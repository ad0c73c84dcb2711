//! The two causes for which a document has no text.

use compartment_pipeline::StageError;

use crate::error::DocumentError;

/// Why a document has no text.
#[derive(Debug)]
pub(crate) enum ReadFailure {
    /// The document cannot be read.
    Document(DocumentError),
    /// Its content cannot be had, or is no longer the one that was named.
    Content(StageError),
}

impl From<DocumentError> for ReadFailure {
    fn from(error: DocumentError) -> Self {
        Self::Document(error)
    }
}

impl From<StageError> for ReadFailure {
    fn from(error: StageError) -> Self {
        Self::Content(error)
    }
}
