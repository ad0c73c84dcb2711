//! Why figures could not be read, or a change was not made.

use compartment::Error;
use compartment_admin::AdminError;

/// An answer, or why there is none.
pub type Result<T, E = OperationsError> = std::result::Result<T, E>;

/// Why figures could not be read, or a change was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperationsError {
    /// A store, the map, or the way to a server.
    #[error(transparent)]
    Store(#[from] Error),
    /// The administration of a server.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// What was asked for does not exist, or cannot be asked for: the message says which names there are.
    #[error("{0}")]
    Argument(String),
    /// The configuration does not allow it: the map has no such database, or no server.
    #[error("{0}")]
    Configuration(String),
    /// Refused to prevent the loss of data.
    #[error("{0}")]
    Unsafe(String),
}
