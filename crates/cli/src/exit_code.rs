//! The exit codes, each a promise to scripts, and the errors that end in them.

use std::fmt;

use compartment::{Error, ErrorKind};
use compartment_admin::AdminError;

/// What the process ends with. The numbers never change; `docs/exit-codes.md` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitCode {
    /// All was done.
    Success = 0,
    /// Something that none of the others names, a bug perhaps.
    Other = 1,
    // 2 is clap's, for wrong arguments.
    /// The run is complete, and some documents failed.
    SomeFailed = 3,
    /// The configuration is wrong.
    Configuration = 4,
    /// The server cannot be reached, or was away for longer than the run waits.
    Unavailable = 5,
    /// The server refuses the login or a command.
    Refused = 6,
    /// It is no Redis server, or one that cannot be used: too old, or it ignores SELECT.
    WrongServer = 7,
    /// The server cannot take the data: out of memory, read-only, another type at a key.
    Store = 8,
    /// A file or folder cannot be read or written.
    Files = 9,
    /// Two sides were compared and are not the same.
    Different = 10,
    /// Keys stand where others are to go.
    Conflict = 11,
    /// Refused, so that nothing is lost.
    Unsafe = 12,
    /// Ended by Ctrl-C or SIGTERM; what was done is kept.
    Interrupted = 130,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// An expected error: what to say, and the exit code.
#[derive(Debug)]
pub(crate) struct CliError {
    code: ExitCode,
    message: String,
    hint: Option<String>,
}

impl CliError {
    pub(crate) fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// The same, with a line that says what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn files(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(ExitCode::Files, format!("cannot {what} {}: {error}", path.display()))
    }

    pub(crate) fn code(&self) -> ExitCode {
        self.code
    }

    pub(crate) fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        Self::new(code_of(error.kind()), format!("failed to {error}"))
    }
}

impl From<AdminError> for CliError {
    fn from(error: AdminError) -> Self {
        let code = match &error {
            AdminError::Server(error) => code_of(error.kind()),
            AdminError::File { .. } | AdminError::BadFile { .. } => ExitCode::Files,
            AdminError::Invalid(_) => ExitCode::Configuration,
            AdminError::Conflict(_) => ExitCode::Conflict,
            AdminError::Unsafe(_) => ExitCode::Unsafe,
            AdminError::Different(_) => ExitCode::Different,
            _ => ExitCode::Other,
        };
        Self::new(code, error.to_string())
    }
}

pub(crate) fn code_of(kind: ErrorKind) -> ExitCode {
    match kind {
        ErrorKind::Unknown | ErrorKind::Configuration | ErrorKind::InvalidArgument => {
            ExitCode::Configuration
        }
        ErrorKind::Unavailable
        | ErrorKind::Interrupted
        | ErrorKind::Timeout
        | ErrorKind::NotReady => ExitCode::Unavailable,
        ErrorKind::Authentication | ErrorKind::Permission => ExitCode::Refused,
        ErrorKind::Protocol | ErrorKind::NotIsolated | ErrorKind::Unsupported => {
            ExitCode::WrongServer
        }
        ErrorKind::Contract
        | ErrorKind::WrongType
        | ErrorKind::NotANumber
        | ErrorKind::Decode
        | ErrorKind::Encode
        | ErrorKind::ReadOnly
        | ErrorKind::OutOfMemory
        | ErrorKind::Held => ExitCode::Store,
        _ => ExitCode::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_code_is_what_the_page_says() {
        let page = include_str!("../../../docs/exit-codes.md");
        for (code, name) in [
            (ExitCode::Success, "Success"),
            (ExitCode::Other, "Other"),
            (ExitCode::SomeFailed, "SomeFailed"),
            (ExitCode::Configuration, "Configuration"),
            (ExitCode::Unavailable, "Unavailable"),
            (ExitCode::Refused, "Refused"),
            (ExitCode::WrongServer, "WrongServer"),
            (ExitCode::Store, "Store"),
            (ExitCode::Files, "Files"),
            (ExitCode::Different, "Different"),
            (ExitCode::Conflict, "Conflict"),
            (ExitCode::Unsafe, "Unsafe"),
            (ExitCode::Interrupted, "Interrupted"),
        ] {
            let row = format!("| {} | {name} |", code as u8);
            assert!(page.contains(&row), "docs/exit-codes.md lacks {row:?}");
        }
    }
}
