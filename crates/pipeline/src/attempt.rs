//! One attempt at a stage: how it ends, and the task that it runs in.

use compartment_core::{Error, ErrorKind};
use tokio::task::{JoinError, JoinHandle};

use crate::{PipelineError, StageError};

/// How a stage left a document, before anything is told.
#[derive(Debug)]
pub(crate) enum Left {
    Done,
    Failed(StageError),
    /// A store, a limit or the run itself is why there is no result: no attempt of the document's.
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

/// Whether a store refuses what the document has it do, however often it is asked: a name that cannot be, a
/// value that is none. Handed back, it would come again for ever.
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
