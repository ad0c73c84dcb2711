//! One attempt at a stage: its outcome, and the task that it runs in.

use compartment_core::{Error, ErrorKind};
use tokio::task::{JoinError, JoinHandle};

use crate::{PipelineError, StageError};

/// The operations by which a stage waits for its document's lock and for a rate-limit permit.
pub(crate) const ASKING: [&str; 2] = ["lock document", "ask for a permit"];

/// The outcome of a stage for a document, before it is reported.
#[derive(Debug)]
pub(crate) enum Left {
    Done,
    Failed(StageError),
    /// A store, a limit or the run itself prevented a result; this does not count as an attempt.
    Untried(Error),
}

/// Work in its own task, which is aborted with its waiter, because the work holds permits.
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

/// The error of a stage whose task was aborted because the runtime shuts down.
pub(crate) fn interrupted(stage: &str) -> PipelineError {
    Error::new(ErrorKind::Interrupted, "run stage", format!("stage {stage} was ended")).into()
}
