//! Errors of administration, in terms that say what to do.

use std::path::{Path, PathBuf};

/// The result of everything in this crate.
pub type Result<T, E = AdminError> = std::result::Result<T, E>;

/// Why it stopped. Each says what is left as it was.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The server's or the connection's.
    #[error("failed to {0}")]
    Server(#[from] compartment_core::Error),
    /// A file cannot be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// `read`, `write`, `create`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what it has to be: a dump, a journal, a plan.
    #[error("{}: {problem}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// Something asked for that cannot be done as asked.
    #[error("{0}")]
    Invalid(String),
    /// Keys stand where others are to go.
    #[error("{0}")]
    Conflict(String),
    /// Refused, so that nothing is lost; says what would be, and how to go on.
    #[error("{0}")]
    Unsafe(String),
    /// Both sides were compared and are not the same.
    #[error("{0}")]
    Different(String),
}

// Its own words, causes included: a `main` that returns a `Result` shows them.
impl std::fmt::Debug for AdminError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl AdminError {
    /// For `map_err`: a file that could not be read or written. `what` is `read`, `write`, `create`.
    pub fn file(what: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::File { what, path, source }
    }
}
