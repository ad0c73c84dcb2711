//! Errors of administration, which also say what to do.

use std::path::{Path, PathBuf};

/// The result type of this crate.
pub type Result<T, E = AdminError> = std::result::Result<T, E>;

/// Why the work stopped. Each message says what was left unchanged.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// An error of the server or the connection.
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
    /// A file does not have the expected contents: a dump, a journal, a plan.
    #[error("{}: {problem}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// The problem, and what to do.
        problem: String,
    },
    /// A request that cannot be fulfilled as given.
    #[error("{0}")]
    Invalid(String),
    /// The target already has keys with these names.
    #[error("{0}")]
    Conflict(String),
    /// Refused because data would be lost; says which, and how to continue.
    #[error("{0}")]
    Unsafe(String),
    /// Refused because it is no longer as it was counted: nothing was changed.
    #[error("{0}")]
    Moved(String),
    /// A name that leads to no database, and a hint at names that do.
    #[error("{problem}")]
    NoPlace {
        /// The problem.
        problem: String,
        /// What to name instead; empty if there is nothing to add.
        hint: String,
    },
    /// A comparison found differences.
    #[error("{0}")]
    Different(String),
}

// `Display` with all causes, since a `main` that returns a `Result` prints `Debug`.
impl std::fmt::Debug for AdminError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl AdminError {
    /// For `map_err`: an error of reading or writing a file. `what` is `read`, `write` or `create`.
    pub fn file(what: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::File { what, path, source }
    }
}
