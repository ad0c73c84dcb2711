//! One attempt at a stage: how it ends, and the task that it runs in.

use compartment_core::{Error, ErrorKind};
use tokio::task::{JoinError, JoinHandle};

use crate::{PipelineError, StageError};

/// The operations by which a stage asks for its document's lock, and for a permit.
pub(crate) const ASKING: [&str; 2] = ["lock document", "ask for a permit"];

/// How a stage left a document, before anything is told.
#[derive(Debug)]
pub(crate) enum Left {
    Done,
    Failed(StageError),
    /// There is no result because of a store, a limit or the run itself; this does not count as an
    /// attempt.
    Untried(Error),
}

/// Work in a task of its own, which ends with whoever waits for it: it holds places and permits.
pub(crate) struct Spawned<T>(pub(crate) Option<JoinHandle<T>>);

impl<T> Spawned<T> {
    pub(crate) async fn joined(&mut self) -> Result<T, JoinError> {
        match &mut self.0 {
            Some(work) => work.await,
            None => std::future::pending().await,
        }
    }
}

impl<T> Drop for Spawned<T> {
    fn drop(&mut self) {
        if let Some(work) = &self.0 {
            work.abort();
        }
    }
}

/// Whether the store would reject this document on every attempt, for example because of an invalid key
/// or an undecodable value. Handed back, the document would return forever.
pub(crate) fn is_about_the_document(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidArgument
            | ErrorKind::Contract
            | ErrorKind::Decode
            | ErrorKind::Encode
            | ErrorKind::WrongType
            | ErrorKind::Unsupported
    )
}

/// A stage whose task was ended from outside: the runtime is going down.
pub(crate) fn interrupted(stage: &str) -> PipelineError {
    Error::new(ErrorKind::Interrupted, "run stage", format!("stage {stage} was ended")).into()
}
