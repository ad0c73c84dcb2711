//! Why a change was not made.

use compartment::Error;
use compartment_admin::AdminError;

use crate::OperationsError;

/// Why a change was not planned or not made. Each message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The operator does not allow changes of this tier here.
    #[error("{0}")]
    NotAllowed(String),
    /// A part of the change is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The dry run found reasons not to make it.
    #[error("{0}")]
    Refused(String),
    /// There is no plan with this id for this session.
    #[error(
        "no plan with this id is open in this session: it was acted on, it expired, or another session made it; nothing \
         was changed, so make a new dry run"
    )]
    UnknownPlan,
    /// The plan is for another change.
    #[error("{0}")]
    OtherChange(String),
    /// What was counted has changed since.
    #[error("{0}; nothing was changed, so make a new dry run")]
    Moved(String),
    /// The log of changes cannot be written.
    #[error(
        "nothing was changed, because the log of changes cannot be written: {0}; make the database `metrics` writable \
         first"
    )]
    NotLogged(String),
    /// Reading or changing failed.
    #[error(transparent)]
    Operations(OperationsError),
}

impl From<OperationsError> for ChangeError {
    fn from(error: OperationsError) -> Self {
        match error {
            OperationsError::Argument(what) => Self::Invalid(what),
            OperationsError::Unsafe(what) => Self::Refused(what),
            OperationsError::Admin(error) => error.into(),
            error => Self::Operations(error),
        }
    }
}

impl From<AdminError> for ChangeError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Moved(what) => Self::Moved(what),
            AdminError::Unsafe(what) | AdminError::Conflict(what) => Self::Refused(what),
            AdminError::Invalid(what) => Self::Invalid(what),
            AdminError::NoPlace { problem, .. } => Self::Invalid(problem),
            error => Self::Operations(error.into()),
        }
    }
}

impl From<Error> for ChangeError {
    fn from(error: Error) -> Self {
        Self::Operations(error.into())
    }
}

impl ChangeError {
    /// Whether it is a refusal, and nothing was changed.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        !matches!(self, Self::Operations(_))
    }
}
