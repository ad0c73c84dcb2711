//! The common error of the stores, the database map and the codec.

use std::fmt;
use std::sync::Arc;

/// The result of every fallible call in Compartment.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of an error, in terms that a caller can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No database, instance or backend has this name.
    Unknown,
    /// The configuration is invalid: a file, an environment variable, a URL.
    Configuration,
    /// The write would break the database's contract, for example a cache key without a TTL.
    Contract,
    /// An argument that can never work: a zero TTL, more permits than the limit.
    InvalidArgument,
    /// The key holds another type of value than the operation needs.
    WrongType,
    /// The value is not a whole number, or the sum leaves the range of `i64`.
    NotANumber,
    /// The stored bytes could not be decoded into the wanted type.
    Decode,
    /// The value could not be encoded.
    Encode,
    /// The server could not be reached; the request was not sent.
    Unavailable,
    /// The connection broke after the request was sent; it may have been executed.
    Interrupted,
    /// No answer within the time-out; the request may have been executed.
    Timeout,
    /// The server is starting, failing over or resharding; it executed nothing.
    NotReady,
    /// The server is a read-only replica, or refuses writes until it can persist them.
    ReadOnly,
    /// The server refuses writes because it is out of memory.
    OutOfMemory,
    /// Wrong or missing user name or password.
    Authentication,
    /// The user may not run this command or touch this key.
    Permission,
    /// The peer does not speak the Redis protocol, or not as expected.
    Protocol,
    /// The server accepts `SELECT` and ignores it: databases are not isolated.
    NotIsolated,
    /// The backend or server cannot do this.
    Unsupported,
    /// Another holder has the lock.
    Held,
}

/// Whether a failed request may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Repeating it gives this error again.
    Never,
    /// It was not executed; repeating it after a pause is safe.
    Safe,
    /// It may have been executed; only an idempotent request may be repeated.
    IfIdempotent,
}

impl ErrorKind {
    /// The retry class of this kind.
    #[must_use]
    pub fn retry(self) -> Retry {
        // No wildcard, so that a new kind needs a decision.
        match self {
            Self::Unavailable | Self::NotReady | Self::ReadOnly => Retry::Safe,
            Self::Interrupted | Self::Timeout => Retry::IfIdempotent,
            Self::Unknown
            | Self::Configuration
            | Self::Contract
            | Self::InvalidArgument
            | Self::WrongType
            | Self::NotANumber
            | Self::Decode
            | Self::Encode
            | Self::OutOfMemory
            | Self::Authentication
            | Self::Permission
            | Self::Protocol
            | Self::NotIsolated
            | Self::Unsupported
            | Self::Held => Retry::Never,
        }
    }
}

/// An error: its kind, the operation, the database and key, a message with advice, and the cause.
///
/// `Display` reads well after "failed to": *failed to* `get key "doc:1" in database "cache": …`. Clones share the
/// cause: all waiters of one request get one error.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    database: Option<String>,
    key: Option<String>,
    message: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// The maximum length of a key in a message: longer keys are cut, since a key may be megabytes of user data.
const SHOWN_KEY_CHARS: usize = 120;

impl Error {
    /// An error of `kind`, raised by `operation`, with a message that says what happened and what to do.
    #[must_use]
    pub fn new(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            operation,
            database: None,
            key: None,
            message: message.into(),
            source: None,
        }))
    }

    /// Sets the database in which it happened.
    #[must_use]
    pub fn in_database(mut self, name: impl Into<String>) -> Self {
        self.0.database = Some(name.into());
        self
    }

    /// Sets the key it is about.
    #[must_use]
    pub fn at_key(mut self, key: impl Into<String>) -> Self {
        self.0.key = Some(key.into());
        self
    }

    /// Sets the cause.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into().into());
        self
    }

    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the request may be repeated.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.0.kind.retry()
    }

    /// Whether the request failed because of the data at its keys, which somebody else wrote, or a newer version: a
    /// value of another type or form. Requests to other keys are not affected.
    #[must_use]
    pub fn is_about_stored_data(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Decode | ErrorKind::WrongType | ErrorKind::NotANumber | ErrorKind::Protocol
        )
    }

    /// The operation that failed.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The database in which it happened, if known.
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        self.0.database.as_deref()
    }

    /// The key it is about, if there is one.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// The message, without operation, key and database.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.operation)?;
        if let Some(key) = &self.0.key {
            let shown: String = key.chars().take(SHOWN_KEY_CHARS).collect();
            let cut = if shown.len() < key.len() { "…" } else { "" };
            write!(f, " key {shown:?}{cut}")?;
        }
        if let Some(database) = &self.0.database {
            write!(f, " in database {database:?}")?;
        }
        write!(f, ": {}", self.0.message)
    }
}

/// Writes the `Display` of an error and then its causes, one per line. Use it for the `Debug` of an
/// error, which a `main` that returns a `Result` prints.
///
/// # Errors
/// The formatter's.
pub fn write_causes(error: &dyn std::error::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{error}")?;
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(f, "\ncaused by: {error}")?;
        cause = error.source();
    }
    Ok(())
}

/// `{:?}` writes the `Display` text and the causes; `{:#?}` shows the fields.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return write_causes(self, f);
        }
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("database", &self.0.database)
            .field("key", &self.0.key)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_reads_after_failed_to() {
        let error = Error::new(ErrorKind::Timeout, "get", "no answer within 5s")
            .in_database("cache")
            .at_key("doc:1\n");
        assert_eq!(
            error.to_string(),
            r#"get key "doc:1\n" in database "cache": no answer within 5s"#
        );
        let error = Error::new(ErrorKind::Configuration, "read configuration", "no databases");
        assert_eq!(error.to_string(), "read configuration: no databases");
    }

    #[test]
    fn debug_says_what_display_says_and_the_causes() {
        let error = Error::new(ErrorKind::Decode, "get", "it is no JSON").at_key("a");
        assert_eq!(format!("{error:?}"), r#"get key "a": it is no JSON"#);
        let cause = std::io::Error::other("line 1");
        let error = error.caused_by(cause);
        assert_eq!(format!("{error:?}"), "get key \"a\": it is no JSON\ncaused by: line 1");
        assert!(format!("{error:#?}").contains("kind: Decode"));
    }

    #[test]
    fn a_long_key_is_cut_in_the_message_and_kept_in_the_error() {
        let key = "k".repeat(5_000);
        let error = Error::new(ErrorKind::Decode, "get", "not JSON").at_key(key.clone());
        assert!(error.to_string().len() < 300, "{error}");
        assert_eq!(error.key(), Some(key.as_str()));
    }

    #[test]
    fn ambiguous_failures_are_retried_only_when_idempotent() {
        assert_eq!(ErrorKind::Timeout.retry(), Retry::IfIdempotent);
        assert_eq!(ErrorKind::Interrupted.retry(), Retry::IfIdempotent);
        assert_eq!(ErrorKind::Unavailable.retry(), Retry::Safe);
        assert_eq!(ErrorKind::Authentication.retry(), Retry::Never);
    }

    #[test]
    fn the_error_is_one_word_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
