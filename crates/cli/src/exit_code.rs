//! The exit codes, which scripts can rely on, and the errors that map to them.

use std::error::Error as StdError;
use std::fmt;

use compartment::{Error, ErrorKind};
use compartment_admin::AdminError;
use compartment_operations::OperationsError;

macro_rules! exit_codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// The exit code of the process. The numbers never change; `docs/exit-codes.md` lists them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum ExitCode {
            $($(#[$doc])* $name = $number,)*
        }

        #[cfg(test)]
        impl ExitCode {
            /// Every code. The macro builds the list, so that none is missing.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

exit_codes! {
    /// Everything was done.
    Success = 0,
    /// An error without a code of its own, perhaps a bug.
    Other = 1,
    /// Wrong arguments.
    Usage = 2,
    /// The run is complete, and some documents failed.
    SomeFailed = 3,
    /// The configuration is wrong.
    Configuration = 4,
    /// The server cannot be reached, or was unavailable for longer than the run waits.
    Unavailable = 5,
    /// The server refuses the login or a command.
    Refused = 6,
    /// The server is not Redis, or cannot be used: too old, or it ignores SELECT.
    WrongServer = 7,
    /// The server cannot take the data: out of memory, read-only, or another type at a key.
    Store = 8,
    /// A file or folder cannot be read or written.
    Files = 9,
    /// Two sides were compared and differ.
    Different = 10,
    /// Keys already exist at the target.
    Conflict = 11,
    /// Refused to prevent the loss of data.
    Unsafe = 12,
    /// A check of the deployment's health is critical.
    Unhealthy = 13,
    /// The most serious finding is a notice.
    FoundNotice = 20,
    /// The most serious finding is a warning.
    FoundWarning = 21,
    /// The most serious finding is critical.
    FoundCritical = 22,
    /// Ended by Ctrl-C or SIGTERM; work done so far is kept.
    Interrupted = 130,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// An expected error: its message and exit code.
#[derive(Debug)]
pub(crate) struct CliError {
    code: ExitCode,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl CliError {
    pub(crate) fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, source: None }
    }

    /// Sets the source, whose message this error already has.
    fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Adds a line with the remedy.
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

    /// The causes, one line each. Causes that add nothing are left out, and so is an error that a later diagnosis
    /// replaced.
    pub(crate) fn causes(&self) -> Vec<String> {
        let mut shown = self.message.clone();
        let mut causes = Vec::new();
        let mut next = self.source().and_then(StdError::source);
        while let Some(cause) = next.filter(|cause| !cause.is::<Error>()) {
            let text = one_line(&cause.to_string());
            // Libraries prefix the server's words, which the message already has.
            let words = [": ", " - "].iter().fold(text.as_str(), |rest, separator| {
                rest.rsplit(separator).next().unwrap_or(rest)
            });
            if !shown.contains(words) {
                shown.push_str(&text);
                causes.push(text);
            }
            next = cause.source();
        }
        causes
    }
}

/// Longest cause shown, in characters; longer than any message of a server.
const MAX_CAUSE_CHARS: usize = 300;

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_CAUSE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

impl StdError for CliError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        Self::new(code_of(error.kind()), format!("failed to {error}")).caused_by(error)
    }
}

impl From<AdminError> for CliError {
    fn from(error: AdminError) -> Self {
        let code = match &error {
            AdminError::Server(error) => code_of(error.kind()),
            AdminError::File { .. } | AdminError::BadFile { .. } => ExitCode::Files,
            AdminError::Invalid(_) | AdminError::NoPlace { .. } => ExitCode::Configuration,
            AdminError::Conflict(_) => ExitCode::Conflict,
            AdminError::Unsafe(_) | AdminError::Moved(_) => ExitCode::Unsafe,
            AdminError::Different(_) => ExitCode::Different,
            _ => ExitCode::Other,
        };
        let told = Self::new(code, error.to_string());
        match error {
            AdminError::NoPlace { hint, .. } if !hint.is_empty() => told.hint(hint),
            AdminError::NoPlace { .. } => told,
            // The message is already that of the server error.
            AdminError::Server(error) => told.caused_by(error),
            error => told.caused_by(error),
        }
    }
}

impl From<OperationsError> for CliError {
    fn from(error: OperationsError) -> Self {
        match error {
            OperationsError::Store(error) => error.into(),
            OperationsError::Admin(error) => error.into(),
            OperationsError::Unsafe(what) => Self::new(ExitCode::Unsafe, what),
            OperationsError::Configuration(what) if what.contains("memory://") => {
                Self::new(ExitCode::Configuration, what)
                    .hint("name a server with --backend redis://HOST:PORT or in compartment.toml")
            }
            other => Self::new(ExitCode::Configuration, other.to_string()),
        }
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
    use std::path::{Path, PathBuf};

    use super::*;

    /// The docs folder of the workspace; a published package does not have it.
    fn docs() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
    }

    /// Number and name of each row of the table on the page.
    fn rows() -> Vec<(u8, String)> {
        let page = std::fs::read_to_string(docs().join("exit-codes.md")).unwrap();
        let cells = page.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
        let row =
            |cells: Vec<&str>| Some((cells.get(1)?.parse().ok()?, (*cells.get(2)?).to_owned()));
        cells.filter_map(row).collect()
    }

    #[test]
    fn the_page_lists_every_code_and_no_other() {
        if !docs().is_dir() {
            return;
        }
        let mut codes: Vec<(u8, String)> =
            ExitCode::ALL.iter().map(|code| (*code as u8, format!("{code:?}"))).collect();
        // The code of Rust for a panic.
        codes.push((101, "Panicked".to_owned()));
        codes.sort();
        assert_eq!(rows(), codes);
    }

    #[test]
    fn the_help_names_every_code_that_has_a_remedy() {
        use clap::CommandFactory;
        let help = crate::args::Arguments::command().render_help().to_string();
        let (_, codes) = help.split_once("Exit codes: ").unwrap();
        let listed: Vec<u8> = codes
            .split(',')
            .filter_map(|code| code.split_whitespace().next()?.parse().ok())
            .collect();
        let mut expected: Vec<u8> = ExitCode::ALL.iter().map(|code| *code as u8).collect();
        expected.retain(|code| *code != ExitCode::Other as u8);
        assert_eq!(listed, expected);
    }

    #[test]
    fn an_error_keeps_its_source_and_shows_causes_that_add_something() {
        let refused = std::io::Error::other("Connection refused (os error 111)");
        let error = Error::new(ErrorKind::Unavailable, "connect", "it is away");
        let error = CliError::from(error.caused_by(refused));
        assert!(StdError::source(&error).is_some());
        assert_eq!(error.to_string(), "failed to connect: it is away");
        assert_eq!(error.causes(), ["Connection refused (os error 111)"]);
    }

    #[test]
    fn a_diagnosis_takes_the_place_of_the_error_before_it() {
        let before = Error::new(ErrorKind::Timeout, "connect", "the server is busy or gone");
        let error = Error::new(ErrorKind::Protocol, "connect", "the server does not speak TLS");
        assert!(CliError::from(error.caused_by(before)).causes().is_empty());
    }

    #[test]
    fn a_cause_that_repeats_the_message_is_not_shown() {
        for library in ["the server answered an error: no rights", "Response - no rights"] {
            let error = Error::new(ErrorKind::Permission, "get", "the server says: no rights");
            let error = error.caused_by(std::io::Error::other(library));
            assert!(CliError::from(error.clone()).causes().is_empty());
            assert!(CliError::from(AdminError::from(error)).causes().is_empty());
        }
    }

    #[test]
    fn a_cause_is_one_line_of_bounded_length() {
        let long = std::io::Error::other(format!("a\nb\u{1b}[31m {}", "é".repeat(1_000)));
        let error = Error::new(ErrorKind::Protocol, "get", "no answer").caused_by(long);
        let causes = CliError::from(error).causes();
        assert!(causes[0].starts_with("a b [31m é") && causes[0].ends_with('…'), "{causes:?}");
        assert_eq!(causes[0].chars().count(), MAX_CAUSE_CHARS + 1);
    }
}
